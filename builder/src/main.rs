//! Turns a cloud image into an appliance, for every hypervisor.

#[cfg(feature = "image")]
mod agent;
mod cli;
mod cmd;
mod exit;
#[cfg(feature = "image")]
mod formats;
mod interrupt;
#[cfg(feature = "image")]
mod pipeline;
#[cfg(feature = "image")]
mod plan;
mod profile;
mod progress;
mod report;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = cli::Cli::parse();
    interrupt::install();
    exit::code(cmd::run(arguments))
}
