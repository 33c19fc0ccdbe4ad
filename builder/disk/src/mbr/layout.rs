//! On-disk structure of a (master or extended) boot record.

use crate::fields::{le16, le32};

const ENTRIES: usize = 446;
/// Where the first entry keeps its length.
pub(super) const SECTORS: usize = ENTRIES + 12;
const SIGNATURE: usize = 440;
/// Protects a GPT.
const PROTECTIVE: u8 = 0xee;

/// A boot record that plausibly is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) signature: u32,
    pub(super) entries: [Entry; 4],
}

/// One of the four slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) active: bool,
    pub(super) id: u8,
    /// First sector; what it counts from depends on the record.
    pub(super) start: u32,
    pub(super) sectors: u32,
}

impl Entry {
    pub(super) fn is_empty(&self) -> bool {
        self.id == 0 || self.id == PROTECTIVE || self.sectors == 0
    }

    pub(super) fn is_extended(&self) -> bool {
        matches!(self.id, 0x05 | 0x0f | 0x85) && self.sectors != 0
    }
}

/// Parses a sector. A boot sector of a file system carries the same magic; what tells it
/// apart is that a table's status bytes are 0 or 0x80.
pub(super) fn parse(sector: &[u8]) -> Option<Record> {
    if sector.len() < 512 || le16(sector, 510) != 0xaa55 {
        return None;
    }
    let slots: [usize; 4] = std::array::from_fn(|index| ENTRIES + 16 * index);
    if slots.iter().any(|&at| sector[at] & 0x7f != 0) {
        return None;
    }
    let entries = slots.map(|at| Entry {
        active: sector[at] == 0x80,
        id: sector[at + 4],
        start: le32(sector, at + 8),
        sectors: le32(sector, at + 12),
    });
    Some(Record { signature: le32(sector, SIGNATURE), entries })
}
