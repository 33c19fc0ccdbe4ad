//! On-disk structures of VHD: the footer and the header of dynamic disks. Big-endian.

use uuid::Uuid;

use super::geometry::{Geometry, MAX_SECTORS};
use crate::fields::{be16, be32, be64, bytes16, put};
use crate::{Error, Result};

/// First bytes of the footer, and of the copy at the start of a dynamic disk.
pub(crate) const COOKIE: &[u8; 8] = b"conectix";
const DYNAMIC_COOKIE: &[u8; 8] = b"cxsparse";

pub(super) const SECTOR: u64 = 512;
pub(super) const FOOTER_LEN: u64 = 512;
pub(super) const DYNAMIC_HEADER_LEN: u64 = 1024;
/// Entry of the block allocation table for a block that is not stored.
pub(super) const UNUSED: u32 = u32::MAX;
/// Where there is no dynamic header; also the field of that header that Microsoft's own
/// tools want all ones, whatever the specification says.
const NO_OFFSET: u64 = u64::MAX;

/// Features: only the bit that is reserved and always set.
const FEATURES: u32 = 2;
const VERSION: u32 = 0x0001_0000;

/// Blocks of a dynamic disk: a power of two between these. Everybody writes 2 MiB.
const BLOCK_SIZES: std::ops::RangeInclusive<u32> = 4096..=256 << 20;

/// Creators whose disks are as long as their geometry, not as their size field says: Virtual
/// PC, and QEMU in its default mode.
const BY_GEOMETRY: [&[u8; 4]; 2] = [b"vpc ", b"qemu"];

/// Place of the checksum in the footer and in the dynamic header.
const FOOTER_CHECKSUM: usize = 64;
const DYNAMIC_CHECKSUM: usize = 36;

/// The kinds of disk that are read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The disk as it is, then the footer.
    Fixed,
    /// Blocks that are stored as they are needed.
    Dynamic,
}

/// The footer ("Hard Disk Footer Format").
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) kind: Kind,
    /// Offset of the dynamic header.
    pub(super) data_offset: u64,
    /// Seconds since 2000-01-01 00:00 UTC.
    pub(super) timestamp: u32,
    pub(super) creator: [u8; 4],
    pub(super) creator_version: u32,
    pub(super) creator_os: [u8; 4],
    pub(super) current_size: u64,
    pub(super) geometry: Geometry,
    pub(super) id: Uuid,
}

impl Footer {
    /// Parses the footer that lies at byte `at` of the file.
    pub(super) fn parse(bytes: &[u8], at: u64) -> Result<Self> {
        if bytes.len() < FOOTER_LEN as usize || !bytes.starts_with(COOKIE) {
            let problem = "there is no footer here; the file is truncated (fetch it again) or \
                           was not closed properly (repair it where it was made)";
            return Err(bad("Cookie", at, problem.into()));
        }
        check_sum("Checksum", &bytes[..FOOTER_LEN as usize], FOOTER_CHECKSUM, at)?;
        let version = be32(bytes, 12);
        if version >> 16 != VERSION >> 16 {
            let problem = format!("{version:#010x}, expected {VERSION:#010x}");
            return Err(bad("File Format Version", at + 12, problem));
        }
        let footer = Self {
            kind: kind(be32(bytes, 60), at)?,
            data_offset: be64(bytes, 16),
            timestamp: be32(bytes, 24),
            creator: be32(bytes, 28).to_be_bytes(),
            creator_version: be32(bytes, 32),
            creator_os: be32(bytes, 36).to_be_bytes(),
            current_size: be64(bytes, 48),
            geometry: Geometry { cylinders: be16(bytes, 56), heads: bytes[58], sectors: bytes[59] },
            id: Uuid::from_bytes(bytes16(bytes, 68)),
        };
        footer.check_size(at)?;
        Ok(footer)
    }

    fn check_size(&self, at: u64) -> Result<()> {
        if self.current_size > MAX_SIZE || !self.current_size.is_multiple_of(SECTOR) {
            let size = self.current_size;
            let problem = format!("{size}, expected a multiple of 512 up to {MAX_SIZE}");
            return Err(bad("Current Size", at + 48, problem));
        }
        Ok(())
    }

    /// Size of the disk in bytes: by geometry or by the size field, as the creator means it.
    /// A geometry that is full says nothing.
    pub(super) fn disk_size(&self) -> u64 {
        let sectors = self.geometry.total();
        if BY_GEOMETRY.contains(&&self.creator) && sectors < MAX_SECTORS {
            sectors * SECTOR
        } else {
            self.current_size
        }
    }

    /// Whether the copy at the start of a dynamic disk says the same, as far as it matters.
    pub(super) fn agrees_with(&self, copy: &Self) -> bool {
        (self.kind, self.data_offset, self.disk_size())
            == (copy.kind, copy.data_offset, copy.disk_size())
    }

    pub(super) fn encode(&self) -> [u8; FOOTER_LEN as usize] {
        let (kind, data_offset) = match self.kind {
            Kind::Fixed => (2u32, NO_OFFSET),
            Kind::Dynamic => (3, self.data_offset),
        };
        let mut bytes = [0; FOOTER_LEN as usize];
        put(&mut bytes, 0, COOKIE);
        put(&mut bytes, 8, &FEATURES.to_be_bytes());
        put(&mut bytes, 12, &VERSION.to_be_bytes());
        put(&mut bytes, 16, &data_offset.to_be_bytes());
        put(&mut bytes, 24, &self.timestamp.to_be_bytes());
        put(&mut bytes, 28, &self.creator);
        put(&mut bytes, 32, &self.creator_version.to_be_bytes());
        put(&mut bytes, 36, &self.creator_os);
        put(&mut bytes, 40, &self.current_size.to_be_bytes()); // original size
        put(&mut bytes, 48, &self.current_size.to_be_bytes());
        put(&mut bytes, 56, &self.geometry.cylinders.to_be_bytes());
        put(&mut bytes, 58, &[self.geometry.heads, self.geometry.sectors]);
        put(&mut bytes, 60, &kind.to_be_bytes());
        put(&mut bytes, 68, self.id.as_bytes());
        let sum = checksum(&bytes, FOOTER_CHECKSUM);
        put(&mut bytes, FOOTER_CHECKSUM, &sum.to_be_bytes());
        bytes
    }
}

/// Largest disk: 2040 GiB, beyond which sector numbers in the allocation table run out.
pub(super) const MAX_SIZE: u64 = 2040 << 30;

fn kind(disk_type: u32, at: u64) -> Result<Kind> {
    match disk_type {
        2 => Ok(Kind::Fixed),
        3 => Ok(Kind::Dynamic),
        4 => Err(Error::Unsupported {
            format: "vhd",
            feature: "a differencing disk (one with a parent)".into(),
            hint: "merge it into its parent first (Hyper-V: Merge-VHD, Xen: vhd-util coalesce)",
        }),
        other => Err(bad("Disk Type", at + 60, format!("{other}, expected 2, 3 or 4"))),
    }
}

/// The header of a dynamic disk ("Dynamic Disk Header Format").
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DynamicHeader {
    pub(super) table_offset: u64,
    pub(super) entries: u32,
    pub(super) block_size: u32,
}

impl DynamicHeader {
    /// Parses the header that lies at byte `at` of a file of `file_size` bytes, for a disk of
    /// `disk_size` bytes.
    pub(super) fn parse(bytes: &[u8], at: u64, (disk_size, file_size): (u64, u64)) -> Result<Self> {
        if bytes.len() < DYNAMIC_HEADER_LEN as usize || !bytes.starts_with(DYNAMIC_COOKIE) {
            return Err(bad("dynamic header", at, "there is none here".into()));
        }
        let header_bytes = &bytes[..DYNAMIC_HEADER_LEN as usize];
        check_sum("dynamic header checksum", header_bytes, DYNAMIC_CHECKSUM, at)?;
        let header = Self {
            table_offset: be64(bytes, 16),
            entries: be32(bytes, 28),
            block_size: be32(bytes, 32),
        };
        if !header.block_size.is_power_of_two() || !BLOCK_SIZES.contains(&header.block_size) {
            let problem = format!(
                "{}, expected a power of two from {} to {}",
                header.block_size,
                BLOCK_SIZES.start(),
                BLOCK_SIZES.end()
            );
            return Err(bad("Block Size", at + 32, problem));
        }
        let needed = disk_size.div_ceil(u64::from(header.block_size));
        if u64::from(header.entries) < needed {
            let problem = format!(
                "{} entries cannot map a disk of {disk_size} bytes, which needs {needed}",
                header.entries
            );
            return Err(bad("Max Table Entries", at + 28, problem));
        }
        match header.table_offset.checked_add(needed * 4) {
            Some(end) if end <= file_size => Ok(header),
            _ => {
                let field = ("Table Offset", at + 16);
                Err(Error::truncated("vhd", field, header.table_offset, file_size))
            }
        }
    }

    pub(super) fn encode(&self) -> [u8; DYNAMIC_HEADER_LEN as usize] {
        let mut bytes = [0; DYNAMIC_HEADER_LEN as usize];
        put(&mut bytes, 0, DYNAMIC_COOKIE);
        put(&mut bytes, 8, &NO_OFFSET.to_be_bytes());
        put(&mut bytes, 16, &self.table_offset.to_be_bytes());
        put(&mut bytes, 24, &VERSION.to_be_bytes());
        put(&mut bytes, 28, &self.entries.to_be_bytes());
        put(&mut bytes, 32, &self.block_size.to_be_bytes());
        let sum = checksum(&bytes, DYNAMIC_CHECKSUM);
        put(&mut bytes, DYNAMIC_CHECKSUM, &sum.to_be_bytes());
        bytes
    }
}

/// One's complement of the sum of all bytes but those of the checksum itself.
pub(super) fn checksum(bytes: &[u8], checksum_at: usize) -> u32 {
    let is_sum = |at: usize| (checksum_at..checksum_at + 4).contains(&at);
    let others = bytes.iter().enumerate().filter(|&(at, _)| !is_sum(at));
    !others.map(|(_, &byte)| u32::from(byte)).fold(0, u32::wrapping_add)
}

fn check_sum(field: &'static str, bytes: &[u8], checksum_at: usize, at: u64) -> Result<()> {
    let (stored, computed) = (be32(bytes, checksum_at), checksum(bytes, checksum_at));
    if stored == computed {
        return Ok(());
    }
    let problem = format!(
        "{stored:#010x}, but the bytes' is {computed:#010x}; the file is damaged: fetch it again"
    );
    Err(bad(field, at + checksum_at as u64, problem))
}

fn bad(field: &'static str, offset: u64, problem: String) -> Error {
    Error::malformed("vhd", field, offset, problem)
}

#[cfg(test)]
mod tests;
