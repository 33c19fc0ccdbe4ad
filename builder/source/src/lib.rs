//! Base images: where they come from, and the proof that they are the ones asked for.
//!
//! [`Location`] says where; [`fetch`] gives a local file whose digest is known and, where
//! one was asked for, right. Nothing that failed the proof is ever opened.

mod error;
mod fetch;
mod location;

pub use error::{Error, Result};
pub use fetch::{Base, fetch};
pub use location::Location;
