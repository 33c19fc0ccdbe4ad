//! Arguments of the commands that look into images and convert them.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Look into disk images, compare and convert them, without root.
///
/// Reads raw, qcow2, vmdk, vhdx and vhd, also compressed with zstd, gzip or xz, and the
/// disk in an OVA or XVA. The format is told by the first bytes, never by the name. Images
/// are not changed.
#[derive(Debug, Args)]
pub struct Image {
    #[command(subcommand)]
    pub command: ImageCommand,
}

/// The commands around images.
#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    Convert(Convert),
    Inspect(Inspect),
    Ls(Ls),
    Cat(Cat),
    Verify(Verify),
    Diff(Diff),
}

/// The image that a command reads.
#[derive(Debug, Args)]
pub struct Source {
    /// The image; `-` for stdin.
    pub image: PathBuf,
    /// Its format [default: told by its first bytes]
    #[arg(short = 'f', long, value_enum, value_name = "FORMAT")]
    pub input_format: Option<InputFormat>,
}

/// Formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InputFormat {
    Raw,
    Qcow2,
    Vmdk,
    Vhdx,
    #[value(alias = "vpc")]
    Vhd,
}

/// Convert an image to another format.
///
/// What is compressed in the input as the output wants it is taken over as it is.
/// Identifiers in the output, such as a VHDX's GUIDs,
/// derive from the disk's content alone.
#[derive(Debug, Args)]
#[command(after_help = "\
The format is that of OUT's ending: .raw .img .qcow2 .vmdk .vhdx .vhd, and
.zst .gz .xz for a compressed raw image; --format overrides it.

  raw    --compression none (default), zstd, gzip, xz
  qcow2  --compression zlib (default), zstd, none
  vmdk   --subformat streamOptimized (default, for vSphere),
         monolithicSparse (Workstation, VirtualBox)
  vhdx   dynamic
  vhd    --subformat dynamic (default), fixed (Azure);
         --flavour hyper-v (default), xenserver

To stdout go raw, compressed raw, streamOptimized and fixed.

Examples:
  bootwright image convert base.qcow2 base.vmdk
  bootwright image convert -O raw base.vhdx - | ssh host 'cat > /dev/vdb'
  xz -dc disk.img.xz | bootwright image convert - disk.qcow2")]
pub struct Convert {
    #[command(flatten)]
    pub source: Source,
    /// The image to write; `-` for stdout.
    #[arg(value_name = "OUT")]
    pub out: PathBuf,
    /// Format to write [default: told by the ending of OUT]
    #[arg(short = 'O', long, value_enum, value_name = "FORMAT")]
    pub format: Option<InputFormat>,
    /// Kind of VMDK or VHD.
    #[arg(long, value_enum, value_name = "KIND")]
    pub subformat: Option<Subformat>,
    /// Whose VHD it is to be.
    #[arg(long, value_enum, value_name = "WHOSE")]
    pub flavour: Option<Flavour>,
    /// How data is compressed.
    #[arg(long, value_enum, value_name = "METHOD")]
    pub compression: Option<Compression>,
    /// Level of compression: 1 to 9, for zstd 1 to 19.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=19))]
    pub level: Option<u32>,
    /// Replace OUT if it is there.
    #[arg(long)]
    pub force: bool,
    /// Threads that read and compress [default: one for each processor]
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
}

/// Kinds of VMDK and VHD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Subformat {
    #[value(name = "streamOptimized")]
    StreamOptimized,
    #[value(name = "monolithicSparse")]
    MonolithicSparse,
    Dynamic,
    Fixed,
}

/// Flavours of VHD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Flavour {
    #[value(name = "hyper-v")]
    HyperV,
    Xenserver,
}

/// Methods of compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Compression {
    None,
    Zlib,
    Zstd,
    Gzip,
    Xz,
}

/// Say what an image is and what is in it.
///
/// Container, partitions, file systems, and the system in it: release, kernels, packages,
/// the agent and the profile that made it.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bootwright image inspect jammy-server-cloudimg-amd64.img")]
pub struct Inspect {
    #[command(flatten)]
    pub source: Source,
    /// Say whether the kernel and its initramfs have the drivers of each hypervisor.
    #[arg(long)]
    pub drivers: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// List files of an image.
///
/// Paths are those of the guest: /boot and /boot/efi are where the image's own fstab mounts
/// them.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bootwright image ls -l base.qcow2 /boot")]
pub struct Ls {
    #[command(flatten)]
    pub source: Source,
    /// A path in the image.
    #[arg(default_value = "/")]
    pub path: PathBuf,
    /// Show kind, mode, links, owner, size and time.
    #[arg(short, long)]
    pub long: bool,
    /// List everything below the path, by whole paths.
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Print a file of an image.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bootwright image cat base.qcow2 /etc/os-release")]
pub struct Cat {
    #[command(flatten)]
    pub source: Source,
    /// A path in the image, as the guest sees it.
    pub path: PathBuf,
}

/// Check an image, or the digests of a folder of images.
///
/// Of an image: the container's structures (refcounts, copies, overlaps), every stored
/// byte, the partition table with its backup, and the super blocks of file systems. Of a
/// folder: the digests in its manifest.json and SHA256SUMS, and every image in them. Each
/// finding names place, expected and found; the exit code is 4 if there are any.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bootwright image verify base.qcow2
  bootwright image verify --drivers vmware,hyperv base.qcow2
  bootwright image verify out/base-1.0")]
pub struct Verify {
    #[command(flatten)]
    pub source: Source,
    /// Check for the drivers of these hypervisors, too.
    #[arg(long, value_enum, value_name = "HYPERVISOR", value_delimiter = ',')]
    pub drivers: Vec<Hypervisor>,
    /// Print the findings as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Hypervisors whose drivers are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Hypervisor {
    Kvm,
    Vmware,
    Hyperv,
    Xen,
}

/// Compare two images, of any formats.
///
/// On three levels: the disk's bytes, the partitions, and the files (content, mode, owner,
/// extended attributes, targets of symlinks; not their times). Like diff, it exits with 0
/// if nothing differs, with 1 if something does, and with more if they cannot be compared.
/// All levels, unless some are given.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bootwright image diff base.qcow2 out/base-1.0.vmdk --files
  bootwright image diff --disk a.vhdx a.raw && echo same")]
pub struct Diff {
    /// The first image.
    pub a: PathBuf,
    /// The second image.
    pub b: PathBuf,
    /// Compare the disks.
    #[arg(long)]
    pub disk: bool,
    /// Compare the partitions.
    #[arg(long)]
    pub partitions: bool,
    /// Compare the files.
    #[arg(long)]
    pub files: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
