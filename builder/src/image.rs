//! What the `image` commands share: opening any image from anywhere, and walking over its
//! disk with all processors.

pub mod input;
pub mod scan;
