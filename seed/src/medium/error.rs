//! Why a seed medium could not be read.

use std::io;

use hadris_fs::ErrorKind;

use super::bounded::BudgetSpent;
use super::{Filesystem, Kind};
use crate::yaml::YamlError;

/// What went wrong while reading a seed medium. No message quotes the content of a file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The device failed.
    #[error("the drive cannot be read; check that the medium is whole and attached")]
    Device(#[source] io::Error),
    /// The device holds neither ISO 9660 nor FAT.
    #[error("no ISO 9660 or FAT file system; make the medium with `bootwright seed create`")]
    NoFilesystem,
    /// The file system contradicts itself or ends too early.
    #[error("the {filesystem} file system is damaged or cut short ({what}); make the medium anew")]
    Damaged {
        /// The file system.
        filesystem: Filesystem,
        /// What the reader found.
        what: String,
    },
    /// Reading took more bytes than any real seed needs.
    #[error(
        "reading took more than {limit} bytes, which no sound seed needs; make the medium anew"
    )]
    TooMuch {
        /// The budget for one medium, in bytes.
        limit: u64,
    },
    /// A directory with more entries than any real seed has.
    #[error(
        "the directory {directory} has more than {limit} entries; a seed holds a handful of files"
    )]
    Crowded {
        /// The directory on the medium.
        directory: String,
        /// The most entries that are read.
        limit: usize,
    },
    /// A file that the kind requires is not there.
    #[error("{file} is missing; a {kind} medium needs both {} and {}", .kind.user_data(), .kind.meta_data())]
    Missing {
        /// The kind that the label promises.
        kind: Kind,
        /// Path on the medium.
        file: String,
    },
    /// Two names on the medium may both stand for the file.
    #[error(
        "{file} is ambiguous: both {first} and {second} may stand for it; use Rock Ridge or Joliet names"
    )]
    Ambiguous {
        /// Path that was looked for.
        file: String,
        /// One name found.
        first: String,
        /// Another name found.
        second: String,
    },
    /// The name is taken by a directory or a special file.
    #[error("{file} is not a regular file; make the medium anew")]
    NotAFile {
        /// Path on the medium.
        file: String,
    },
    /// A file larger than its limit.
    #[error("{file} has {size} bytes, more than the limit of {limit}; make it smaller")]
    TooLarge {
        /// Path on the medium.
        file: String,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The meta-data of a cidata medium is not a YAML mapping.
    #[error("{file} is not usable meta-data; it must be a YAML mapping with an instance-id")]
    MetaData {
        /// Path on the medium.
        file: String,
        /// Where and why.
        #[source]
        source: YamlError,
    },
    /// An instance-id that cloud-init could not make a directory of.
    #[error("the instance-id in {file} has {length} bytes; cloud-init can use at most {limit}")]
    InstanceId {
        /// Path on the medium.
        file: String,
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The meta-data of a config-2 medium is not a JSON object with a `uuid`.
    #[error("{file}:{line}:{column}: {what}; it must be a JSON object with a uuid")]
    MetaDataJson {
        /// Path on the medium.
        file: String,
        /// Line, counted from 1.
        line: usize,
        /// Column, counted from 1.
        column: usize,
        /// What is wrong.
        what: &'static str,
    },
}

impl ReadError {
    /// Sorts an error of the file system library into ours.
    pub(super) fn of(filesystem: Filesystem, error: hadris_fs::Error<io::Error>) -> Self {
        let what = match error.location() {
            Some(place) => format!("{} at {place}", error.message()),
            None => error.message().to_owned(),
        };
        match error.into_device_error() {
            Some(cause) => Self::device(cause),
            None => Self::Damaged { filesystem, what },
        }
    }

    /// A device error, unless it is the budget that ran out.
    pub(super) fn device(cause: io::Error) -> Self {
        match cause.get_ref().and_then(|inner| inner.downcast_ref::<BudgetSpent>()) {
            Some(spent) => Self::TooMuch { limit: spent.0 },
            None => Self::Device(cause),
        }
    }
}

/// Whether the library says that a name does not exist.
pub(super) fn is_not_found(error: &hadris_fs::Error<io::Error>) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}
