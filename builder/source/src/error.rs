//! The error of this crate: which base, and why it is not used.

use std::io;
use std::path::PathBuf;

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
        expected: String,
    },
    /// There is no such file.
    #[error("the base image {} does not exist; check `base:` in the profile", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// A file of this machine cannot be read or written.
    #[error("{op} {} failed", path.display())]
    Io {
        /// What was done.
        op: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The disk of the cache has no room left.
    #[error(
        "there is no room left for {}; free some, shrink the cache with `cache_gib` in the \
         catalog's configuration, or put it on another disk with XDG_CACHE_HOME",
        path.display()
    )]
    Full {
        /// The file that did not fit.
        path: PathBuf,
    },
    /// The file is not the one that was asked for.
    #[error(
        "the base image {name} is not the one asked for: its {}; {hint}",
        mismatch(found, expected)
    )]
    Digest {
        /// The file or the place it came from.
        name: String,
        /// Its digest.
        found: Box<crate::Digest>,
        /// The digest that it must have.
        expected: Box<crate::Digest>,
        /// What to do next.
        hint: &'static str,
    },
    /// A signature is missing, wrong, or not by a key that is trusted here.
    #[error("{what} cannot be trusted: {problem}")]
    Signature {
        /// What was signed.
        what: String,
        /// What is wrong.
        problem: String,
    },
    /// A file that a catalog publishes says something that makes no sense.
    #[error("{what} cannot be used: {problem}")]
    Malformed {
        /// The file.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The catalog does not have what is wanted.
    #[error("the catalog has no {wanted}: {problem}")]
    NotPublished {
        /// The base.
        wanted: String,
        /// What there is instead.
        problem: String,
    },
    /// This machine's configuration does not say where a catalog is.
    #[error("{problem}")]
    Unconfigured {
        /// What is missing, and where it is to be written.
        problem: String,
    },
    /// A server did not give what it was asked for.
    #[error("fetching {url} failed: {problem}")]
    Http {
        /// The address, without user and password.
        url: String,
        /// What happened.
        problem: String,
    },
    /// The network may not be used, and without it the base is not to be had.
    #[error(
        "{what} is not on this machine, and --offline forbids to fetch it; run `bootwright base fetch` with a network first"
    )]
    Offline {
        /// What is missing.
        what: String,
    },
    /// A compressed base cannot be unpacked.
    #[error("unpacking the base image {name} failed: {problem}")]
    Unpack {
        /// The compressed file.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The user wants to stop.
    #[error("interrupted")]
    Cancelled,
}

impl Error {
    /// A failure of the system, where a full disk is one of its own.
    pub(crate) fn io(op: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Io { op, path, source },
        }
    }
}

/// `sha256 is A, expected B`.
fn mismatch(found: &crate::Digest, expected: &crate::Digest) -> String {
    let (found, expected) = (found.to_string(), expected.to_string());
    let bare = |text: &str| text.split_once(':').map_or("", |(_, digits)| digits).to_owned();
    let kind = expected.split_once(':').map_or("digest", |(kind, _)| kind);
    format!("{kind} is {}, expected {}", bare(&found), bare(&expected))
}
