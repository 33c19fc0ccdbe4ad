//! Arguments of the commands around images.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// The profile and what it is given.
#[derive(Debug, Args)]
pub struct ProfileArgs {
    /// The profile, a YAML file.
    #[arg(value_name = "PROFILE")]
    pub path: PathBuf,
    /// Set a variable that the profile declares under `vars:`. May be repeated.
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub vars: Vec<String>,
    /// Write only these of the profile's outputs.
    #[arg(long, value_name = "FORMAT", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Install this agent instead of the one inside the tool.
    #[arg(long, value_name = "FILE")]
    pub agent: Option<PathBuf>,
    /// Use no network: the base has to be on this machine already.
    #[arg(long)]
    pub offline: bool,
}

/// Build the images that a profile describes.
///
/// The base image stays as it is; edits live in a layer above it. Outputs appear under
/// their names when they are complete, or not at all: NAME-VERSION.FORMAT, with
/// manifest.json and SHA256SUMS beside them.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bootwright build profiles/base.yml --var domain=example.org --out out")]
pub struct Build {
    #[command(flatten)]
    pub profile: ProfileArgs,
    /// Folder for the outputs [default: out/NAME-VERSION]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replace outputs that are there.
    #[arg(long)]
    pub force: bool,
    /// Threads that read and compress [default: one for each processor]
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Say on stderr where the time went.
    #[arg(long)]
    pub timings: bool,
    /// Print the manifest on stdout.
    #[arg(long)]
    pub json: bool,
}

/// Print every choice a build of a profile would make, as YAML.
///
/// The base is fetched, if it is not on this machine, and its digest taken; nothing but the
/// cache and bootwright.lock is written.
#[derive(Debug, Args)]
pub struct Plan {
    #[command(flatten)]
    pub profile: ProfileArgs,
    /// Print JSON instead of YAML.
    #[arg(long)]
    pub json: bool,
}

/// Boot an image in QEMU and wait for its agent's report.
///
/// The image, of any format that `build` writes as a disk, is not changed. Machines other
/// than kvm have no virtio port for the report; there the agent's line on the serial
/// console counts, so the image needs a kernel that logs to it (console=ttyS0).
///
/// The accelerator is KVM if a small guest proves that it works
/// here, else QEMU's own emulation. The exit code is 0 if the agent reports `active` (or
/// `unconfigured`, where no seed was given), and 6 otherwise.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bootwright boot out/base-1.0.qcow2 --seed site.iso --firmware uefi
  bootwright boot out/base-1.0.vmdk --machine vmware")]
pub struct Boot {
    /// The disk image; its format is told by its first bytes.
    pub image: PathBuf,
    /// Seed medium to attach as a CD.
    #[arg(long, value_name = "FILE")]
    pub seed: Option<PathBuf>,
    /// Firmware of the machine.
    #[arg(long, value_enum, default_value_t = Firmware::Bios)]
    pub firmware: Firmware,
    /// Whose devices the machine has: kvm (virtio), vmware (pvscsi, vmxnet3),
    /// vmware-lsi (LSI Logic, e1000e), hyperv (generation 1: IDE, DEC tulip), xen
    /// (HVM without PV drivers: IDE, rtl8139).
    #[arg(long, value_enum, default_value_t = Machine::Kvm)]
    pub machine: Machine,
    /// Give up after this many seconds without a report.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub timeout: u64,
    /// Memory in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    pub memory: u32,
    /// Processors.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub cpus: u32,
    /// Write the serial console to a file.
    #[arg(long, value_name = "FILE")]
    pub console_log: Option<PathBuf>,
    /// Show the serial console on stderr.
    #[arg(long)]
    pub console: bool,
    /// Print the report as JSON on stdout.
    #[arg(long)]
    pub json: bool,
}

/// Firmware of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Firmware {
    /// A PC BIOS (SeaBIOS).
    Bios,
    /// UEFI (OVMF).
    Uefi,
}

/// Whose devices a machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "the option's help explains them together")]
pub enum Machine {
    Kvm,
    Vmware,
    VmwareLsi,
    #[value(name = "hyperv", alias = "hyper-v")]
    HyperV,
    Xen,
}
