//! The error of this crate: what failed, what was expected, and what to do next.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use crate::console::Tail;

/// Result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Whose trouble an [`Error`] is; the command line makes its exit code of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// What the caller gave is wrong.
    Input,
    /// This machine lacks something.
    Environment,
    /// The guest did not do its part.
    Guest,
    /// The caller asked to stop.
    Cancelled,
}

/// Everything that can go wrong with a boot.
///
/// `Display` never repeats the source; print the chain. Text that comes from the guest is
/// shown without control characters.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The image or the seed cannot be read.
    #[error("cannot read the {role} {path}: expected a readable regular file; check the path and its permissions", path = path.display())]
    Unreadable {
        /// `image` or `seed`.
        role: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A number of the request is out of range.
    #[error("{setting} is {value}: expected {least} to {most}; change the request")]
    Setting {
        /// Which number.
        setting: &'static str,
        /// Its value.
        value: u32,
        /// Least value allowed.
        least: u32,
        /// Greatest value allowed.
        most: u32,
    },
    /// `BOOTWRIGHT_ACCEL` has a value that means nothing.
    #[error("BOOTWRIGHT_ACCEL is {value:?}: expected kvm or tcg; correct or unset it")]
    UnknownAccelerator {
        /// The value.
        value: String,
    },
    /// A program is not installed.
    #[error(
        "{program} is not in PATH; install the package {debian} (Debian, Ubuntu) or {fedora} (Fedora)"
    )]
    ToolMissing {
        /// The program.
        program: &'static str,
        /// Debian's package.
        debian: &'static str,
        /// Fedora's package.
        fedora: &'static str,
    },
    /// There is no UEFI firmware.
    #[error(
        "no UEFI firmware for {arch} in {looked}; install the package {debian} (Debian, Ubuntu) or {fedora} (Fedora), or boot with BIOS"
    )]
    FirmwareMissing {
        /// The guest's architecture.
        arch: &'static str,
        /// Where it was looked for.
        looked: String,
        /// Debian's package.
        debian: &'static str,
        /// Fedora's package.
        fedora: &'static str,
    },
    /// A file of our own could not be made or written.
    #[error("{action} {path} failed; check free space and permissions there", path = path.display())]
    File {
        /// What was done to it.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program could not be started or waited for.
    #[error("{action} {program} failed; run it by hand to see why", program = program.display())]
    Process {
        /// What was done with it.
        action: &'static str,
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// QEMU ended by itself, not by the guest's wish.
    #[error(
        "QEMU ended before the guest reported ({status}); its last words:\n{stderr}\nif they name an option or a device, this QEMU lacks it: try another version"
    )]
    QemuEnded {
        /// How it ended.
        status: ExitStatus,
        /// The end of its standard error.
        stderr: Tail,
    },
    /// QEMU paused the guest, which it does when it cannot go on.
    #[error(
        "QEMU stopped the guest: {event}; its last words:\n{stderr}\ncheck the free space of TMPDIR; with KVM, try BOOTWRIGHT_ACCEL=tcg"
    )]
    QemuStopped {
        /// The event that told so.
        event: String,
        /// The end of its standard error.
        stderr: Tail,
    },
    /// QEMU does not answer on its control socket, or not as documented.
    #[error(
        "QEMU's control socket: {problem}; this is a fault of QEMU's or ours, try another version of QEMU"
    )]
    Control {
        /// What was wrong.
        problem: String,
        /// What the system said, if it did.
        source: Option<io::Error>,
    },
    /// The guest powered itself off before it reported.
    #[error(
        "the guest powered itself off before its agent reported; the console's last lines:\n{console}\nlook there for what ended it"
    )]
    GuestEnded {
        /// The end of the console.
        console: Tail,
    },
    /// The console shows that the guest will never report.
    #[error("{meaning}; the console's last lines:\n{console}\n{advice}")]
    GuestBroken {
        /// What happened.
        meaning: &'static str,
        /// What to do about it.
        advice: &'static str,
        /// The end of the console.
        console: Tail,
    },
    /// No report in time.
    #[error("the guest did not report within {} s; the console's last lines:\n{console}\ncheck that the image holds the agent and its unit is enabled; if it is only slow, raise the timeout", limit.as_secs())]
    NoReport {
        /// How long it was waited.
        limit: Duration,
        /// The end of the console.
        console: Tail,
    },
    /// The agent spoke on the console but not on its port.
    #[error(
        "the agent wrote on the console but not to the virtio port {port}: {line}\ncheck that the guest's kernel has the module virtio_console"
    )]
    PortSilent {
        /// Name of the port.
        port: &'static str,
        /// The agent's line.
        line: String,
    },
    /// The report is longer than any agent's.
    #[error(
        "the guest's report is longer than {limit} bytes; is it our agent that writes to the port?"
    )]
    ReportTooLong {
        /// Greatest length read.
        limit: usize,
    },
    /// The report is not what the contract says.
    #[error("the guest's report is malformed, check the agent's version; the line was: {line}")]
    ReportMalformed {
        /// The line, shortened.
        line: String,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// The agent is of another generation.
    #[error(
        "the guest's report has schema {found}, this tool knows {known}; build the image and boot it with the same version"
    )]
    ReportSchema {
        /// Schema of the report.
        found: u32,
        /// Schema of this crate.
        known: u32,
    },
    /// The caller asked to stop.
    #[error("the boot was cancelled; QEMU has been ended")]
    Cancelled,
}

impl Error {
    /// Whose trouble it is.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Unreadable { .. } | Self::Setting { .. } | Self::UnknownAccelerator { .. } => {
                Class::Input
            }
            Self::ToolMissing { .. }
            | Self::FirmwareMissing { .. }
            | Self::File { .. }
            | Self::Process { .. }
            | Self::QemuEnded { .. }
            | Self::QemuStopped { .. }
            | Self::Control { .. } => Class::Environment,
            Self::GuestEnded { .. }
            | Self::GuestBroken { .. }
            | Self::NoReport { .. }
            | Self::PortSilent { .. }
            | Self::ReportTooLong { .. }
            | Self::ReportMalformed { .. }
            | Self::ReportSchema { .. } => Class::Guest,
            Self::Cancelled => Class::Cancelled,
        }
    }
}
