//! On-disk structures of the GPT: header and partition entry.

use uuid::Uuid;

use crate::fields::{bytes16, le32, le64};
use crate::{Error, Result};

const MAGIC: &[u8; 8] = b"EFI PART";
const HEADER_LEN: usize = 92;
/// Bytes of an entry. The specification allows more; nobody writes them.
pub(super) const ENTRY_LEN: u64 = 128;
/// More entries than any tool makes. Keeps a hostile header from asking for memory.
const MAX_ENTRIES: u32 = 1024;

/// A GPT header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) own_lba: u64,
    pub(super) other_lba: u64,
    pub(super) first_usable: u64,
    pub(super) last_usable: u64,
    pub(super) disk: Uuid,
    pub(super) entries_lba: u64,
    pub(super) entries: u32,
    pub(super) entries_crc: u32,
}

impl Header {
    pub(super) fn has_magic(bytes: &[u8]) -> bool {
        bytes.starts_with(MAGIC)
    }

    /// Parses the sector of a primary header, which lies at byte `at` of the disk.
    pub(super) fn parse(bytes: &[u8], at: u64) -> Result<Self> {
        Self::parse_own(bytes, at, 1)
    }

    /// As [`Header::parse`], for a header that has to be in sector `own`.
    pub(super) fn parse_own(bytes: &[u8], at: u64, own: u64) -> Result<Self> {
        let bad = |field, problem: String| Err(Error::malformed("gpt", field, at, problem));
        let len = le32(bytes, 12) as usize;
        if bytes.len() < HEADER_LEN || len < HEADER_LEN || len > bytes.len() {
            return bad("HeaderSize", format!("{len}, expected {HEADER_LEN}"));
        }
        let mut zeroed = bytes[..len].to_vec();
        zeroed[16..20].fill(0);
        let (stored, computed) = (le32(bytes, 16), crc32fast::hash(&zeroed));
        if stored != computed {
            let problem = format!("{stored:#010x}, but the header's is {computed:#010x}");
            return bad("HeaderCRC32", format!("{problem}; repair the table with `sgdisk -v`"));
        }
        let header = Self {
            own_lba: le64(bytes, 24),
            other_lba: le64(bytes, 32),
            first_usable: le64(bytes, 40),
            last_usable: le64(bytes, 48),
            disk: Uuid::from_bytes_le(bytes16(bytes, 56)),
            entries_lba: le64(bytes, 72),
            entries: le32(bytes, 80),
            entries_crc: le32(bytes, 88),
        };
        if header.own_lba != own {
            return bad("MyLBA", format!("{}, expected {own}", header.own_lba));
        }
        if u64::from(le32(bytes, 84)) != ENTRY_LEN {
            return bad(
                "SizeOfPartitionEntry",
                format!("{}, expected {ENTRY_LEN}", le32(bytes, 84)),
            );
        }
        if header.entries > MAX_ENTRIES {
            return bad("NumberOfPartitionEntries", format!("{} are too many", header.entries));
        }
        Ok(header)
    }

    /// Bytes of the entry array.
    pub(super) fn entries_len(&self) -> u64 {
        u64::from(self.entries) * ENTRY_LEN
    }

    pub(super) fn check_entries(&self, entries: &[u8], at: u64) -> Result<()> {
        let computed = crc32fast::hash(entries);
        if computed == self.entries_crc {
            return Ok(());
        }
        let problem = format!(
            "{:#010x}, but the entries' is {computed:#010x}; repair the table with `sgdisk -v`",
            self.entries_crc
        );
        Err(Error::malformed("gpt", "PartitionEntryArrayCRC32", at, problem))
    }

    /// The header's sector, with a fresh checksum.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_LEN);
        bytes.extend(MAGIC);
        bytes.extend([0, 0, 1, 0]); // revision 1.0
        bytes.extend((HEADER_LEN as u32).to_le_bytes());
        bytes.extend([0; 8]); // checksum, reserved
        for lba in [self.own_lba, self.other_lba, self.first_usable, self.last_usable] {
            bytes.extend(lba.to_le_bytes());
        }
        bytes.extend(self.disk.to_bytes_le());
        bytes.extend(self.entries_lba.to_le_bytes());
        bytes.extend(self.entries.to_le_bytes());
        bytes.extend((ENTRY_LEN as u32).to_le_bytes());
        bytes.extend(self.entries_crc.to_le_bytes());
        let crc = crc32fast::hash(&bytes);
        bytes[16..20].copy_from_slice(&crc.to_le_bytes());
        bytes
    }
}

/// A used partition entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) type_guid: Uuid,
    pub(super) guid: Uuid,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) name: String,
}

impl Entry {
    /// Parses an entry; nothing if it is unused.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let type_guid = Uuid::from_bytes_le(bytes16(bytes, 0));
        if type_guid.is_nil() {
            return None;
        }
        let name: Vec<u16> = bytes[56..]
            .chunks_exact(2)
            .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
            .take_while(|&unit| unit != 0)
            .collect();
        Some(Self {
            type_guid,
            guid: Uuid::from_bytes_le(bytes16(bytes, 16)),
            first: le64(bytes, 32),
            last: le64(bytes, 40),
            name: String::from_utf16_lossy(&name),
        })
    }
}
