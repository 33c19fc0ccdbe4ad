//! Arguments of `seed create`.

use std::path::PathBuf;

use clap::Args;

use super::{Container, Format, Kind};

/// Make a seed medium.
///
/// By default it is an ISO image labelled `cidata`, readable by cloud-init's NoCloud and by
/// the agent of an image. It holds the env as user-data, byte for byte, and meta-data with
/// an instance-id that derives from everything on it: a changed seed takes effect, the same
/// one made again does not. Two runs give the same bytes, and only the owner may read the
/// file.
///
/// Without an ENV, --key makes user-data that lets these keys in, and --vagrant that of
/// Vagrant's insecure test machines.
#[derive(Debug, Args)]
#[command(
    allow_missing_positional = true,
    after_help = "\
Examples:
  bootwright seed create --key ~/.ssh/id_ed25519.pub env.yml site.iso
  bootwright seed create --key admin.pub --grow-root access.iso
  bootwright seed create --static 52:54:00:12:34:56,192.0.2.10/24,gateway=192.0.2.1 \\
      env.yml site.iso
  bootwright seed create --kind config-2 env.yml site.qcow2"
)]
pub struct SeedCreate {
    #[command(flatten)]
    pub content: Content,
    #[command(flatten)]
    pub medium: Medium,
    /// Replace the output if it is there.
    #[arg(long)]
    pub force: bool,
    /// The env: YAML that starts with `#cloud-config`.
    #[arg(value_name = "ENV", conflicts_with_all = ["custom", "vagrant", "vagrant_password", "all_vagrant"])]
    pub env: Option<PathBuf>,
    /// The medium to write; with --all-vagrant the folder for four of them.
    #[arg(value_name = "OUT")]
    pub out: PathBuf,
}

/// What goes onto the medium.
#[derive(Debug, Args)]
pub struct Content {
    /// File with OpenSSH public keys: for the image's default user, and without an ENV for
    /// root as well. May be repeated.
    #[arg(long = "key", value_name = "FILE")]
    pub keys: Vec<PathBuf>,
    /// The env, as ENV; kept for those who know the option.
    #[arg(long, value_name = "FILE")]
    pub custom: Option<PathBuf>,
    /// A user `vagrant` with the key that everybody knows. For tests only.
    #[arg(long, conflicts_with_all = ["keys", "custom", "vagrant_password", "all_vagrant"])]
    pub vagrant: bool,
    /// As --vagrant, with the password that everybody knows as well.
    #[arg(long, conflicts_with_all = ["keys", "custom", "all_vagrant"])]
    pub vagrant_password: bool,
    /// Write the four usual media for tests, with key or password, growing or not.
    #[arg(long, conflicts_with_all = ["keys", "custom", "grow_root"])]
    pub all_vagrant: bool,
    /// Grow the root partition and its file system at the first boot.
    #[arg(long, alias = "growroot")]
    pub grow_root: bool,
    /// YAML to add to the user-data: mappings merge, lists grow, `~` removes. May be
    /// repeated.
    #[arg(long, value_name = "FILE")]
    pub add_user_data: Vec<PathBuf>,
    /// YAML to add to the meta-data, in the same way. May be repeated.
    #[arg(long, value_name = "FILE")]
    pub add_meta_data: Vec<PathBuf>,
    /// Network configuration, version 2.
    #[arg(short = 'N', long, value_name = "FILE")]
    pub network_config: Option<PathBuf>,
    /// A static address for the interface with this MAC address. May be repeated.
    #[arg(
        long = "static",
        value_name = "MAC,ADDRESS/LEN[,gateway=IP][,dns=IP][,search=DOMAIN]",
        conflicts_with = "network_config"
    )]
    pub addresses: Vec<String>,
    /// Vendor-data, which cloud-init merges below the user-data.
    #[arg(short = 'V', long, value_name = "FILE")]
    pub vendor_data: Option<PathBuf>,
    /// Use this instance-id instead of one derived from the content.
    #[arg(long, value_name = "ID")]
    pub instance_id: Option<String>,
    /// Host name of the machine.
    #[arg(short = 'H', long, value_name = "NAME")]
    pub hostname: Option<String>,
    /// Encrypt the user-data to this machine: a recipient (age1…) or a file of them. May be
    /// repeated.
    #[arg(long, value_name = "RECIPIENT|FILE")]
    pub encrypt_to: Vec<String>,
}

/// What the medium is.
#[derive(Debug, Clone, Copy, Args)]
pub struct Medium {
    /// Whom it is for.
    #[arg(long, value_enum, default_value_t = Kind::Cidata)]
    pub kind: Kind,
    /// Its file system.
    #[arg(short = 'f', long, visible_alias = "filesystem", value_enum, default_value_t = Container::Iso)]
    pub container: Container,
    /// Format of the file [default: what its name ends in, else raw]
    #[arg(short = 'd', long, visible_alias = "disk-format", value_enum)]
    pub format: Option<Format>,
}
