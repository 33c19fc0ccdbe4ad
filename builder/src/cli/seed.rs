//! Arguments of the commands around seeds.

mod create;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

pub use create::{Content, Medium, SeedCreate};

/// Make and check seed media, which carry a site's configuration to a machine.
#[derive(Debug, Args)]
pub struct Seed {
    #[command(subcommand)]
    pub command: SeedCommand,
}

/// The commands around seeds.
#[derive(Debug, Subcommand)]
pub enum SeedCommand {
    Create(Box<SeedCreate>),
    Keygen(SeedKeygen),
}

/// Whom a seed medium is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// cloud-init's NoCloud, and the agent.
    Cidata,
    /// OpenStack's config drive, and the agent.
    #[value(name = "config-2")]
    Config2,
}

/// The file system of a medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Container {
    /// ISO 9660 with Rock Ridge and Joliet.
    #[value(alias = "iso9660")]
    Iso,
    /// FAT; its label can only be in upper case.
    Vfat,
}

/// The format of the file that holds a medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The medium's bytes as they are: what a CD drive or a disk shows.
    #[value(alias = "iso")]
    Raw,
    /// A disk for QEMU.
    Qcow2,
    /// A disk for VMware (streamOptimized, to be imported).
    Vmdk,
    /// A disk for Hyper-V.
    Vhdx,
}

/// Make a key for one machine, so that seeds can be encrypted to it.
///
/// Prints the recipient, which may be known to everybody; give it to `seed create
/// --encrypt-to`. The file holds the secret half (mode 0600) and belongs on that machine
/// alone, as /etc/bootwright/seed.key. `age-keygen` makes such keys as well.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bootwright seed keygen site-1.key > site-1.recipient
  bootwright seed create --encrypt-to site-1.recipient env.yml site-1.iso")]
pub struct SeedKeygen {
    /// The key file to write.
    #[arg(value_name = "OUT")]
    pub out: PathBuf,
}
