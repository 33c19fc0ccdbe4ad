//! From the choice of a disk format to the writer that makes it: the one place that knows
//! what each format has to be told, for builds and conversions alike.

use bootwright_disk::unit::Writer;
use bootwright_disk::{Result, qcow2, raw, vhd, vhdx, vmdk};
use bootwright_export::compressed::{self, Codec};
use uuid::Uuid;

/// A disk format with everything that is chosen for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFormat {
    /// The disk's bytes as they are, holes as holes of the file.
    Raw,
    /// The same as a compressed stream.
    RawCompressed(Codec),
    /// A qcow2 image.
    Qcow2(qcow2::Compression),
    /// A VMDK of one file.
    Vmdk(Vmdk),
    /// A dynamic VHDX.
    Vhdx(vhdx::Sectors),
    /// A VHD in the flavour of its hypervisor.
    Vhd {
        /// Whose it is to be.
        flavour: vhd::Flavour,
        /// Whether every byte is stored.
        fixed: bool,
    },
}

/// The kinds of VMDK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vmdk {
    /// What vSphere and everybody else imports; deflated at this level.
    StreamOptimized(u32),
    /// What Workstation and VirtualBox run as it is.
    MonolithicSparse,
}

/// The disk that is written, and what is said about it.
#[derive(Debug, Clone)]
pub struct Disk {
    /// Bytes of the disk.
    pub size: u64,
    /// Name of the file, which a VMDK says of itself.
    pub name: String,
    /// From this every identifier in the file derives.
    pub id: Uuid,
    /// Time of making, in seconds since 1970.
    pub time: i64,
    /// Threads for compression that is not the pass's own.
    pub jobs: usize,
}

impl DiskFormat {
    /// The usual ending of the format's file names.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::RawCompressed(Codec::Zstd(_)) => "raw.zst",
            Self::RawCompressed(Codec::Gzip(_)) => "raw.gz",
            Self::RawCompressed(Codec::Xz(_)) => "raw.xz",
            Self::Qcow2(_) => "qcow2",
            Self::Vmdk(_) => "vmdk",
            Self::Vhdx(_) => "vhdx",
            Self::Vhd { .. } => "vhd",
        }
    }

    /// Whether bytes that were written are patched later. Then the sink has to know
    /// ([`bootwright_export::sink::SinkOptions::patched`]), and the format cannot be written
    /// to a pipe.
    pub fn is_patched(self) -> bool {
        match self {
            Self::Raw
            | Self::RawCompressed(_)
            | Self::Vmdk(Vmdk::StreamOptimized(_))
            | Self::Vhd { fixed: true, .. } => false,
            Self::Qcow2(_)
            | Self::Vmdk(Vmdk::MonolithicSparse)
            | Self::Vhdx(_)
            | Self::Vhd { fixed: false, .. } => true,
        }
    }

    /// Whether its files hold identifiers, which derive from [`Disk::id`].
    pub fn has_ids(self) -> bool {
        matches!(self, Self::Vmdk(_) | Self::Vhdx(_) | Self::Vhd { .. })
    }

    /// Whether data is compressed, at some level.
    pub fn is_compressed(self) -> bool {
        match self {
            Self::RawCompressed(_) | Self::Vmdk(Vmdk::StreamOptimized(_)) => true,
            Self::Qcow2(compression) => compression != qcow2::Compression::None,
            Self::Raw | Self::Vmdk(Vmdk::MonolithicSparse) | Self::Vhdx(_) | Self::Vhd { .. } => {
                false
            }
        }
    }

    /// The writer of the format.
    ///
    /// # Errors
    /// A disk or a name that the format cannot hold.
    pub fn writer(self, disk: &Disk) -> Result<Box<dyn Writer>> {
        Ok(match self {
            Self::Raw => Box::new(raw::Writer),
            Self::RawCompressed(codec) => Box::new(compressed::Writer::new(codec, disk.jobs)),
            Self::Qcow2(compression) => Box::new(qcow2::Writer::new(disk.size, compression)),
            Self::Vmdk(kind) => {
                let options = vmdk::Options::new(disk.name.clone(), disk.derived("vmdk"));
                match kind {
                    Vmdk::StreamOptimized(level) => {
                        Box::new(vmdk::StreamWriter::new(disk.size, level, &options)?)
                    }
                    Vmdk::MonolithicSparse => {
                        Box::new(vmdk::SparseWriter::new(disk.size, &options)?)
                    }
                }
            }
            Self::Vhdx(sectors) => {
                let options = vhdx::Options { sectors, ..vhdx::Options::new(disk.derived("vhdx")) };
                Box::new(vhdx::Writer::new(disk.size, options)?)
            }
            Self::Vhd { flavour, fixed } => {
                let options = vhd::Options { flavour, id: disk.derived("vhd"), time: disk.time };
                match fixed {
                    true => Box::new(vhd::FixedWriter::new(disk.size, &options)?),
                    false => Box::new(vhd::DynamicWriter::new(disk.size, &options)?),
                }
            }
        })
    }
}

impl Disk {
    /// An id for a purpose (UUIDv5, RFC 9562).
    fn derived(&self, purpose: &str) -> Uuid {
        Uuid::new_v5(&self.id, purpose.as_bytes())
    }
}
