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
#[derive(Debug)]
pub struct Unreadable {
    what: &'static str,
    path: std::path::PathBuf,
    source: std::io::Error,
}

impl Unreadable {
    /// Reads a text file, or says which one cannot be read.
    pub fn read(what: &'static str, path: &std::path::Path) -> Result<Vec<u8>, Self> {
        std::fs::read(path).map_err(|source| Self { what, path: path.to_owned(), source })
    }
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "reading the {} {}", self.what, self.path.display())
    }
}

impl std::error::Error for Unreadable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// A failure that is the command line's.
#[derive(Debug)]
pub struct Usage(pub String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// An input that was read and is not usable. What is wrong with it has been shown already.
#[derive(Debug)]
pub struct BadInput(pub String);

impl std::fmt::Display for BadInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadInput {}

/// Something that was looked at and is not what it was to be. What is wrong has been shown.
#[derive(Debug)]
pub struct Unverified(pub String);

impl std::fmt::Display for Unverified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unverified {}

/// A guest that ran and ended in a state other than the wanted one. The report has been
/// shown already.
#[derive(Debug)]
pub struct GuestState(pub String);

impl std::fmt::Display for GuestState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for GuestState {}

/// The exit code of an outcome, after its error was shown.
pub fn code(outcome: Result<(), Error>) -> ExitCode {
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    if interrupt::is_set() {
        report::message("interrupted; nothing was left behind");
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
    if error.is::<Unverified>() {
        return Some(VERIFICATION);
    }
    if error.is::<GuestState>() {
        return Some(GUEST);
    }
    if error.is::<Unreadable>()
        || error.is::<BadInput>()
        || error.is::<bootwright_seed::userdata::UserDataError>()
        || error.is::<bootwright_seed::env::flatten::FlattenError>()
        || error.is::<bootwright_seed::env::dns::DnsError>()
        || error.is::<bootwright_seed::env::package::openpgp::OpenPgpError>()
        || error.is::<bootwright_seed::env::paper::code::TooLarge>()
        || error.is::<bootwright_seed::env::recover::RecoverError>()
        || error.is::<bootwright_seed::create::CreateError>()
        || error.is::<bootwright_seed::create::KeyError>()
        || error.is::<bootwright_seed::yaml::decode::DecodeError>()
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
            Source::Digest { .. } => VERIFICATION,
            Source::Location { .. } | Source::Missing { .. } => INPUT,
            Source::Io { .. } => OTHER,
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
        Disk::Io { .. } => Some(OTHER),
    }
}
