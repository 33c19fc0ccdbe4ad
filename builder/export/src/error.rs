//! The error of this crate: which file, and what happened to it.

use std::io;
use std::path::PathBuf;

/// Result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong while outputs are written.
///
/// `Display` gives one sentence and never repeats the source; print the chain.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file is where an output is to go.
    #[error("{} exists; give --force to replace it", path.display())]
    Exists {
        /// The output.
        path: PathBuf,
    },
    /// The target disk has no room left. Nothing was left behind.
    #[error("{} cannot be written: the disk is full; nothing was left behind", path.display())]
    Full {
        /// The output.
        path: PathBuf,
    },
    /// The system refused.
    #[error("{op} {} failed", path.display())]
    Io {
        /// `creating`, `writing`, and what.
        op: &'static str,
        /// The output.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The disk could not be read.
    #[error("the disk of the image cannot be read")]
    Disk(#[source] bootwright_disk::Error),
    /// Somebody pressed Ctrl-C.
    #[error("cancelled; nothing was left behind")]
    Cancelled,
}

impl Error {
    /// Sorts out a full disk from other failures of a file.
    pub(crate) fn io(op: &'static str, path: &std::path::Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Io { op, path, source },
        }
    }
}
