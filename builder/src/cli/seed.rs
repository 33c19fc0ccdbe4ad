//! Arguments of the commands around seeds.

mod batch;
mod create;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

pub use batch::{SeedBatch, Shard};
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
    Batch(Box<SeedBatch>),
    Inspect(SeedInspect),
    Verify(SeedVerify),
    Reseed(SeedReseed),
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
/// alone, as /etc/bootwright/identity. `age-keygen` makes such keys as well.
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

/// Show what is on a seed medium, secrets masked.
///
/// Reads the media of anybody: ours, cloud-localds', genisoimage's; ISO 9660 or FAT; raw or
/// in a disk format. Mounts nothing. What may be a secret is shown as ***, comments not at
/// all.
#[derive(Debug, Args)]
pub struct SeedInspect {
    /// The medium.
    pub medium: PathBuf,
    /// Print JSON, with the digests of the files.
    #[arg(long)]
    pub json: bool,
}

/// Say what the programs that read seeds would do with a medium.
///
/// For each of cloud-init, Ignition, afterburn and our agent: accept, ignore or refuse, and
/// why. The exit code is 4 if one of those given with --for does not take it; by default
/// that is the agent and cloud-init's source of the medium's kind.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bootwright seed verify --for afterburn-proxmoxve site.iso

Consumers: bootwright-agent, cloud-init-nocloud, cloud-init-configdrive,
ignition-cidata, ignition-openstack, afterburn-proxmoxve, afterburn-kubevirt.")]
pub struct SeedVerify {
    /// The medium.
    pub medium: PathBuf,
    /// The programs that have to take it.
    #[arg(long = "for", value_name = "CONSUMER", value_delimiter = ',')]
    pub consumers: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Replace the user-data of a seed medium, in one step.
///
/// Keeps everything else on it: kind, file system, format, host name, keys, network, other
/// files. The instance-id derives anew, so that the machine takes the changed seed. Whoever
/// has the old file open goes on seeing it: attach the medium again.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bootwright seed reseed site.iso env.yml")]
pub struct SeedReseed {
    /// The medium to change.
    pub medium: PathBuf,
    /// The new env.
    pub env: PathBuf,
    /// Use this instance-id instead of one derived from the content.
    #[arg(long, value_name = "ID")]
    pub instance_id: Option<String>,
    /// Encrypt the user-data to this machine: a recipient (age1…) or a file of them. May be
    /// repeated.
    #[arg(long, value_name = "RECIPIENT|FILE")]
    pub encrypt_to: Vec<String>,
}
