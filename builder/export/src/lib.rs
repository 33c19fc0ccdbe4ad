//! Artefacts: from an edited view to complete files under their final names.
//!
//! [`sink`] is how every output file of the tool comes to be: complete under its name or not
//! at all. [`pass`] feeds all outputs of a build from one walk over the disk.

mod error;
pub mod pass;
pub mod sink;

pub use error::{Error, Result};
