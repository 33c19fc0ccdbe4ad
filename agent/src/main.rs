//! The agent in the guest: finds the seed, activates its env, says what it did.
//!
//! docs/agent.md describes states, channels and exit codes. The flow of a boot is `boot.rs`:
//! configuration, discovery, choice, activation, report.

mod activate;
mod apply;
mod args;
mod atomic;
mod binding;
mod boot;
mod channel;
mod config;
mod discover;
mod env;
mod exit;
mod facts;
mod failed;
mod flags;
mod judge;
mod kept;
mod media;
mod outcome;
mod owner;
mod program;
mod recover;
mod release;
mod restored;
mod root;
mod search;
mod services;
mod signature;
mod sources;
mod status;
mod storage;
mod sys;
mod tasks;
mod uevent;
mod watch;

use std::process::ExitCode;

use args::{Common, Verb};

fn main() -> ExitCode {
    let answer = match args::parse(std::env::args_os().skip(1)) {
        Ok((Common { root, config }, verb)) => match verb {
            Verb::Boot(stage) => boot::run(&root, &config, stage),
            Verb::Apply { dry } => apply::run(&root, &config, dry),
            Verb::Watch => watch::run(&root, &config),
            Verb::Status { json } => status::run(&root, json),
            Verb::Env(verb) => env::run(&root, &config, &verb),
            Verb::Facts { json } => facts::run(&root, json),
            Verb::Recover(recovery) => recover::run(&root, &config, recovery),
            Verb::Release => release::run(&root, &config),
            Verb::Failed { unit } => failed::run(&root, &config, &unit),
            Verb::Tell(text) => exit::Answer::told(text),
        },
        Err(error) => exit::Answer::usage(&error),
    };
    exit::say(&answer);
    ExitCode::from(answer.code)
}
