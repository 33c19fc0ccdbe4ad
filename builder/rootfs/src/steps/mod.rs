//! What a profile wants, turned into edits.
