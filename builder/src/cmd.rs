//! The commands: from arguments to library calls.

#[cfg(feature = "image")]
mod boot;
#[cfg(feature = "image")]
mod build;
mod env;
mod seed;

use anyhow::Result;

use crate::cli::{Cli, Command};
use crate::progress::Progress;

/// Runs a command.
///
/// # Errors
/// Whatever it fails with; `exit` gives it its code.
pub fn run(cli: Cli) -> Result<()> {
    let progress = Progress::new(cli.quiet);
    match cli.command {
        #[cfg(feature = "image")]
        Command::Build(arguments) => build::build(&arguments, progress),
        #[cfg(feature = "image")]
        Command::Plan(arguments) => build::plan(&arguments, progress),
        #[cfg(feature = "image")]
        Command::Boot(arguments) => boot::boot(&arguments, progress),
        Command::Env(arguments) => env::run(&arguments),
        Command::Seed(arguments) => seed::run(&arguments),
    }
}
