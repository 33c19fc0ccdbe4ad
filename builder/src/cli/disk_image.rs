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
/// What is compressed in the input as the output wants it is taken over as it is. The same
/// disk gives the same bytes, whatever format it comes from: identifiers in the output
/// derive from the disk's content.
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
