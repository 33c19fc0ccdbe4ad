//! The error of this crate: what kind of trouble, where, and what to do about it.

use std::io;

/// Result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong with a view or an image format.
///
/// `Display` gives one sentence and never repeats the source; print the chain.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused a read or a write.
    #[error("{op} at offset {offset:#x} failed")]
    Io {
        /// `reading`, `writing`, and what.
        op: &'static str,
        /// Byte offset in the file concerned.
        offset: u64,
        /// What the system said.
        source: io::Error,
    },
    /// The bytes contradict the format's specification.
    #[error("{format}: {field} at offset {offset:#x}: {problem}")]
    Malformed {
        /// The format's usual name, such as `qcow2`.
        format: &'static str,
        /// The field of the specification.
        field: &'static str,
        /// Byte offset of the field, in the view that holds the format.
        offset: u64,
        /// What was found and what was expected.
        problem: String,
    },
    /// The bytes are valid but use something that is refused on purpose.
    #[error("{format}: {feature} is not supported; {hint}")]
    Unsupported {
        /// The format's usual name.
        format: &'static str,
        /// The feature, by the name its specification gives it.
        feature: String,
        /// What the user can do.
        hint: &'static str,
    },
    /// A read or write reaches past the end of a view.
    #[error("{len} bytes at offset {offset:#x} reach past the end of the disk ({size} bytes)")]
    OutOfBounds {
        /// First byte asked for.
        offset: u64,
        /// How many bytes.
        len: u64,
        /// Size of the view.
        size: u64,
    },
}

impl Error {
    /// A [`Error::Malformed`], for parsers.
    pub(crate) fn malformed(
        format: &'static str,
        field: &'static str,
        offset: u64,
        problem: impl Into<String>,
    ) -> Self {
        Self::Malformed { format, field, offset, problem: problem.into() }
    }

    /// A [`Error::Malformed`] for what should be at `start` of the file but is past its end.
    pub(crate) fn truncated(
        format: &'static str,
        (field, offset): (&'static str, u64),
        start: u64,
        file_size: u64,
    ) -> Self {
        let problem = format!(
            "it is at {start:#x}, past the end of the file ({file_size} bytes); \
             the file is truncated: fetch it again"
        );
        Self::malformed(format, field, offset, problem)
    }
}
