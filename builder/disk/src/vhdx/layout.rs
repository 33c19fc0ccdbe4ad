//! On-disk structures of VHDX: headers, region tables and block allocation entries (numbers
//! are those of sections of MS-VHDX 6.0).
//! Little-endian, GUIDs in Microsoft's mixed order, checksums CRC-32C.

use uuid::{Uuid, uuid};

use crate::fields::{bytes16, le16, le32, le64, put};
use crate::{Error, Result};

/// First bytes of the file.
pub(crate) const SIGNATURE: &[u8; 8] = b"vhdxfile";

pub(super) const MIB: u64 = 1 << 20;
/// Places of the two headers and the two region tables.
pub(super) const HEADERS: [u64; 2] = [64 << 10, 128 << 10];
pub(super) const REGION_TABLES: [u64; 2] = [192 << 10, 256 << 10];
pub(super) const HEADER_LEN: usize = 4096;
pub(super) const REGION_TABLE_LEN: usize = 64 << 10;
/// Longest string that fits behind the signature, in UTF-16 units.
const MAX_CREATOR: usize = 256;

/// More regions, and more metadata items, than fit into their tables.
pub(super) const MAX_ENTRIES: usize = 2047;
/// Largest disk.
pub(super) const MAX_SIZE: u64 = 64 << 40;
/// Sectors of the disk that one sector bitmap block describes.
const CHUNK_SECTORS: u64 = 1 << 23;

const BAT_REGION: Uuid = uuid!("2dc27766-f623-4200-9d64-115e9bfd4a08");
const METADATA_REGION: Uuid = uuid!("8b7ca206-4790-4b9a-b8fe-575f050f886e");

/// The file's first bytes: who made it (2.2.1).
pub(super) fn file_identifier(creator: &str) -> Vec<u8> {
    let units = creator.encode_utf16().take(MAX_CREATOR - 1);
    SIGNATURE.iter().copied().chain(units.flat_map(u16::to_le_bytes)).collect()
}

/// A header (2.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) sequence: u64,
    pub(super) file_write: Uuid,
    pub(super) data_write: Uuid,
    /// Nil if there is nothing to replay.
    pub(super) log: Uuid,
    pub(super) log_offset: u64,
    pub(super) log_len: u32,
}

impl Header {
    /// Parses both headers and gives the one in force: the one with the higher sequence
    /// number, or the only one that is whole.
    pub(super) fn current(first: &[u8], second: &[u8], file_size: u64) -> Result<Self> {
        let [first, second] = [(first, HEADERS[0]), (second, HEADERS[1])]
            .map(|(b, at)| Self::parse(b, at, file_size));
        match (first, second) {
            (Ok(a), Ok(b)) if a.sequence == b.sequence && a != b => {
                let problem = "both headers claim to be the newest; the file is damaged";
                Err(bad("SequenceNumber", HEADERS[0] + 8, problem.into()))
            }
            (Ok(a), Ok(b)) => Ok(if a.sequence >= b.sequence { a } else { b }),
            (Ok(header), Err(_)) | (Err(_), Ok(header)) => Ok(header),
            (Err(error), Err(_)) => Err(error),
        }
    }

    pub(super) fn parse(bytes: &[u8], at: u64, file_size: u64) -> Result<Self> {
        if bytes.len() < HEADER_LEN || !bytes.starts_with(b"head") {
            return Err(bad("header", at, "there is none here".into()));
        }
        check_sum("header checksum", &bytes[..HEADER_LEN], at)?;
        let header = Self {
            sequence: le64(bytes, 8),
            file_write: guid(bytes, 16),
            data_write: guid(bytes, 32),
            log: guid(bytes, 48),
            log_offset: le64(bytes, 72),
            log_len: le32(bytes, 68),
        };
        if le16(bytes, 66) != 1 {
            return Err(bad("Version", at + 66, format!("{}, expected 1", le16(bytes, 66))));
        }
        if !header.log.is_nil() && le16(bytes, 64) != 0 {
            let problem = format!("{}, expected 0", le16(bytes, 64));
            return Err(bad("LogVersion", at + 64, problem));
        }
        check_region("LogOffset", at + 72, (header.log_offset, header.log_len), file_size)?;
        Ok(header)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_LEN];
        put(&mut bytes, 0, b"head");
        put(&mut bytes, 8, &self.sequence.to_le_bytes());
        put(&mut bytes, 16, &self.file_write.to_bytes_le());
        put(&mut bytes, 32, &self.data_write.to_bytes_le());
        put(&mut bytes, 48, &self.log.to_bytes_le());
        put(&mut bytes, 66, &1u16.to_le_bytes());
        put(&mut bytes, 68, &self.log_len.to_le_bytes());
        put(&mut bytes, 72, &self.log_offset.to_le_bytes());
        seal(bytes)
    }
}

/// A range of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Region {
    pub(super) offset: u64,
    pub(super) len: u32,
}

/// Where block allocation table and metadata are: what the region table says (2.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Regions {
    pub(super) bat: Region,
    pub(super) metadata: Region,
}

impl Regions {
    /// Parses both region tables, which say the same; one of them may be torn.
    pub(super) fn read(first: &[u8], second: &[u8], file_size: u64) -> Result<Self> {
        Self::parse(first, REGION_TABLES[0], file_size)
            .or_else(|error| Self::parse(second, REGION_TABLES[1], file_size).map_err(|_| error))
    }

    pub(super) fn parse(bytes: &[u8], at: u64, file_size: u64) -> Result<Self> {
        if bytes.len() < REGION_TABLE_LEN || !bytes.starts_with(b"regi") {
            return Err(bad("region table", at, "there is none here".into()));
        }
        check_sum("region table checksum", &bytes[..REGION_TABLE_LEN], at)?;
        let entries = le32(bytes, 8) as usize;
        if entries > MAX_ENTRIES {
            return Err(bad("EntryCount", at + 8, format!("{entries}, expected up to 2047")));
        }
        let (mut bat, mut metadata) = (None, None);
        for (index, entry) in bytes[16..].chunks_exact(32).take(entries).enumerate() {
            let entry_at = at + 16 + index as u64 * 32;
            let kind = guid(entry, 0);
            let slot = match kind {
                BAT_REGION => &mut bat,
                METADATA_REGION => &mut metadata,
                _ if le32(entry, 28) & 1 == 0 => continue,
                _ => return Err(unsupported(format!("the required region {kind}"))),
            };
            let region = Region { offset: le64(entry, 16), len: le32(entry, 24) };
            let place = (region.offset, region.len);
            check_region("region's FileOffset", entry_at + 16, place, file_size)?;
            if slot.replace(region).is_some() {
                return Err(bad("region table", entry_at, format!("region {kind} is there twice")));
            }
        }
        match (bat, metadata) {
            (Some(bat), Some(metadata)) => Ok(Self { bat, metadata }),
            (None, _) => Err(bad("region table", at, "no block allocation table".into())),
            (_, None) => Err(bad("region table", at, "no metadata region".into())),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; REGION_TABLE_LEN];
        put(&mut bytes, 0, b"regi");
        put(&mut bytes, 8, &2u32.to_le_bytes());
        let regions = [(BAT_REGION, self.bat), (METADATA_REGION, self.metadata)];
        for (entry, (kind, region)) in bytes[16..].chunks_exact_mut(32).zip(regions) {
            put(entry, 0, &kind.to_bytes_le());
            put(entry, 16, &region.offset.to_le_bytes());
            put(entry, 24, &region.len.to_le_bytes());
            put(entry, 28, &1u32.to_le_bytes()); // required
        }
        seal(bytes)
    }
}

/// The disk's measures, from which everything else follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) size: u64,
    pub(super) block_size: u64,
    pub(super) logical_sector: u32,
    pub(super) physical_sector: u32,
}

impl Geometry {
    /// Blocks of a chunk, after whose entries the table has one for a sector bitmap.
    fn chunk_ratio(&self) -> u64 {
        CHUNK_SECTORS * u64::from(self.logical_sector) / self.block_size
    }

    pub(super) fn blocks(&self) -> u64 {
        self.size.div_ceil(self.block_size)
    }

    /// Index of a block's entry in the block allocation table.
    pub(super) fn entry_index(&self, block: u64) -> u64 {
        block + block / self.chunk_ratio()
    }

    /// Bytes of the block allocation table, up to the entry of the last block.
    pub(super) fn table_len(&self) -> u64 {
        self.blocks().checked_sub(1).map_or(0, |last| (self.entry_index(last) + 1) * 8)
    }
}

/// What the block allocation table says about a block (2.5.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    /// Not stored; what it holds is up to the reader: zeros.
    Absent,
    /// Defined to be zeros.
    Zero,
    /// Stored at this offset of the file.
    At(u64),
}

impl Block {
    /// Parses the entry of the block that starts at `guest` on the disk.
    pub(super) fn parse(entry: u64, guest: u64) -> Result<Self> {
        match entry & 7 {
            0 | 1 | 3 => Ok(Self::Absent),
            2 => Ok(Self::Zero),
            6 => Ok(Self::At(entry >> 20 << 20)),
            7 => Err(differencing("a partially present block")),
            state => Err(bad(
                "block of the disk",
                guest,
                format!("state {state} is reserved; the block allocation table is damaged"),
            )),
        }
    }

    pub(super) fn encode(self) -> u64 {
        match self {
            Self::Absent => 0,
            Self::Zero => 2,
            Self::At(offset) => offset | 6,
        }
    }
}

/// A range in whole MiB, behind the headers and inside the file.
fn check_region(
    field: &'static str,
    at: u64,
    (offset, len): (u64, u32),
    file_size: u64,
) -> Result<()> {
    if offset < MIB || !offset.is_multiple_of(MIB) || !u64::from(len).is_multiple_of(MIB) {
        let problem = format!("{len} bytes at {offset:#x}, expected whole MiB from 1 MiB on");
        return Err(bad(field, at, problem));
    }
    match offset.checked_add(len.into()) {
        Some(end) if end <= file_size => Ok(()),
        _ => Err(Error::truncated("vhdx", (field, at), offset, file_size)),
    }
}

/// CRC-32C of a structure whose checksum, in bytes 4 to 7, counts as zero.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..4]), &[0; 4]);
    crc32c::crc32c_append(crc, &bytes[8..])
}

fn check_sum(field: &'static str, bytes: &[u8], at: u64) -> Result<()> {
    let (stored, computed) = (le32(bytes, 4), checksum(bytes));
    if stored == computed {
        return Ok(());
    }
    let problem = format!("{stored:#010x}, but the bytes' is {computed:#010x}");
    Err(bad(field, at + 4, problem))
}

/// Fills in the checksum.
fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = checksum(&bytes);
    put(&mut bytes, 4, &sum.to_le_bytes());
    bytes
}

pub(super) fn guid(bytes: &[u8], at: usize) -> Uuid {
    Uuid::from_bytes_le(bytes16(bytes, at))
}

pub(super) fn bad(field: &'static str, offset: u64, problem: String) -> Error {
    Error::malformed("vhdx", field, offset, problem)
}

pub(super) fn differencing(what: &str) -> Error {
    Error::Unsupported {
        format: "vhdx",
        feature: format!("a differencing disk ({what})"),
        hint: "merge it into its parent first (Hyper-V: Merge-VHD)",
    }
}

pub(super) fn unsupported(feature: String) -> Error {
    let hint = "make a plain copy first: Convert-VHD, or `qemu-img convert -O vhdx IN OUT`";
    Error::Unsupported { format: "vhdx", feature, hint }
}

#[cfg(test)]
mod tests;
