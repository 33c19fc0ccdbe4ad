//! What the `image` commands share: opening any image from anywhere, walking over its disk
//! with all processors, and what can be said about it as data.

pub mod diff;
pub mod input;
pub mod scan;
pub mod survey;
mod types;
pub mod verify;
