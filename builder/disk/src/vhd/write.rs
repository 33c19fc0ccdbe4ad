//! Writes VHD images in the flavours of their hypervisors.

mod dynamic;
mod fixed;

use uuid::Uuid;

use super::geometry::Geometry;
use super::layout::{Footer, Kind, MAX_SIZE, SECTOR};
use crate::{Error, Result};

pub use dynamic::DynamicWriter;
pub use fixed::FixedWriter;

/// Bytes of a block of a dynamic disk; Microsoft's parser takes no other size.
const BLOCK: u64 = 2 << 20;
/// 2000-01-01 00:00 UTC, where VHD's clock starts.
const EPOCH: i64 = 946_684_800;

/// Whose VHD it is to be. The specification leaves open which of two size fields counts and
/// what may be added, and the hypervisors answer differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// Hyper-V (generation 1), and Azure when it is fixed: creator `win `, sizes are whole
    /// MiB, which Azure insists on.
    HyperV,
    /// XenServer and XCP-ng: what their own vhd-util makes, creator `tap`, version 1.3, and
    /// (dynamic) the batmap that goes with it. Sizes are whole blocks of 2 MiB. Disks of
    /// other creators cannot be resized there.
    XenServer,
}

impl Flavour {
    /// Its name in profiles.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HyperV => "hyper-v",
            Self::XenServer => "xenserver",
        }
    }

    /// Bytes that the disk has in this flavour when `size` are wanted: the next multiple of
    /// 1 MiB for Hyper-V and Azure, of 2 MiB for XenServer. What is added reads as zeros.
    #[must_use]
    pub fn disk_size(self, size: u64) -> u64 {
        match self {
            Self::HyperV => size.next_multiple_of(1 << 20),
            Self::XenServer => size.next_multiple_of(BLOCK),
        }
    }

    /// Creator application, its version, and its host system.
    fn creator(self) -> ([u8; 4], u32, [u8; 4]) {
        match self {
            Self::HyperV => (*b"win ", 0x000a_0000, *b"Wi2k"),
            Self::XenServer => (*b"tap\0", 0x0001_0003, [0; 4]),
        }
    }
}

/// What a VHD says about itself besides the disk's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Who is to read it.
    pub flavour: Flavour,
    /// Identifier of the disk. Derive it from the plan, so that equal plans give equal files.
    pub id: Uuid,
    /// Creation time in seconds since 1970-01-01 UTC; times before 2000 become 2000.
    pub time: i64,
}

impl Options {
    /// The footer of a disk that is to hold `size` bytes.
    fn footer(&self, size: u64, kind: Kind) -> Result<Footer> {
        if size > MAX_SIZE {
            return Err(Error::Unsupported {
                format: "vhd",
                feature: format!("a disk of {size} bytes (more than 2040 GiB)"),
                hint: "use vhdx, or make the disk smaller",
            });
        }
        let current_size = self.flavour.disk_size(size.max(1));
        let (creator, creator_version, creator_os) = self.flavour.creator();
        let seconds = self.time.saturating_sub(EPOCH).clamp(0, i64::from(u32::MAX));
        Ok(Footer {
            kind,
            data_offset: super::layout::FOOTER_LEN,
            timestamp: seconds as u32,
            creator,
            creator_version,
            creator_os,
            current_size,
            geometry: Geometry::of(current_size / SECTOR),
            id: self.id,
        })
    }
}
