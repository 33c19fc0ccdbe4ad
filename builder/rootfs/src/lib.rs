//! File systems inside a disk view, and the edits applied to them.
