//! Arguments of `bootwright doctor`.

use clap::Args;

/// Say what this machine can do, and what is missing for what.
///
/// Nothing is changed. Whether KVM works is found out by running a guest of 512 bytes. The
/// exit code is 5 if building images is not possible here, and 0 if only something else is
/// not.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bootwright doctor --json")]
pub struct Doctor {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
