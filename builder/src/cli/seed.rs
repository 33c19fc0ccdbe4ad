//! Arguments of the commands around seeds.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Make seed media, which carry a site's configuration to a machine.
#[derive(Debug, Args)]
pub struct Seed {
    #[command(subcommand)]
    pub command: SeedCommand,
}

/// The commands around seeds.
#[derive(Debug, Subcommand)]
pub enum SeedCommand {
    Create(SeedCreate),
}

/// Make a seed medium from an env.
///
/// The medium is an ISO image labelled `cidata`, readable by cloud-init's NoCloud and by
/// the agent of an image. It holds the env as user-data and meta-data with an instance-id
/// that derives from all of it: a changed seed takes effect, the same one made again does
/// not. Only its owner may read the file.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bootwright seed create --key ~/.ssh/id_ed25519.pub env.yml site.iso")]
pub struct SeedCreate {
    /// File with OpenSSH public keys for the image's default user. May be repeated.
    #[arg(long = "key", value_name = "FILE")]
    pub keys: Vec<PathBuf>,
    /// Host name of the machine.
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<String>,
    /// Use this instance-id instead of one derived from the content.
    #[arg(long, value_name = "ID")]
    pub instance_id: Option<String>,
    /// Replace the output if it is there.
    #[arg(long)]
    pub force: bool,
    /// The env: YAML that starts with `#cloud-config`.
    #[arg(value_name = "ENV")]
    pub env: PathBuf,
    /// The medium to write.
    #[arg(value_name = "OUT")]
    pub out: PathBuf,
}
