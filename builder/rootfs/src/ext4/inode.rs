//! An inode as libext2fs hands it over: the on-disk layout in the host's byte order
//! (Linux' Documentation/filesystems/ext4/inodes.rst).

use std::ffi::c_int;

use crate::node::{Attr, Kind};

/// Bytes of the fields known here. An inode of 128 bytes has only the first 128 of them;
/// a larger one keeps extended attributes behind its fields.
const FIELDS: usize = 160;

const MODE: usize = 0;
const UID: usize = 2;
const SIZE_LOW: usize = 4;
const ATIME: usize = 8;
const CTIME: usize = 12;
const MTIME: usize = 16;
const DTIME: usize = 20;
const GID: usize = 24;
const LINKS: usize = 26;
const BLOCKS: usize = 28;
const FLAGS: usize = 32;
const BLOCK: usize = 40;
const FILE_ACL: usize = 104;
const SIZE_HIGH: usize = 108;
const BLOCKS_HIGH: usize = 116;
const FILE_ACL_HIGH: usize = 118;
const UID_HIGH: usize = 120;
const GID_HIGH: usize = 122;
const EXTRA_ISIZE: usize = 128;
const CTIME_EXTRA: usize = 132;
const MTIME_EXTRA: usize = 136;
const ATIME_EXTRA: usize = 140;
const CRTIME: usize = 144;
const CRTIME_EXTRA: usize = 148;

/// Range of times with two more bits (1901 to 2446).
const MIN_TIME: i64 = i32::MIN as i64;
const MAX_TIME: i64 = i32::MAX as i64 + (3 << 32);

const EXTENTS_FLAG: u32 = 0x8_0000;
/// A directory has an index.
const INDEX_FLAG: u32 = 0x1000;
/// An extent tree without extents, with room for four: magic, entries, maximum, depth.
const NO_EXTENTS: [u16; 4] = [0xf30a, 0, 4, 0];
/// Comes before the extended attributes that follow an inode's fields.
const XATTR_MAGIC: u32 = 0xea02_0000;
/// A directory with more subdirectories than a link count holds has a count of 1.
const MAX_LINKS: u16 = 65_000;

/// The raw inode.
#[derive(Debug, Clone)]
pub(super) struct Inode(Vec<u8>);

impl Inode {
    /// An empty inode for a file system whose inodes have `size` bytes.
    pub(super) fn new(size: usize) -> Self {
        Self(vec![0; size.max(FIELDS)])
    }

    /// Address and length for the library.
    pub(super) fn raw(&mut self) -> (*mut u8, c_int) {
        (self.0.as_mut_ptr(), self.0.len() as c_int)
    }

    fn get16(&self, at: usize) -> u16 {
        u16::from_ne_bytes([self.0[at], self.0[at + 1]])
    }

    fn set16(&mut self, at: usize, value: u16) {
        self.0[at..at + 2].copy_from_slice(&value.to_ne_bytes());
    }

    fn get32(&self, at: usize) -> u32 {
        u32::from_ne_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }

    fn set32(&mut self, at: usize, value: u32) {
        self.0[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    }

    pub(super) fn mode(&self) -> u32 {
        self.get16(MODE).into()
    }

    /// Type and permission bits.
    pub(super) fn set_mode(&mut self, mode: u32) {
        self.set16(MODE, mode as u16);
    }

    pub(super) fn set_owner(&mut self, uid: u32, gid: u32) {
        self.set16(UID, uid as u16);
        self.set16(UID_HIGH, (uid >> 16) as u16);
        self.set16(GID, gid as u16);
        self.set16(GID_HIGH, (gid >> 16) as u16);
    }

    pub(super) fn size(&self) -> u64 {
        u64::from(self.get32(SIZE_HIGH)) << 32 | u64::from(self.get32(SIZE_LOW))
    }

    pub(super) fn set_size(&mut self, size: u64) {
        self.set32(SIZE_LOW, size as u32);
        self.set32(SIZE_HIGH, (size >> 32) as u32);
    }

    pub(super) fn links(&self) -> u16 {
        self.get16(LINKS)
    }

    pub(super) fn set_links(&mut self, links: u16) {
        self.set16(LINKS, links);
    }

    /// Counts a subdirectory in or out, as the kernel does with `dir_nlink`.
    pub(super) fn count_subdirectory(&mut self, by: i16) {
        let links = self.links();
        if links != 1 {
            let changed = links.saturating_add_signed(by);
            self.set_links(if changed >= MAX_LINKS { 1 } else { changed });
        }
    }

    /// Gives the inode an extent tree without extents.
    pub(super) fn use_extents(&mut self) {
        self.set32(FLAGS, self.get32(FLAGS) | EXTENTS_FLAG);
        for (index, value) in NO_EXTENTS.into_iter().enumerate() {
            self.set16(BLOCK + 2 * index, value);
        }
    }

    /// Marks a directory as having an index.
    pub(super) fn set_indexed(&mut self) {
        self.set32(FLAGS, self.get32(FLAGS) | INDEX_FLAG);
    }

    /// The block of extended attributes, 0 if there is none.
    pub(super) fn xattr_block(&self) -> u64 {
        u64::from(self.get16(FILE_ACL_HIGH)) << 32 | u64::from(self.get32(FILE_ACL))
    }

    /// Sets the block of extended attributes, which counts as one of the file's.
    pub(super) fn add_xattr_block(&mut self, block: u64, sectors_per_block: u32) {
        self.set32(FILE_ACL, block as u32);
        self.set16(FILE_ACL_HIGH, (block >> 32) as u16);
        let sectors = self.sectors() + u64::from(sectors_per_block);
        self.set32(BLOCKS, sectors as u32);
        self.set16(BLOCKS_HIGH, (sectors >> 32) as u16);
    }

    /// Extended attributes stored in the inode itself, without the magic number before
    /// them; nothing if there are none.
    pub(super) fn xattr_area(&self) -> Option<&[u8]> {
        let at = self.xattr_start()?;
        (self.get32(at) == XATTR_MAGIC).then(|| &self.0[at + 4..])
    }

    /// As [`Inode::xattr_area`], made if it is not there yet; nothing if there is no room.
    pub(super) fn xattr_area_mut(&mut self) -> Option<&mut [u8]> {
        let at = self.xattr_start()?;
        self.set32(at, XATTR_MAGIC);
        Some(&mut self.0[at + 4..])
    }

    /// Bytes for extended attributes in the inode itself.
    pub(super) fn xattr_room(&self) -> usize {
        self.xattr_start().map_or(0, |at| self.0.len() - at - 4)
    }

    fn xattr_start(&self) -> Option<usize> {
        let extra = usize::from(self.get16(EXTRA_ISIZE));
        // Room for the magic number and the smallest of entries.
        let end = EXTRA_ISIZE + extra + 24;
        (extra >= 4 && extra.is_multiple_of(4) && end <= self.0.len()).then(|| EXTRA_ISIZE + extra)
    }

    /// Number of 512-byte sectors it occupies.
    fn sectors(&self) -> u64 {
        u64::from(self.get16(BLOCKS_HIGH)) << 32 | u64::from(self.get32(BLOCKS))
    }

    /// Number of 512-byte sectors that its content occupies.
    pub(super) fn content_sectors(&self, sectors_per_block: u32) -> u64 {
        let attribute_block = if self.xattr_block() == 0 { 0 } else { sectors_per_block };
        self.sectors().saturating_sub(attribute_block.into())
    }

    fn is_device(&self) -> bool {
        matches!(Kind::from_mode(self.mode()), Kind::CharDevice | Kind::BlockDevice)
    }

    /// The target of a symlink that is stored in the inode itself.
    pub(super) fn inline_target(&self) -> &[u8] {
        let len = (self.size() as usize).min(60);
        &self.0[BLOCK..BLOCK + len]
    }

    /// Sets a time. A small inode has no room for years after 2038; it gets the last
    /// second that it can hold, as from the kernel.
    fn set_time(&mut self, (at, extra): (usize, usize), time: i64) {
        if self.has_extra(extra) {
            let time = time.clamp(MIN_TIME, MAX_TIME);
            self.set32(at, time as u32);
            // Two more bits of the seconds; no nanoseconds.
            let epoch = time.wrapping_sub(i64::from(time as i32)) >> 32;
            self.set32(extra, epoch as u32 & 3);
        } else {
            self.set32(at, time.clamp(MIN_TIME, i64::from(i32::MAX)) as u32);
        }
    }

    /// Whether the inode is large enough for the field at `extra`.
    fn has_extra(&self, extra: usize) -> bool {
        usize::from(self.get16(EXTRA_ISIZE)) + EXTRA_ISIZE >= extra + 4
    }

    /// Sets the times of content and access to `mtime`, those of the inode to `now`.
    pub(super) fn set_times(&mut self, mtime: i64, now: i64) {
        self.set_time((MTIME, MTIME_EXTRA), mtime);
        self.set_time((ATIME, ATIME_EXTRA), mtime);
        self.set_changed(now);
    }

    /// Sets the time of the inode's last change.
    pub(super) fn set_changed(&mut self, now: i64) {
        self.set_time((CTIME, CTIME_EXTRA), now);
    }

    /// Sets the time of birth, where there is room for one.
    pub(super) fn set_birth(&mut self, now: i64) {
        if self.has_extra(CRTIME_EXTRA) {
            self.set_time((CRTIME, CRTIME_EXTRA), now);
        }
    }

    /// Forgets everything but the time of deletion.
    pub(super) fn set_deleted(&mut self, now: i64) {
        self.0.fill(0);
        self.set32(DTIME, (now as u32).max(1));
    }

    pub(super) fn mtime(&self) -> i64 {
        let low = i64::from(self.get32(MTIME) as i32);
        let epoch =
            if self.has_extra(MTIME_EXTRA) { i64::from(self.get32(MTIME_EXTRA) & 3) } else { 0 };
        low + (epoch << 32)
    }

    /// Encodes device numbers the way the kernel does: the old form if they fit.
    pub(super) fn set_device(&mut self, (major, minor): (u32, u32)) {
        let old = major < 256 && minor < 256;
        let new = (minor & 0xff) | (major & 0xfff) << 8 | (minor & !0xff) << 12;
        self.set32(BLOCK, if old { major << 8 | minor } else { 0 });
        self.set32(BLOCK + 4, if old { 0 } else { new });
    }

    fn device(&self) -> (u32, u32) {
        match (self.get32(BLOCK), self.get32(BLOCK + 4)) {
            (0, new) => (new >> 8 & 0xfff, (new & 0xff) | (new >> 12 & 0xf_ff00)),
            (old, _) => (old >> 8 & 0xff, old & 0xff),
        }
    }

    pub(super) fn attr(&self) -> Attr {
        Attr {
            kind: Kind::from_mode(self.mode()),
            mode: self.mode() & 0o7777,
            uid: u32::from(self.get16(UID_HIGH)) << 16 | u32::from(self.get16(UID)),
            gid: u32::from(self.get16(GID_HIGH)) << 16 | u32::from(self.get16(GID)),
            size: self.size(),
            links: self.links().into(),
            mtime: self.mtime(),
            device: self.is_device().then(|| self.device()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_ids_and_late_times_survive() {
        let mut inode = Inode::new(256);
        inode.set16(EXTRA_ISIZE, 32);
        inode.set_mode(0o106_755);
        inode.set_owner(4_000_000_000, 70_000);
        for time in [0, 1_700_000_000, 4_000_000_000, 10_000_000_000] {
            inode.set_times(time, 1);
            assert_eq!(inode.attr().mtime, time);
        }
        let attr = inode.attr();
        assert_eq!((attr.uid, attr.gid, attr.mode), (4_000_000_000, 70_000, 0o6755));
    }

    #[test]
    fn small_inodes_stop_in_2038() {
        let mut inode = Inode::new(128);
        inode.set_times(5_000_000_000, 1);
        assert_eq!(inode.attr().mtime, i64::from(i32::MAX));
    }

    #[test]
    fn device_numbers_round_trip() {
        let mut inode = Inode::new(256);
        inode.set_mode(0o020_600);
        for device in [(1, 3), (255, 255), (8, 300), (259, 70_000), (0xfff, 0xf_ffff)] {
            inode.set_device(device);
            assert_eq!(inode.attr().device, Some(device));
        }
    }

    #[test]
    fn link_counts_of_directories_stop_counting() {
        let mut inode = Inode::new(256);
        inode.set_links(MAX_LINKS - 1);
        inode.count_subdirectory(1);
        assert_eq!(inode.links(), 1);
        inode.count_subdirectory(-1);
        assert_eq!(inode.links(), 1);
    }
}
