//! The error of this crate: what went wrong with which file of the image.

/// Result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong with a file system or an edit.
///
/// `Display` gives one sentence and never repeats the source; print the chain.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk below the file system.
    #[error("{place}: the disk cannot be read or written")]
    Disk {
        /// The partition or file concerned.
        place: String,
        /// What the view said.
        source: bootwright_disk::Error,
    },
    /// The file system is damaged, or its library refuses it.
    #[error("{place}: {problem}")]
    Damaged {
        /// The partition or file concerned.
        place: String,
        /// What was found.
        problem: String,
    },
    /// The file system is sound but is not edited in this state or with this feature.
    #[error("{place}: {feature}; {hint}")]
    Unsupported {
        /// The partition concerned.
        place: String,
        /// The feature or state.
        feature: String,
        /// What the user can do.
        hint: &'static str,
    },
    /// The image has no file system that could be the root.
    #[error("no root file system found: {found}")]
    NoRoot {
        /// What was found instead.
        found: String,
    },
    /// An edit does not fit what the image holds.
    #[error("{path}: {problem}")]
    Edit {
        /// The path in the image.
        path: String,
        /// Why the edit cannot be made.
        problem: String,
    },
    /// A file system failed in the middle of an edit.
    #[error("editing {path}")]
    While {
        /// The path in the image.
        path: String,
        /// What happened.
        source: Box<Error>,
    },
    /// The edits do not fit into the file system.
    #[error("{place}: the edits need {need}, but only {have} are free: {missing} too few")]
    NoSpace {
        /// The partition and where it is mounted.
        place: String,
        /// What is needed, with its unit.
        need: String,
        /// What is free, with its unit.
        have: String,
        /// The difference, with its unit.
        missing: String,
    },
    /// A file system is full in spite of the computation before the first edit.
    #[error(
        "{place}: no block or inode is left, though the edits were computed to fit; use a larger base"
    )]
    Full {
        /// The partition.
        place: String,
    },
    /// A file of the host that is to go into the image.
    #[error("{path}: {op} failed")]
    Host {
        /// The path on the host.
        path: String,
        /// `opening`, `reading`, and what.
        op: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Error {
    /// Adds the path that was being edited, unless the error names it already.
    pub(crate) fn while_editing(self, path: &[u8]) -> Self {
        let path = show(path);
        match self {
            Self::Edit { path: ref named, .. } if *named == path => self,
            Self::Host { .. } | Self::While { .. } => self,
            other => Self::While { path, source: Box::new(other) },
        }
    }
}

/// A path of the image as people write it; bytes that are not UTF-8 are shown as such.
pub(crate) fn show(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}
