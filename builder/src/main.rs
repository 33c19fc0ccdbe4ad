//! Turns a cloud image into an appliance, for every hypervisor.

#[cfg(feature = "image")]
mod agent;
#[cfg(feature = "image")]
mod bases;
mod cli;
mod cmd;
#[cfg(feature = "image")]
mod drivers;
#[cfg(feature = "image")]
mod editor;
mod exit;
#[cfg_attr(not(feature = "image"), allow(dead_code, reason = "seeds use a part of it"))]
mod formats;
#[cfg(feature = "image")]
mod image;
mod interrupt;
#[cfg(feature = "image")]
mod pipeline;
#[cfg(feature = "image")]
mod plan;
mod profile;
#[cfg_attr(not(feature = "image"), allow(dead_code, reason = "seeds use a part of it"))]
mod progress;
mod report;
#[cfg(feature = "image")]
mod scratch;
#[cfg_attr(not(feature = "image"), allow(dead_code, reason = "seeds use a part of it"))]
mod timings;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = cli::Cli::parse();
    interrupt::install();
    exit::code(cmd::run(arguments))
}
