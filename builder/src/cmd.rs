//! The commands: from arguments to library calls.

#[cfg(feature = "image")]
mod base;
#[cfg(feature = "image")]
mod boot;
#[cfg(feature = "image")]
mod build;
#[cfg(feature = "image")]
mod doctor;
mod env;
#[cfg(feature = "image")]
mod image;
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
        #[cfg(feature = "image")]
        Command::Image(arguments) => image::run(&arguments, progress),
        #[cfg(feature = "image")]
        Command::Base(arguments) => base::run(&arguments, progress),
        #[cfg(feature = "image")]
        Command::Doctor(arguments) => doctor::run(&arguments, progress),
        Command::Env(arguments) => env::run(&arguments),
        Command::Seed(arguments) => seed::run(&arguments, progress),
    }
}

/// How many threads work when nobody says.
fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
