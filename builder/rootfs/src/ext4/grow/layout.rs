//! The geometry of an ext4 file system and of what it becomes when it grows. No I/O.

use std::ops::Range;

/// Blocks that a new last group must have besides its own metadata; a smaller one is not
/// worth having, as for resize2fs.
const MIN_DATA: u64 = 50;

const COMPAT_RESIZE_INODE: u32 = 0x10;
const COMPAT_SPARSE_SUPER2: u32 = 0x200;
const INCOMPAT_META_BG: u32 = 0x10;
const INCOMPAT_64BIT: u32 = 0x80;
const INCOMPAT_CSUM_SEED: u32 = 0x2000;
const RO_COMPAT_SPARSE_SUPER: u32 = 0x1;
const RO_COMPAT_GDT_CSUM: u32 = 0x10;
const RO_COMPAT_METADATA_CSUM: u32 = 0x400;

/// How metadata is checksummed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checksums {
    None,
    /// Group descriptors alone, by CRC-16 (`uninit_bg`).
    Descriptors,
    /// Everything, by CRC-32C from this seed.
    All(u32),
}

/// What growing has to know of a super block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) block_size: u64,
    pub(super) first_block: u64,
    pub(super) blocks: u64,
    pub(super) blocks_per_group: u64,
    pub(super) inodes_per_group: u64,
    pub(super) inode_size: u64,
    pub(super) descriptor: u64,
    /// Blocks kept behind the descriptors for more of them.
    pub(super) reserved: u64,
    pub(super) checksums: Checksums,
    pub(super) uuid: [u8; 16],
}

pub(super) fn le16(bytes: &[u8], at: usize) -> u16 {
    let pair = bytes.get(at..at + 2).and_then(|slice| slice.try_into().ok());
    u16::from_le_bytes(pair.unwrap_or_default())
}

pub(super) fn le32(bytes: &[u8], at: usize) -> u32 {
    u32::from(le16(bytes, at)) | u32::from(le16(bytes, at + 2)) << 16
}

/// Replaces a field; one past the end, which no checked structure has, is left out.
pub(super) fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    if let Some(slot) = bytes.get_mut(at..at + field.len()) {
        slot.copy_from_slice(field);
    }
}

impl Geometry {
    /// Reads a super block that was found editable. Fails with the feature in the way.
    pub(super) fn parse(block: &[u8]) -> Result<Self, &'static str> {
        let (compat, incompat, ro_compat) =
            (le32(block, 0x5c), le32(block, 0x60), le32(block, 0x64));
        if compat & COMPAT_RESIZE_INODE == 0 {
            return Err("has no room reserved for growth (resize_inode)");
        }
        if ro_compat & RO_COMPAT_SPARSE_SUPER == 0
            || compat & COMPAT_SPARSE_SUPER2 != 0
            || incompat & INCOMPAT_META_BG != 0
        {
            return Err(
                "keeps its descriptors in a layout of its own (sparse_super2, meta_bg, or no sparse_super)",
            );
        }
        let is_wide = incompat & INCOMPAT_64BIT != 0;
        let high = if is_wide { le32(block, 0x150) } else { 0 };
        let mut uuid = [0; 16];
        uuid.copy_from_slice(block.get(0x68..0x78).unwrap_or(&[0; 16]));
        let checksums = if ro_compat & RO_COMPAT_METADATA_CSUM != 0 {
            Checksums::All(match incompat & INCOMPAT_CSUM_SEED {
                0 => super::checksum::crc32c(u32::MAX, &uuid),
                _ => le32(block, 0x270),
            })
        } else if ro_compat & RO_COMPAT_GDT_CSUM != 0 {
            Checksums::Descriptors
        } else {
            Checksums::None
        };
        Ok(Self {
            block_size: 1024 << le32(block, 0x18).min(6),
            first_block: le32(block, 0x14).into(),
            blocks: u64::from(high) << 32 | u64::from(le32(block, 0x4)),
            blocks_per_group: u64::from(le32(block, 0x20)).max(1),
            inodes_per_group: le32(block, 0x28).into(),
            inode_size: if le32(block, 0x4c) == 0 { 128 } else { le16(block, 0x58).into() },
            descriptor: if is_wide { u64::from(le16(block, 0xfe)).max(32) } else { 32 },
            reserved: le16(block, 0xce).into(),
            checksums,
            uuid,
        })
    }

    /// The same file system with as many of `blocks` as make sense; nothing if that is no
    /// more than it has.
    ///
    /// Fails with the largest number of blocks that the reserved room and the width of
    /// counters allow.
    pub(super) fn grown(&self, blocks: u64) -> Result<Option<Self>, u64> {
        let mut grown = Self { blocks, ..self.clone() };
        grown.fit_descriptors(self);
        let last = grown.groups() - 1;
        let len = grown.group(last).end - grown.group(last).start;
        if last >= self.groups() && len < grown.overhead(last) + MIN_DATA {
            grown.blocks = grown.group(last).start;
            grown.fit_descriptors(self);
        }
        let described =
            (self.descriptor_blocks() + self.reserved) * self.block_size / self.descriptor;
        let counted = u64::from(u32::MAX) / self.inodes_per_group.max(1);
        let groups = described.min(counted);
        let most =
            (self.first_block + groups * self.blocks_per_group).min(super::super::probe::MAX_COUNT);
        if grown.blocks > most {
            return Err(most);
        }
        Ok((grown.blocks > self.blocks).then_some(grown))
    }

    /// Whether the groups have room for what they must hold, and the first one is there.
    pub(super) fn is_sound(&self) -> bool {
        self.blocks > self.first_block
            && self.overhead(1) + MIN_DATA <= self.blocks_per_group
            && self.inode_size >= 128
            && self.inode_size <= self.block_size
    }

    fn fit_descriptors(&mut self, old: &Self) {
        let more = self.descriptor_blocks().saturating_sub(old.descriptor_blocks());
        self.reserved = old.reserved.saturating_sub(more);
    }

    /// Number of groups.
    pub(super) fn groups(&self) -> u64 {
        self.blocks.saturating_sub(self.first_block).div_ceil(self.blocks_per_group).max(1)
    }

    /// The blocks of a group.
    pub(super) fn group(&self, number: u64) -> Range<u64> {
        let start = self.first_block + number * self.blocks_per_group;
        start..(start + self.blocks_per_group).min(self.blocks)
    }

    /// Blocks with group descriptors.
    pub(super) fn descriptor_blocks(&self) -> u64 {
        (self.groups() * self.descriptor).div_ceil(self.block_size)
    }

    /// Whether a group holds a copy of super block and descriptors.
    pub(super) fn has_super(&self, group: u64) -> bool {
        let is_power = |base: u64| {
            let mut power = base;
            while power < group {
                power *= base;
            }
            power == group
        };
        group <= 1 || [3, 5, 7].into_iter().any(is_power)
    }

    /// Groups other than the first that hold copies.
    pub(super) fn backups(&self) -> impl Iterator<Item = u64> + '_ {
        (1..self.groups()).filter(|&group| self.has_super(group))
    }

    /// Blocks of super block, descriptors and their reserve at the start of a group.
    pub(super) fn head(&self, group: u64) -> u64 {
        if self.has_super(group) { 1 + self.descriptor_blocks() + self.reserved } else { 0 }
    }

    pub(super) fn table_blocks(&self) -> u64 {
        (self.inodes_per_group * self.inode_size).div_ceil(self.block_size)
    }

    /// Blocks of a new group that hold its own metadata: head, two bitmaps, inode table.
    pub(super) fn overhead(&self, group: u64) -> u64 {
        self.head(group) + 2 + self.table_blocks()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(blocks: u64) -> Geometry {
        Geometry {
            block_size: 4096,
            first_block: 0,
            blocks,
            blocks_per_group: 32768,
            inodes_per_group: 8192,
            inode_size: 256,
            descriptor: 64,
            reserved: 1,
            checksums: Checksums::None,
            uuid: [0; 16],
        }
    }

    #[test]
    fn copies_lie_in_powers_of_three_five_and_seven() {
        let backups: Vec<_> = geometry(32768 * 130).backups().collect();
        assert_eq!(backups, [1, 3, 5, 7, 9, 25, 27, 49, 81, 125]);
    }

    #[test]
    fn a_last_group_without_use_is_left_out_and_the_reserve_is_the_bound() {
        let old = geometry(100_000);
        let grown = |blocks| old.grown(blocks).map(|grown| grown.map(|grown| grown.blocks));
        assert_eq!(grown(100_000), Ok(None));
        assert_eq!(grown(90_000), Ok(None));
        assert_eq!(grown(100_001), Ok(Some(100_001)));
        // Group 4 has no copies: bitmaps and table take 514 blocks.
        assert_eq!(grown(131_072 + 563), Ok(Some(131_072)));
        assert_eq!(grown(131_072 + 564), Ok(Some(131_072 + 564)));
        // A block of descriptors is enough for 64 groups, and there is one more.
        assert_eq!(grown(128 * 32768), Ok(Some(128 * 32768)));
        assert_eq!(grown(129 * 32768), Err(128 * 32768));
    }
}
