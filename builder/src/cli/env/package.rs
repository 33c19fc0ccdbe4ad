//! Arguments of `bootwright env package` and `bootwright env recover`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

/// Put an env away: encrypted for its keepers, and on paper.
///
/// The archive DOMAIN.env.DATE_TIME.tar.gz.gpg holds the env, its paper copy and seed media
/// (cidata and config-2); every recipient can open it with gpg. The paper copy is a PDF with
/// the env as QR codes and as a listing, and with instructions for whoever finds it. Nothing
/// but what you ask for is written, and only the PDF is readable without a key.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").args(["recipients", "paper"]).required(true).multiple(true)))]
#[command(after_help = "\
Examples:
  bootwright env package --to alice.asc --to bob.asc --out safe/ env.yml
  bootwright env package --paper env.pdf env.yml")]
pub struct EnvPackage {
    /// File with OpenPGP public keys to encrypt to, armored or not. May be repeated.
    #[arg(long = "to", value_name = "FILE")]
    pub recipients: Vec<PathBuf>,
    /// Write the paper copy here, in the clear.
    #[arg(long, value_name = "FILE")]
    pub paper: Option<PathBuf>,
    /// The folder for the archive.
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub out: PathBuf,
    /// The key of the env that names the site.
    #[arg(long, default_value = "appliance.domain", value_name = "KEY")]
    pub name_key: String,
    /// Replace what is there.
    #[arg(long)]
    pub force: bool,
    /// The env: YAML that starts with `#cloud-config`.
    #[arg(value_name = "ENV")]
    pub env: PathBuf,
}

/// Get an env back from its pages or its archive.
///
/// Pages may be a PDF (ours, or one that a scanner made) and PNG or JPEG pictures, in any
/// order and orientation. What is missing or cannot be read is named. For an archive give
/// the secret key of one of its recipients.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bootwright env recover --out env.yml scan-1.png scan-2.png
  gpg --export-secret-keys alice >alice.key
  bootwright env recover --out env.yml --key alice.key site.env.….tar.gz.gpg")]
pub struct EnvRecover {
    /// Where to write the env; only its owner may read it.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// OpenPGP secret key to an archive.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// File whose first line is the passphrase of that key.
    #[arg(long, requires = "key", value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Replace the output if it is there.
    #[arg(long)]
    pub force: bool,
    /// Pages, or one archive.
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
}
