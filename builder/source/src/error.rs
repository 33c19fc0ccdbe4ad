//! The error of this crate: which base, and why it is not used.

use std::io;
use std::path::PathBuf;

use bootwright_disk::Sha256;

/// Result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a base image is not to be had.
///
/// `Display` gives one sentence and never repeats the source; print the chain.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text names no place a base can come from.
    #[error("{text:?} is no base: {expected}")]
    Location {
        /// What was given.
        text: String,
        /// What is understood.
        expected: &'static str,
    },
    /// There is no such file.
    #[error("the base image {} does not exist; check `base:` in the profile", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("reading the base image {} failed", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not the one that was asked for.
    #[error(
        "the base image {} is not the one asked for: its sha256 is {found}, expected {expected}; \
         fetch it again, or correct `sha256:` in the profile",
        path.display()
    )]
    Digest {
        /// The file.
        path: PathBuf,
        /// Its digest.
        found: Sha256,
        /// The digest that the profile gives.
        expected: Sha256,
    },
}
