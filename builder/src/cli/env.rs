//! Arguments of the commands around envs.

mod dns;
mod flatten;
mod package;

use std::path::PathBuf;

use clap::{Args, Subcommand};

pub use dns::{DnsFormat, EnvDns};
pub use flatten::{EnvFlatten, FlattenFormat};
pub use package::{EnvPackage, EnvRecover};

/// Make and check envs, the files that configure a site.
#[derive(Debug, Args)]
pub struct Env {
    #[command(subcommand)]
    pub command: EnvCommand,
}

/// The commands around envs.
#[derive(Debug, Subcommand)]
pub enum EnvCommand {
    Check(EnvCheck),
    Dns(EnvDns),
    Flatten(EnvFlatten),
    Package(EnvPackage),
    Recover(EnvRecover),
}

/// Check an env: its keys and values, what YAML readers disagree on, placeholders.
///
/// Prints one line a finding, with file, line and column, and ends with 3 if one of them is
/// an error. Values are never shown. Without a schema only that is checked which needs none.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bootwright env check --schema ecs.schema.yml env.yml")]
pub struct EnvCheck {
    /// The schema: YAML that says which keys there are (docs/env.md).
    #[arg(long, value_name = "FILE")]
    pub schema: Option<PathBuf>,
    /// Print the findings as JSON.
    #[arg(long)]
    pub json: bool,
    /// The env: YAML that starts with `#cloud-config`.
    #[arg(value_name = "ENV")]
    pub env: PathBuf,
}
