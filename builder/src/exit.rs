//! From errors to exit codes: one for each class, the same in every release.

use std::process::ExitCode;

use anyhow::Error;

use crate::{interrupt, report};

/// Anything without a class of its own.
const OTHER: u8 = 1;
/// The command line is wrong. clap gives the same code.
const USAGE: u8 = 2;
/// A profile, base, env or other input cannot be used.
const INPUT: u8 = 3;
/// Something is not what it was to be: a digest does not match.
const VERIFICATION: u8 = 4;
/// This machine lacks a program, firmware or room on a disk.
const ENVIRONMENT: u8 = 5;
/// The guest failed or did not report.
const GUEST: u8 = 6;

/// An input file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("reading the {what} {}", path.display())]
pub struct Unreadable {
    what: &'static str,
    path: std::path::PathBuf,
    source: std::io::Error,
}

impl Unreadable {
    /// Says which file cannot be read.
    pub fn new(what: &'static str, path: &std::path::Path, source: std::io::Error) -> Self {
        Self { what, path: path.to_owned(), source }
    }

    /// Reads a text file, or says which one cannot be read.
    pub fn read(what: &'static str, path: &std::path::Path) -> Result<Vec<u8>, Self> {
        std::fs::read(path).map_err(|source| Self { what, path: path.to_owned(), source })
    }
}

/// Rows of an inventory that nothing could be made of; each has been named already.
#[derive(Debug, thiserror::Error)]
#[error("{failed} sites could not be made, the others are complete; see {index}")]
pub struct BadRows {
    /// How many.
    pub failed: u64,
    /// The index that names them too.
    pub index: String,
}

/// Work of many parts that was interrupted between two of them.
#[derive(Debug, thiserror::Error)]
#[error("interrupted; {0}")]
pub struct Interrupted(pub &'static str);

/// A failure that is the command line's.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Something that was checked and is not what it was to be. What is wrong has been shown.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failed(pub String);

/// Two things that were compared and differ: no failure, but not success either. How they
/// differ has been shown.
#[derive(Debug, thiserror::Error)]
#[error("they differ")]
pub struct Different;

/// Any failure of a command whose exit code 1 means something else.
#[derive(Debug, thiserror::Error)]
#[error("they cannot be compared")]
struct Trouble;

/// Sees to it that a failure of a comparison does not look like a difference.
#[cfg(feature = "image")]
pub fn no_difference(error: Error) -> Error {
    match error.is::<Different>() || error.chain().any(|link| class(link).is_some()) {
        true => error,
        false => error.context(Trouble),
    }
}

/// An input that is well-formed and cannot do what is asked of it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub String);

/// A guest that ran and ended in a state other than the wanted one. The report has been
/// shown already.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct GuestState(pub String);

/// This machine lacks something that is needed for everything. What, has been shown already.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Lacking(pub String);

/// The exit code of an outcome, after its error was shown.
pub fn code(outcome: Result<(), Error>) -> ExitCode {
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    if error.is::<Different>() {
        return ExitCode::from(OTHER);
    }
    if interrupt::is_set() {
        match error.downcast_ref::<Interrupted>() {
            Some(interrupted) => report::message(interrupted),
            None => report::message("interrupted; nothing was left behind"),
        }
        return ExitCode::from(interrupt::EXIT_CODE);
    }
    report::error(&error);
    ExitCode::from(error.chain().find_map(class).unwrap_or(OTHER))
}

/// The class of one link of an error's chain.
fn class(error: &(dyn std::error::Error + 'static)) -> Option<u8> {
    if error.is::<Usage>() {
        return Some(USAGE);
    }
    if error.is::<Trouble>() {
        return Some(ENVIRONMENT);
    }
    if error.is::<Lacking>() {
        return Some(ENVIRONMENT);
    }
    if error.is::<Failed>() {
        return Some(VERIFICATION);
    }
    if error.is::<GuestState>() {
        return Some(GUEST);
    }
    if error.is::<Unreadable>()
        || error.is::<Unusable>()
        || error.is::<bootwright_seed::userdata::UserDataError>()
        || error.is::<BadRows>()
        || error.is::<bootwright_seed::batch::InventoryError>()
        || error.is::<bootwright_seed::env::flatten::FlattenError>()
        || error.is::<bootwright_seed::env::dns::DnsError>()
        || error.is::<bootwright_seed::env::package::openpgp::OpenPgpError>()
        || error.is::<bootwright_seed::env::paper::code::TooLarge>()
        || error.is::<bootwright_seed::env::recover::RecoverError>()
        || error.is::<bootwright_seed::create::CreateError>()
        || error.is::<bootwright_seed::create::KeyError>()
        || error.is::<bootwright_seed::sealed::SealedError>()
        || error.is::<bootwright_seed::medium::write::WriteError>()
        || error.is::<bootwright_seed::medium::ReadError>()
        || error.is::<bootwright_seed::yaml::decode::DecodeError>()
        || error.is::<bootwright_seed::env::key_path::PathError>()
        || error.is::<bootwright_seed::env::upgrade::MakeError>()
        || error.is::<bootwright_seed::env::vault::VaultError>()
        || error.is::<bootwright_seed::yaml::edit::EditError>()
    {
        return Some(INPUT);
    }
    export(error).or_else(|| image(error))
}

fn export(error: &(dyn std::error::Error + 'static)) -> Option<u8> {
    use bootwright_export::Error;
    match error.downcast_ref()? {
        Error::Exists { .. } => Some(INPUT),
        Error::Full { .. } => Some(ENVIRONMENT),
        Error::Disk(_) => None,
        Error::Io { .. } | Error::Cancelled => Some(OTHER),
    }
}

#[cfg(not(feature = "image"))]
fn image(_error: &(dyn std::error::Error + 'static)) -> Option<u8> {
    None
}

#[cfg(feature = "image")]
fn image(error: &(dyn std::error::Error + 'static)) -> Option<u8> {
    use std::io::ErrorKind;

    use bootwright_disk::Error as Disk;
    use bootwright_guest::{Class, Error as Guest};
    use bootwright_rootfs::Error as Rootfs;
    use bootwright_source::Error as Source;
    if let Some(error) = error.downcast_ref::<Guest>() {
        return Some(match error.class() {
            Class::Input => INPUT,
            Class::Environment => ENVIRONMENT,
            Class::Guest => GUEST,
            Class::Cancelled => interrupt::EXIT_CODE,
        });
    }
    if let Some(error) = error.downcast_ref::<Source>() {
        return Some(match error {
            Source::Digest { .. } | Source::Signature { .. } => VERIFICATION,
            Source::Location { .. }
            | Source::Missing { .. }
            | Source::Malformed { .. }
            | Source::NotPublished { .. }
            | Source::Unpack { .. } => INPUT,
            Source::Full { .. } | Source::Unconfigured { .. } | Source::Offline { .. } => {
                ENVIRONMENT
            }
            Source::Io { .. } | Source::Http { .. } | Source::Cancelled => OTHER,
        });
    }
    if let Some(error) = error.downcast_ref::<Rootfs>() {
        return match error {
            Rootfs::Disk { .. } | Rootfs::While { .. } => None,
            _ => Some(INPUT),
        };
    }
    match error.downcast_ref()? {
        Disk::Malformed { .. } | Disk::Unsupported { .. } | Disk::OutOfBounds { .. } => Some(INPUT),
        // A path that leads nowhere is the user's, a failing disk is not.
        Disk::Io { source, .. } => match source.kind() {
            ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::IsADirectory => {
                Some(INPUT)
            }
            _ => Some(OTHER),
        },
    }
}
