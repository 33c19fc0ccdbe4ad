//! The command line, as types. No logic.

#[cfg(feature = "image")]
mod base;
#[cfg(feature = "image")]
mod disk_image;
#[cfg(feature = "image")]
mod doctor;
mod env;
#[cfg(feature = "image")]
mod image;
mod seed;

use clap::{Parser, Subcommand};

#[cfg(feature = "image")]
pub use base::{Base, BaseCommand, BaseFetch, BaseLs, BaseProfile, BaseUpdate};
#[cfg(feature = "image")]
pub use disk_image::{
    Cat, Compression, Convert, Diff, Flavour, Hypervisor, Image, ImageCommand, InputFormat,
    Inspect, Ls, Source, Subformat, Verify,
};
#[cfg(feature = "image")]
pub use doctor::Doctor;
pub use env::{
    DnsFormat, Env, EnvCheck, EnvCommand, EnvCreate, EnvDecrypt, EnvDns, EnvEncrypt, EnvExplain,
    EnvFlatten, EnvMerge, EnvPackage, EnvRecover, FlattenFormat, LayerArgs, MergeKind, SchemaArgs,
    VaultArgs,
};
#[cfg(feature = "image")]
pub use image::{Boot, Build, Firmware, Machine, Plan, ProfileArgs};
pub use seed::{
    Container, Content, Format, Kind, Medium, Seed, SeedBatch, SeedCommand, SeedCreate,
    SeedInspect, SeedKeygen, SeedReseed, SeedVerify, Shard,
};

/// Turns a cloud image into an appliance: puts files, users, units and a first-boot agent
/// into it and writes what hypervisors want. Needs no root, no helper VM and no KVM, and
/// gives the same bytes for the same input.
#[derive(Debug, Parser)]
#[command(
    name = "bootwright",
    version,
    max_term_width = 80,
    arg_required_else_help = true,
    after_help = "\
Exit codes: 0 done, 1 other failure, 2 usage, 3 bad input, 4 verification
failed, 5 something is missing on this machine, 6 the guest failed,
130 interrupted.

Data goes to stdout, everything else to stderr. NO_COLOR and SOURCE_DATE_EPOCH
are honoured."
)]
pub struct Cli {
    /// Say less: no progress.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    #[cfg(feature = "image")]
    Build(Build),
    #[cfg(feature = "image")]
    Plan(Plan),
    #[cfg(feature = "image")]
    Boot(Boot),
    #[cfg(feature = "image")]
    Image(Image),
    #[cfg(feature = "image")]
    Base(Base),
    #[cfg(feature = "image")]
    Doctor(Doctor),
    Env(Env),
    Seed(Seed),
}
