//! Arguments of the commands around envs.

mod dns;
mod flatten;
mod package;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

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
    Create(EnvCreate),
    Merge(EnvMerge),
    Explain(EnvExplain),
    Encrypt(EnvEncrypt),
    Decrypt(EnvDecrypt),
    Dns(EnvDns),
    Flatten(EnvFlatten),
    Package(EnvPackage),
    Recover(EnvRecover),
}

/// Where the schema comes from.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// The profile of the appliance, which names schema, template and defaults.
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// The schema: YAML that says which keys there are. Instead of the profile's.
    #[arg(long, value_name = "FILE")]
    pub schema: Option<PathBuf>,
}

/// Passwords of encrypted values. They are read from files, never from the command line.
#[derive(Debug, Args)]
pub struct VaultArgs {
    /// File with the password of ansible-vault values. May be repeated.
    #[arg(long = "vault-password-file", value_name = "FILE")]
    pub password_files: Vec<PathBuf>,
    /// File with the password of the vault ID. May be repeated.
    #[arg(long = "vault-id", value_name = "ID@FILE")]
    pub ids: Vec<String>,
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
    #[command(flatten)]
    pub schema: SchemaArgs,
    #[command(flatten)]
    pub vault: VaultArgs,
    /// Print the findings as JSON.
    #[arg(long)]
    pub json: bool,
    /// The env: YAML that starts with `#cloud-config`.
    #[arg(value_name = "ENV")]
    pub env: PathBuf,
}

/// Make the env of a site: fill a template in and make its secrets.
///
/// The file is written as a whole or not at all, readable by its owner only, and never over
/// one that is there. `--upgrade` adds the keys that an env lacks, and `--rotate` makes a
/// secret of it anew; both keep everything else, comments too.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bootwright env create --profile ecs.yml site.example.org
  bootwright env create --template t.yml --extra keys.yml site.example.org
  bootwright env create --profile ecs.yml --upgrade site.example.org env.yml
  bootwright env create --profile ecs.yml --rotate appliance.dkim.key \\
      site.example.org env.yml")]
pub struct EnvCreate {
    #[command(flatten)]
    pub schema: SchemaArgs,
    /// The template. Instead of the profile's.
    #[arg(long, value_name = "FILE")]
    pub template: Option<PathBuf>,
    /// YAML whose values go into the env. May be repeated; later ones win.
    #[arg(long = "extra", value_name = "FILE")]
    pub extras: Vec<PathBuf>,
    /// Add what is missing to an env that is there.
    #[arg(long)]
    pub upgrade: bool,
    /// Make the secrets at or below this key anew, in an env that is there. May be repeated.
    #[arg(long = "rotate", value_name = "KEY")]
    pub rotate: Vec<String>,
    #[command(flatten)]
    pub vault: VaultArgs,
    /// The domain of the site.
    #[arg(value_name = "DOMAIN")]
    pub domain: String,
    /// The env to write; DOMAIN/env.yml if not given.
    #[arg(value_name = "TARGET")]
    pub target: Option<PathBuf>,
}

/// The layers of an env.
#[derive(Debug, Args)]
pub struct LayerArgs {
    /// Folder with default.yml (or default/main.yml), NAME.yml (or NAME/main.yml) for each
    /// environment, and hosts/HOST.yml.
    #[arg(long, value_name = "DIR")]
    pub layers: Option<PathBuf>,
    /// The environment, a layer of the folder.
    #[arg(long, value_name = "NAME", requires = "layers")]
    pub environment: Option<String>,
    /// The host, a layer of the folder.
    #[arg(long, value_name = "HOST", requires = "layers")]
    pub host: Option<String>,
    /// A file that is a layer, above those of the folder. May be repeated; later ones win.
    #[arg(long = "layer", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How layers go over each other; the profile's way, or deep, if not given.
    #[arg(long, value_enum, value_name = "HOW")]
    pub merge: Option<MergeKind>,
}

/// Ways to merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MergeKind {
    /// Mappings merge at every level.
    Deep,
    /// Top-level keys replace each other as a whole.
    Shallow,
}

/// Put an env together from layers: default, environment, host.
///
/// Encrypted values stay as they are unless `--decrypt` is given. The result is checked.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bootwright env merge --layers env_vars --environment prod --host mx1 env.yml")]
pub struct EnvMerge {
    #[command(flatten)]
    pub schema: SchemaArgs,
    #[command(flatten)]
    pub layers: LayerArgs,
    #[command(flatten)]
    pub vault: VaultArgs,
    /// Open the encrypted values, which a machine cannot.
    #[arg(long)]
    pub decrypt: bool,
    /// Replace the output if it is there.
    #[arg(long)]
    pub force: bool,
    /// The env to write.
    #[arg(value_name = "OUT")]
    pub out: PathBuf,
}

/// Say where a value comes from: file and line in every layer, and which one counts.
///
/// Secrets are masked.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bootwright env explain --layers env_vars --environment prod db.host")]
pub struct EnvExplain {
    #[command(flatten)]
    pub schema: SchemaArgs,
    #[command(flatten)]
    pub layers: LayerArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// The key, like `appliance.domain` or `extra.files[0].path`.
    #[arg(value_name = "KEY")]
    pub key: String,
}

/// Encrypt values of an env in place, as ansible-vault does it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bootwright env encrypt --vault-id prod@pw env.yml db.password
  bootwright env encrypt --vault-password-file pw --profile ecs.yml --secrets \\
      env.yml")]
pub struct EnvEncrypt {
    #[command(flatten)]
    pub schema: SchemaArgs,
    #[command(flatten)]
    pub vault: VaultArgs,
    /// Encrypt all secrets: those of the schema, and what looks like one.
    #[arg(long)]
    pub secrets: bool,
    /// The env.
    #[arg(value_name = "ENV")]
    pub env: PathBuf,
    /// The keys.
    #[arg(value_name = "KEY", required_unless_present = "secrets")]
    pub keys: Vec<String>,
}

/// Decrypt values of an env that ansible-vault or `env encrypt` encrypted.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bootwright env decrypt --vault-password-file pw --out plain.yml env.yml")]
pub struct EnvDecrypt {
    #[command(flatten)]
    pub vault: VaultArgs,
    /// Write here instead of in place; refused if it is there.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The env.
    #[arg(value_name = "ENV")]
    pub env: PathBuf,
    /// The keys; all encrypted values if none is given.
    #[arg(value_name = "KEY")]
    pub keys: Vec<String>,
}
