//! Arguments of the commands around base images.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Fetch, verify and pin base images.
///
/// Names such as `ubuntu:noble` are looked up at the mirrors in the catalog's configuration
/// ($XDG_CONFIG_HOME/bootwright/catalog.yml, or the file that BOOTWRIGHT_CATALOG names), and
/// from then on stand in bootwright.lock beside the profile.
#[derive(Debug, Args)]
pub struct Base {
    #[command(subcommand)]
    pub command: BaseCommand,
}

/// The commands around base images.
#[derive(Debug, Subcommand)]
pub enum BaseCommand {
    Ls(BaseLs),
    Fetch(BaseFetch),
    Verify(BaseVerify),
    Update(BaseUpdate),
}

/// List the images in the cache.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bootwright base ls")]
pub struct BaseLs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Fetch the base of a profile into the cache, proven, and print its path.
///
/// A build does the same; this is for doing it ahead, for builds with --offline.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bootwright base fetch profiles/base.yml")]
pub struct BaseFetch {
    #[command(flatten)]
    pub profile: BaseProfile,
    /// Use no network: what is not on this machine is an error.
    #[arg(long)]
    pub offline: bool,
}

/// Check every image in the cache again; damaged ones are removed.
///
/// The exit code is 4 if there was a damaged one.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bootwright base verify")]
pub struct BaseVerify {}

/// Pin what the catalog publishes now as the base of a profile.
///
/// Writes bootwright.lock and prints what changed. The image is fetched by the next build,
/// or by `base fetch`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bootwright base update profiles/base.yml")]
pub struct BaseUpdate {
    #[command(flatten)]
    pub profile: BaseProfile,
}

/// The profile whose base is meant.
#[derive(Debug, Args)]
pub struct BaseProfile {
    /// The profile, a YAML file.
    #[arg(value_name = "PROFILE")]
    pub path: PathBuf,
    /// Set a variable that the profile declares under `vars:`. May be repeated.
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub vars: Vec<String>,
}
