//! Artefacts: from an edited view to complete files under their final names.
//!
//! [`sink`] is how every output file of the tool comes to be: complete under its name or not
//! at all. [`pass`] feeds all outputs of a build from one walk over the disk; [`manifest`]
//! says what was made of what.

mod archive;
pub mod compressed;
pub mod descriptor;
mod error;
pub mod folder;
pub mod machine;
pub mod manifest;
pub mod ova;
pub mod pass;
pub mod sink;
mod xml;
pub mod xva;

pub use error::{Error, Result};
