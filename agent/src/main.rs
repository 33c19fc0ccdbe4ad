//! The agent in the guest: finds the seed, activates its env, says what it did.
//!
//! docs/agent.md describes states, channels and exit codes. The flow of a boot is `boot.rs`:
//! configuration, discovery, choice, activation, report.

mod activate;
mod args;
mod atomic;
mod boot;
mod channel;
mod choose;
mod config;
mod discover;
mod exit;
mod root;
mod status;

use std::io::Write;
use std::process::ExitCode;

use args::Verb;

fn main() -> ExitCode {
    let answer = match args::parse(std::env::args_os().skip(1)) {
        Ok(Verb::Boot { root, config }) => boot::run(&root, &config),
        Ok(Verb::Status { root, json }) => status::run(&root, json),
        Ok(Verb::Tell(text)) => exit::Answer::told(text),
        Err(error) => exit::Answer::usage(&error),
    };
    // Nobody is left to tell if these streams are closed.
    let _ = std::io::stdout().write_all(answer.out.as_bytes());
    let _ = std::io::stderr().write_all(answer.err.as_bytes());
    ExitCode::from(answer.code)
}
