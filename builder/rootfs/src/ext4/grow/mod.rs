//! Growing an ext4 file system that is not mounted into the room behind it.
//!
//! The last group is extended and new groups are added behind it. Each brings its own
//! bitmaps and inode table; descriptors for them go into blocks that mke2fs reserved behind
//! the ones in use, which the resize inode (number 7) keeps. libext2fs has no call for this.

mod checksum;
mod layout;

use bootwright_disk::view::{WriteView, read_vec};

use super::probe::{self, Super};
use crate::space::bytes;
use crate::{Error, Result};

use layout::{Checksums, Geometry, le16, le32, put};

const RESIZE_INODE: u32 = 7;
/// Where an inode lists the block that lists the blocks that list blocks.
const DOUBLE_INDIRECT: usize = 0x28 + 13 * 4;
const INODE_UNINIT: u16 = 1;
const BLOCK_UNINIT: u16 = 2;
const TABLE_ZEROED: u16 = 4;

/// Grows the file system on `view` as far as the view reaches. Gives its size before and
/// after in bytes; nothing if there is no room worth having.
pub(crate) fn grow(view: &dyn WriteView, place: &str, now: i64) -> Result<Option<(u64, u64)>> {
    let disk = |source| Error::Disk { place: place.to_owned(), source };
    let damaged = |problem: &str| Error::Damaged {
        place: place.to_owned(),
        problem: format!("{problem}; run e2fsck -f on it"),
    };
    let block = read_vec(view, probe::OFFSET, probe::LEN).map_err(disk)?;
    let Some(parsed) = Super::parse(&block) else {
        return Err(damaged("there is no ext4 file system"));
    };
    parsed.check_editable(place, view.size())?;
    let refuse =
        |feature: String, hint| Error::Unsupported { place: place.to_owned(), feature, hint };
    let old = Geometry::parse(&block).map_err(|what| {
        refuse(
            format!("the file system {what}"),
            "leave `disk.root: grow` out; the guest may grow it",
        )
    })?;
    if !old.is_sound() {
        return Err(damaged("its groups have no room for their own metadata"));
    }
    let grown = old.grown(view.size() / old.block_size).map_err(|most| {
        let size = bytes(most.saturating_mul(old.block_size));
        refuse(
            format!("the file system has room reserved to grow to {size} only"),
            "use a smaller `disk.size`",
        )
    })?;
    let Some(new) = grown else {
        return Ok(None);
    };
    let sizes = (old.blocks * old.block_size, new.blocks * new.block_size);
    let mut grower = Grower { view, old, new, descriptors: Vec::new(), free: 0 };
    grower.run(block, now).map_err(|failure| match failure {
        Failure::Disk(source) => disk(source),
        Failure::Damaged(problem) => damaged(&problem),
    })?;
    Ok(Some(sizes))
}

/// Why growing stopped.
enum Failure {
    Disk(bootwright_disk::Error),
    Damaged(String),
}

impl From<bootwright_disk::Error> for Failure {
    fn from(source: bootwright_disk::Error) -> Self {
        Self::Disk(source)
    }
}

struct Grower<'a> {
    view: &'a dyn WriteView,
    old: Geometry,
    new: Geometry,
    /// All descriptors, the new ones too.
    descriptors: Vec<u8>,
    /// Blocks that become free.
    free: u64,
}

impl Grower<'_> {
    fn run(&mut self, block: Vec<u8>, now: i64) -> Result<(), Failure> {
        let (old, new) = (self.old.clone(), self.new.clone());
        let table = (old.first_block + 1) * old.block_size;
        self.descriptors = read_vec(self.view, table, old.groups() * old.descriptor)?;
        let len = new.descriptor_blocks() * new.block_size;
        self.descriptors.resize(len as usize, 0);
        self.extend_last()?;
        for group in old.groups()..new.groups() {
            self.add_group(group)?;
        }
        self.rewrite_resize_inode()?;
        let block = self.super_block(block, now);
        self.write_heads(block)
    }

    fn read_block(&self, number: u64) -> Result<Vec<u8>, Failure> {
        let size = self.new.block_size;
        if number == 0 || number >= self.new.blocks {
            return Err(Failure::Damaged(format!("metadata is to be in block {number}")));
        }
        Ok(read_vec(self.view, number * size, size)?)
    }

    fn write_block(&self, number: u64, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.view.write_at(number * self.new.block_size, bytes)?)
    }

    fn descriptor(&self, group: u64) -> Vec<u8> {
        let (at, len) = ((group * self.new.descriptor) as usize, self.new.descriptor as usize);
        self.descriptors.get(at..at + len).map(<[u8]>::to_vec).unwrap_or_else(|| vec![0; len])
    }

    fn set_descriptor(&mut self, group: u64, mut bytes: Vec<u8>) {
        self.new.seal_descriptor(group, &mut bytes);
        put(&mut self.descriptors, (group * self.new.descriptor) as usize, &bytes);
    }

    /// A block number in a group's descriptor.
    fn pointer(&self, group: u64, low: usize) -> u64 {
        let bytes = self.descriptor(group);
        let high = if bytes.len() >= 64 { le32(&bytes, low + 0x20) } else { 0 };
        u64::from(high) << 32 | u64::from(le32(&bytes, low))
    }

    /// Gives the group that was the last one the blocks behind it.
    fn extend_last(&mut self) -> Result<(), Failure> {
        let group = self.old.groups() - 1;
        let (before, after) = (self.old.group(group), self.new.group(group));
        let added = after.end - before.end;
        if added == 0 {
            return Ok(());
        }
        let (used, len) =
            ((before.end - before.start) as usize, (after.end - after.start) as usize);
        let mut descriptor = self.descriptor(group);
        let at = self.pointer(group, 0);
        let mut bitmap = self.read_block(at)?;
        if le16(&descriptor, 0x12) & BLOCK_UNINIT != 0 {
            bitmap = self.implied_bitmap(group);
            let flags = le16(&descriptor, 0x12) & !BLOCK_UNINIT;
            put(&mut descriptor, 0x12, &flags.to_le_bytes());
        }
        mark(&mut bitmap, used..len, false);
        self.write_block(at, &bitmap)?;
        let covered = &bitmap[..self.new.blocks_per_group as usize / 8];
        self.new.seal_bitmap(covered, &mut descriptor, (0x18, 0x38));
        add(&mut descriptor, (0xc, 0x2c), added as u32);
        self.set_descriptor(group, descriptor);
        self.free += added;
        Ok(())
    }

    /// The bitmap of an old group that has none yet: its own metadata is in use, and that of
    /// others that lies in it.
    fn implied_bitmap(&self, group: u64) -> Vec<u8> {
        let blocks = self.old.group(group);
        let mut bitmap = vec![0; self.old.block_size as usize];
        mark(&mut bitmap, 0..self.old.head(group) as usize, true);
        for other in 0..self.old.groups() {
            for (low, len) in [(0, 1), (4, 1), (8, self.old.table_blocks())] {
                let start = self.pointer(other, low);
                let (from, to) =
                    (start.max(blocks.start), start.saturating_add(len).min(blocks.end));
                if from < to {
                    let range = (from - blocks.start) as usize..(to - blocks.start) as usize;
                    mark(&mut bitmap, range, true);
                }
            }
        }
        let len = (blocks.end - blocks.start) as usize;
        mark(&mut bitmap, len..8 * self.old.block_size as usize, true);
        bitmap
    }

    /// Adds a group behind the others: head, bitmaps, inode table, free blocks.
    fn add_group(&mut self, group: u64) -> Result<(), Failure> {
        let new = self.new.clone();
        let blocks = new.group(group);
        let (len, overhead) = (blocks.end - blocks.start, new.overhead(group));
        let bitmaps = blocks.start + new.head(group);
        let mut descriptor = vec![0; new.descriptor as usize];
        for (low, number) in [(0, bitmaps), (4, bitmaps + 1), (8, bitmaps + 2)] {
            put(&mut descriptor, low, &(number as u32).to_le_bytes());
            if descriptor.len() >= 64 {
                put(&mut descriptor, low + 0x20, &((number >> 32) as u32).to_le_bytes());
            }
        }
        add(&mut descriptor, (0xc, 0x2c), (len - overhead) as u32);
        add(&mut descriptor, (0xe, 0x2e), new.inodes_per_group as u32);
        // A group whose bitmaps are implied needs none on the disk; only one that ends early
        // does, for the blocks that it lacks.
        let is_short = len < new.blocks_per_group;
        let (lazy, flags) = match new.checksums {
            Checksums::None => (false, 0),
            _ => (true, INODE_UNINIT | TABLE_ZEROED | if is_short { 0 } else { BLOCK_UNINIT }),
        };
        put(&mut descriptor, 0x12, &flags.to_le_bytes());
        if lazy {
            add(&mut descriptor, (0x1c, 0x32), new.inodes_per_group as u32);
        }
        self.view.discard(blocks.start * new.block_size, overhead * new.block_size)?;
        let bits = 8 * new.block_size as usize;
        if !lazy || is_short {
            let mut bitmap = vec![0; new.block_size as usize];
            mark(&mut bitmap, 0..overhead as usize, true);
            mark(&mut bitmap, len as usize..bits, true);
            self.write_block(bitmaps, &bitmap)?;
            let covered = &bitmap[..new.blocks_per_group as usize / 8];
            new.seal_bitmap(covered, &mut descriptor, (0x18, 0x38));
        }
        if !lazy {
            let mut bitmap = vec![0; new.block_size as usize];
            mark(&mut bitmap, new.inodes_per_group as usize..bits, true);
            self.write_block(bitmaps + 1, &bitmap)?;
        }
        self.set_descriptor(group, descriptor);
        self.free += len - overhead;
        Ok(())
    }

    /// Takes the descriptor blocks that are in use now out of the resize inode, and tells it
    /// of the copies of those that stay reserved.
    fn rewrite_resize_inode(&self) -> Result<(), Failure> {
        let (old, new) = (&self.old, &self.new);
        let table = self.pointer(0, 8);
        let at = u64::from(RESIZE_INODE - 1) * new.inode_size;
        let at = table.saturating_mul(new.block_size).saturating_add(at);
        if table == 0 || at >= old.blocks * old.block_size {
            return Err(Failure::Damaged(format!("the inode table is to be in block {table}")));
        }
        let mut inode = read_vec(self.view, at, new.inode_size)?;
        let root = u64::from(le32(&inode, DOUBLE_INDIRECT));
        let mut lists = self.read_block(root)?;
        let slots = new.block_size / 4;
        let backups: Vec<u64> = new.backups().collect();
        for index in old.descriptor_blocks()..old.descriptor_blocks() + old.reserved {
            let block = new.first_block + 1 + index;
            let slot = (index % slots) as usize * 4;
            if u64::from(le32(&lists, slot)) != block {
                let problem = format!("the resize inode does not list block {block}");
                return Err(Failure::Damaged(problem));
            }
            if index < new.descriptor_blocks() {
                put(&mut lists, slot, &[0; 4]);
                continue;
            }
            let mut list = vec![0; new.block_size as usize];
            for (entry, group) in backups.iter().enumerate() {
                let copy = (block + group * new.blocks_per_group) as u32;
                put(&mut list, entry * 4, &copy.to_le_bytes());
            }
            self.write_block(block, &list)?;
        }
        self.write_block(root, &lists)?;
        let blocks = 1 + new.reserved * (1 + backups.len() as u64);
        put(&mut inode, 0x1c, &((blocks * new.block_size / 512) as u32).to_le_bytes());
        new.seal_inode(RESIZE_INODE, &mut inode);
        Ok(self.view.write_at(at, &inode)?)
    }

    /// The super block with the new totals.
    fn super_block(&self, mut block: Vec<u8>, now: i64) -> Vec<u8> {
        let (old, new) = (&self.old, &self.new);
        let groups = new.groups() - old.groups();
        let set64 = |block: &mut [u8], low: usize, high: usize, value: u64| {
            put(block, low, &(value as u32).to_le_bytes());
            if new.descriptor >= 64 {
                put(block, high, &((value >> 32) as u32).to_le_bytes());
            }
        };
        let get64 = |block: &[u8], low: usize, high: usize| {
            let high = if new.descriptor >= 64 { le32(block, high) } else { 0 };
            u64::from(high) << 32 | u64::from(le32(block, low))
        };
        set64(&mut block, 0x4, 0x150, new.blocks);
        // What is kept for root stays the same part of the whole.
        let kept = u128::from(get64(&block, 0x8, 0x154)) * u128::from(new.blocks);
        set64(&mut block, 0x8, 0x154, (kept / u128::from(old.blocks.max(1))) as u64);
        let free = get64(&block, 0xc, 0x158).saturating_add(self.free);
        set64(&mut block, 0xc, 0x158, free);
        let inodes = (groups * new.inodes_per_group) as u32;
        add32(&mut block, 0x0, inodes);
        add32(&mut block, 0x10, inodes);
        put(&mut block, 0xce, &(new.reserved as u16).to_le_bytes());
        if le32(&block, 0x248) != 0 {
            let overhead: u64 = (old.groups()..new.groups()).map(|group| new.overhead(group)).sum();
            add32(&mut block, 0x248, overhead as u32);
        }
        put(&mut block, 0x30, &(now as u32).to_le_bytes());
        put(&mut block, 0x274, &[(now >> 32) as u8]);
        block
    }

    /// Writes super block and descriptors, and their copies.
    fn write_heads(&self, mut block: Vec<u8>) -> Result<(), Failure> {
        let new = &self.new;
        for group in new.backups() {
            let start = new.group(group).start * new.block_size;
            put(&mut block, 0x5a, &(group as u16).to_le_bytes());
            new.seal_super(&mut block);
            self.view.write_at(start, &block)?;
            self.view.write_at(start + new.block_size, &self.descriptors)?;
        }
        self.view.write_at((new.first_block + 1) * new.block_size, &self.descriptors)?;
        put(&mut block, 0x5a, &[0, 0]);
        new.seal_super(&mut block);
        Ok(self.view.write_at(probe::OFFSET, &block)?)
    }
}

/// Adds to a 32-bit field.
fn add32(bytes: &mut [u8], at: usize, more: u32) {
    let sum = le32(bytes, at).saturating_add(more);
    put(bytes, at, &sum.to_le_bytes());
}

/// Adds to a count of a descriptor, the high half of which only wide ones have.
fn add(bytes: &mut [u8], (low, high): (usize, usize), more: u32) {
    let upper = if bytes.len() >= 64 { u32::from(le16(bytes, high)) << 16 } else { 0 };
    let sum = (upper | u32::from(le16(bytes, low))).saturating_add(more).to_le_bytes();
    put(bytes, low, &sum[..2]);
    if bytes.len() >= 64 {
        put(bytes, high, &sum[2..]);
    }
}

/// Sets or clears bits of a bitmap.
fn mark(bitmap: &mut [u8], bits: std::ops::Range<usize>, used: bool) {
    for bit in bits {
        if let Some(byte) = bitmap.get_mut(bit / 8) {
            match used {
                true => *byte |= 1 << (bit % 8),
                false => *byte &= !(1 << (bit % 8)),
            }
        }
    }
}
