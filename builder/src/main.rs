//! Turns a cloud image into an appliance, for every hypervisor.

#[cfg(feature = "image")]
mod agent;
mod cli;
mod cmd;
mod exit;
#[cfg_attr(not(feature = "image"), allow(dead_code, reason = "seeds use a part of it"))]
mod formats;
mod interrupt;
#[cfg(feature = "image")]
mod pipeline;
#[cfg(feature = "image")]
mod plan;
#[cfg(feature = "image")]
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
