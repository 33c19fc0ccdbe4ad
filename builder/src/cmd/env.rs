//! `bootwright env`.

mod check;
mod common;
mod create;
mod dns;
mod explain;
mod flatten;
mod layers;
mod merge;
mod package;
mod recover;
mod vault;

use anyhow::Result;

use crate::cli::{Env, EnvCommand};

/// Runs a command around envs.
///
/// # Errors
/// Whatever it fails with.
pub fn run(arguments: &Env) -> Result<()> {
    match &arguments.command {
        EnvCommand::Check(arguments) => check::run(arguments),
        EnvCommand::Create(arguments) => create::run(arguments),
        EnvCommand::Merge(arguments) => merge::run(arguments),
        EnvCommand::Explain(arguments) => explain::run(arguments),
        EnvCommand::Encrypt(arguments) => vault::encrypt(arguments),
        EnvCommand::Decrypt(arguments) => vault::decrypt(arguments),
        EnvCommand::Dns(arguments) => dns::run(arguments),
        EnvCommand::Flatten(arguments) => flatten::run(arguments),
        EnvCommand::Package(arguments) => package::run(arguments),
        EnvCommand::Recover(arguments) => recover::run(arguments),
    }
}
