//! One ext4 file system: files looked up, read and changed by inode number.

use std::sync::Arc;

use bootwright_disk::view::{WriteView, read_vec};

use super::inode::Inode;
use super::probe::{self, Super};
use super::sys::{Lib, Refusal};
use crate::content::Source;
use crate::node::{Attr, Kind, NodeId};
use crate::space::Need;
use crate::{Error, Result};

const ROOT: NodeId = 2;
/// Bytes of a file written at once.
const PIECE: u64 = 1 << 20;
/// Discards of less than this inside a cluster of the output are not worth splitting it.
const TRIM: u64 = 64 << 10;
/// More names than this for one file are refused by the kernel too.
const MAX_LINKS: u16 = 65_000;
/// A symlink's target ends within one block, and within what the kernel calls a path.
const MAX_TARGET: u64 = 4096;

/// An open file system.
pub(crate) struct Ext4 {
    lib: Lib,
    view: Arc<dyn WriteView>,
    place: String,
    super_block: Super,
    now: i64,
    /// Blocks used when it was opened, and all written since: one bit each.
    dirty: Vec<u8>,
}

impl std::fmt::Debug for Ext4 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ext4").field("place", &self.place).finish_non_exhaustive()
    }
}

fn ino(node: NodeId) -> u32 {
    // Node numbers of this file system are made from inode numbers alone.
    node as u32
}

/// The EXT2_FT_ code of directory entries.
fn entry_kind(kind: Kind) -> u8 {
    match kind {
        Kind::File => 1,
        Kind::Dir => 2,
        Kind::CharDevice => 3,
        Kind::BlockDevice => 4,
        Kind::Fifo => 5,
        Kind::Socket => 6,
        Kind::Symlink => 7,
    }
}

impl Ext4 {
    /// Opens the file system on `view`. `place` names it in errors; `now` is the time that
    /// every change gets.
    pub(crate) fn open(view: Arc<dyn WriteView>, place: &str, now: i64) -> Result<Self> {
        let disk = |source| Error::Disk { place: place.to_owned(), source };
        let bytes = read_vec(&view, probe::OFFSET, probe::LEN).map_err(disk)?;
        let damaged = |problem: String| Error::Damaged { place: place.to_owned(), problem };
        let super_block = Super::parse(&bytes)
            .ok_or_else(|| damaged("there is no ext4 file system".to_owned()))?;
        super_block.check_editable(place, view.size())?;
        let mut lib =
            Lib::open(Arc::clone(&view), now).map_err(|refusal| explain(place, refusal))?;
        let count = super_block.blocks - super_block.first_block;
        let dirty = lib
            .used_blocks(super_block.first_block, count)
            .map_err(|refusal| explain(place, refusal))?;
        Ok(Self { lib, view, place: place.to_owned(), super_block, now, dirty })
    }

    pub(crate) fn root(&self) -> NodeId {
        ROOT
    }

    fn refused(&self, refusal: Refusal) -> Error {
        explain(&self.place, refusal)
    }

    fn inode(&mut self, node: NodeId) -> Result<Inode> {
        self.lib.read_inode(ino(node)).map_err(|refusal| explain(&self.place, refusal))
    }

    fn write_inode(&mut self, node: NodeId, inode: &mut Inode) -> Result<()> {
        self.lib.write_inode(ino(node), inode).map_err(|refusal| explain(&self.place, refusal))
    }

    pub(crate) fn lookup(&mut self, dir: NodeId, name: &[u8]) -> Result<Option<NodeId>> {
        let found = self.lib.lookup(ino(dir), name);
        found.map(|ino| ino.map(NodeId::from)).map_err(|refusal| self.refused(refusal))
    }

    pub(crate) fn attr(&mut self, node: NodeId) -> Result<Attr> {
        self.inode(node).map(|inode| inode.attr())
    }

    /// Names in a directory with their nodes, sorted.
    pub(crate) fn list(&mut self, dir: NodeId) -> Result<Vec<(Vec<u8>, NodeId)>> {
        let names = self.lib.list(ino(dir)).map_err(|refusal| self.refused(refusal))?;
        let mut names: Vec<_> = names.into_iter().map(|(name, ino)| (name, ino.into())).collect();
        names.sort();
        Ok(names)
    }

    pub(crate) fn readlink(&mut self, node: NodeId) -> Result<Vec<u8>> {
        let inode = self.inode(node)?;
        if !inode.has_blocks(self.sectors_per_block()) {
            return Ok(inode.inline_target().to_vec());
        }
        let mut target = vec![0; inode.size().min(MAX_TARGET) as usize];
        self.read(node, 0, &mut target)?;
        Ok(target)
    }

    fn sectors_per_block(&self) -> u32 {
        (self.super_block.block_size / 512) as u32
    }

    /// Reads from a file; gives the number of bytes, which is short only at its end.
    pub(crate) fn read(&mut self, node: NodeId, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let mut inode = self.inode(node)?;
        let block_size = self.super_block.block_size;
        let len = (buf.len() as u64).min(inode.size().saturating_sub(offset));
        let mut done = 0;
        while done < len {
            let at = offset + done;
            let (block, run) = self
                .lib
                .map(ino(node), &mut inode, at / block_size)
                .map_err(|refusal| explain(&self.place, refusal))?;
            let now = (run * block_size - at % block_size).min(len - done);
            let target = &mut buf[done as usize..(done + now) as usize];
            match block {
                Some(block) => self
                    .view
                    .read_at(block * block_size + at % block_size, target)
                    .map_err(|source| Error::Disk { place: self.place.clone(), source })?,
                None => target.fill(0),
            }
            done += now;
        }
        Ok(done as usize)
    }

    /// Makes a node of `attr`'s kind and attributes under a name that is free. A symlink
    /// gets `target`; a file is empty, see [`Ext4::fill`].
    pub(crate) fn create(
        &mut self,
        dir: NodeId,
        name: &[u8],
        attr: &Attr,
        target: &[u8],
    ) -> Result<NodeId> {
        let made =
            self.create_unnamed(dir, attr, target).map_err(|refusal| self.refused(refusal))?;
        self.set_attr(made, attr)?;
        self.add_name(dir, name, made, attr.kind)?;
        Ok(made)
    }

    fn create_unnamed(
        &mut self,
        dir: NodeId,
        attr: &Attr,
        target: &[u8],
    ) -> Result<NodeId, Refusal> {
        let mode = attr.kind.mode_bits() | attr.mode;
        let new = self.lib.new_inode(ino(dir), mode)?;
        match attr.kind {
            Kind::Dir => self.lib.mkdir(ino(dir), new)?,
            Kind::Symlink => self.lib.symlink(ino(dir), new, target)?,
            _ => {
                let mut inode = Inode::default();
                inode.set_mode(mode);
                inode.set_links(1);
                if attr.kind == Kind::File && self.super_block.has_extents {
                    inode.use_extents();
                    self.lib.start_extents(new, &mut inode)?;
                }
                self.lib.write_new_inode(new, &mut inode)?;
            }
        }
        let mut inode = self.lib.read_inode(new)?;
        inode.set_birth(self.now);
        self.lib.write_inode(new, &mut inode)?;
        Ok(new.into())
    }

    fn add_name(&mut self, dir: NodeId, name: &[u8], node: NodeId, kind: Kind) -> Result<()> {
        let linked = self.lib.link(ino(dir), name, ino(node), entry_kind(kind));
        linked.map_err(|refusal| self.refused(refusal))?;
        self.touch(dir)
    }

    /// Sets the times of a changed directory.
    fn touch(&mut self, dir: NodeId) -> Result<()> {
        let mut inode = self.inode(dir)?;
        inode.set_times(self.now, self.now);
        self.write_inode(dir, &mut inode)
    }

    /// Sets mode, owner, times and device numbers; size, links and kind stay.
    pub(crate) fn set_attr(&mut self, node: NodeId, attr: &Attr) -> Result<()> {
        let mut inode = self.inode(node)?;
        inode.set_mode(inode.mode() & !0o7777 | attr.mode);
        inode.set_owner(attr.uid, attr.gid);
        inode.set_times(attr.mtime, self.now);
        if let Some(device) = attr.device {
            inode.set_device(device);
        }
        self.write_inode(node, &mut inode)
    }

    /// Fills a new, empty file with `size` bytes of `content`.
    pub(crate) fn fill(&mut self, node: NodeId, content: &mut Source<'_>, size: u64) -> Result<()> {
        let block_size = self.super_block.block_size;
        let mut inode = self.inode(node)?;
        inode.set_size(size);
        self.write_inode(node, &mut inode)?;
        let blocks = size.div_ceil(block_size);
        if blocks > 0 {
            let allocated = self.lib.allocate(ino(node), &mut inode, blocks);
            allocated.map_err(|refusal| self.refused(refusal))?;
            // The library leaves the block count of the inode to its caller.
            self.write_inode(node, &mut inode)?;
        }
        let mut logical = 0;
        let mut piece = Vec::new();
        while logical < blocks {
            let (block, run) = self
                .lib
                .map(ino(node), &mut inode, logical)
                .map_err(|refusal| explain(&self.place, refusal))?;
            let run = run.min(PIECE / block_size).min(blocks - logical);
            let left = size - logical * block_size;
            piece.resize((run * block_size) as usize, 0);
            let bytes = (run * block_size).min(left) as usize;
            content.fill(&mut piece[..bytes])?;
            piece[bytes..].fill(0);
            let block = block.ok_or_else(|| Error::Damaged {
                place: self.place.clone(),
                problem: "a block that was just allocated is not there".to_owned(),
            })?;
            self.write_blocks(block, &piece)?;
            logical += run;
        }
        Ok(())
    }

    fn write_blocks(&mut self, block: u64, data: &[u8]) -> Result<()> {
        let block_size = self.super_block.block_size;
        let written = self.view.write_at(block * block_size, data);
        written.map_err(|source| Error::Disk { place: self.place.clone(), source })?;
        for block in block..block + data.len() as u64 / block_size {
            let bit = block - self.super_block.first_block;
            self.dirty[(bit / 8) as usize] |= 1 << (bit % 8);
        }
        Ok(())
    }

    /// Empties a file.
    pub(crate) fn truncate(&mut self, node: NodeId) -> Result<()> {
        let mut inode = self.inode(node)?;
        if inode.has_blocks(self.sectors_per_block()) {
            let freed = self.lib.free_blocks_of(ino(node), &mut inode);
            freed.map_err(|refusal| self.refused(refusal))?;
        }
        inode.set_size(0);
        self.write_inode(node, &mut inode)
    }

    /// Gives a file (not a directory) another name.
    pub(crate) fn link(&mut self, dir: NodeId, name: &[u8], node: NodeId) -> Result<()> {
        let mut inode = self.inode(node)?;
        if inode.links() >= MAX_LINKS {
            return Err(Error::Edit {
                path: crate::error::show(name),
                problem: format!("the file has {MAX_LINKS} names already"),
            });
        }
        inode.set_links(inode.links() + 1);
        self.write_inode(node, &mut inode)?;
        self.add_name(dir, name, node, inode.attr().kind)
    }

    /// Takes a name away; the last name of a file, or the name of an empty directory,
    /// takes the file with it.
    pub(crate) fn unlink(&mut self, dir: NodeId, name: &[u8], node: NodeId) -> Result<()> {
        let unlinked = self.lib.unlink(ino(dir), name, ino(node));
        unlinked.map_err(|refusal| self.refused(refusal))?;
        self.touch(dir)?;
        let mut inode = self.inode(node)?;
        let is_dir = inode.attr().kind == Kind::Dir;
        if is_dir {
            self.count_subdirectory(dir, -1)?;
        } else if inode.links() > 1 {
            inode.set_links(inode.links() - 1);
            return self.write_inode(node, &mut inode);
        }
        self.free(node, inode, is_dir).map_err(|refusal| self.refused(refusal))
    }

    fn count_subdirectory(&mut self, dir: NodeId, by: i16) -> Result<()> {
        let mut inode = self.inode(dir)?;
        inode.count_subdirectory(by);
        self.write_inode(dir, &mut inode)
    }

    /// Frees an inode that has no name left, with its blocks and attributes.
    fn free(&mut self, node: NodeId, mut inode: Inode, is_dir: bool) -> Result<(), Refusal> {
        let has_blocks = inode.has_blocks(self.sectors_per_block());
        self.lib.free_xattr_block(ino(node), &mut inode)?;
        if has_blocks {
            self.lib.free_blocks_of(ino(node), &mut inode)?;
        }
        inode.set_deleted(self.now);
        self.lib.write_inode(ino(node), &mut inode)?;
        self.lib.count_inode(ino(node), -1, is_dir);
        Ok(())
    }

    /// Moves a node to a name that is free. The caller sees to it that a directory is not
    /// moved below itself.
    pub(crate) fn rename(
        &mut self,
        (from_dir, from): (NodeId, &[u8]),
        (to_dir, to): (NodeId, &[u8]),
        node: NodeId,
    ) -> Result<()> {
        let kind = self.attr(node)?.kind;
        self.add_name(to_dir, to, node, kind)?;
        let unlinked = self.lib.unlink(ino(from_dir), from, ino(node));
        unlinked.map_err(|refusal| self.refused(refusal))?;
        self.touch(from_dir)?;
        if kind == Kind::Dir && from_dir != to_dir {
            let moved = self.lib.set_parent(ino(node), ino(to_dir));
            moved.map_err(|refusal| self.refused(refusal))?;
            self.count_subdirectory(from_dir, -1)?;
            self.count_subdirectory(to_dir, 1)?;
        }
        Ok(())
    }

    /// Extended attributes, sorted by name.
    pub(crate) fn xattrs(&mut self, node: NodeId) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut all = self.lib.xattrs(ino(node)).map_err(|refusal| self.refused(refusal))?;
        all.sort();
        Ok(all)
    }

    /// Sets an extended attribute, or removes it.
    pub(crate) fn set_xattr(
        &mut self,
        node: NodeId,
        name: &[u8],
        value: Option<&[u8]>,
    ) -> Result<()> {
        let set = self.lib.set_xattr(ino(node), name, value);
        set.map_err(|refusal| self.refused(refusal))
    }

    /// What is free.
    pub(crate) fn free_space(&self) -> Need {
        Need { blocks: self.lib.free_blocks(), inodes: self.lib.free_inodes().into() }
    }

    pub(crate) fn block_size(&self) -> u64 {
        self.super_block.block_size
    }

    /// Bytes of extended attributes that fit into an inode itself.
    pub(crate) fn inode_room(&self) -> u64 {
        // 160 bytes of fields and 4 of a magic number come before the attributes.
        self.super_block.inode_size.saturating_sub(164)
    }

    /// Writes what the library still holds, and gives free space back to the view.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.lib.flush().map_err(|refusal| self.refused(refusal))?;
        self.trim()
    }

    /// Discards free space: clusters that are free as a whole, and every single block that
    /// held something before, so that nothing deleted stays readable. Other free blocks are
    /// left as the base has them: their clusters stay untouched.
    fn trim(&mut self) -> Result<()> {
        let first = self.super_block.first_block;
        let count = self.super_block.blocks - first;
        let used = self.lib.used_blocks(first, count).map_err(|refusal| self.refused(refusal))?;
        let is_set = |bits: &[u8], bit: u64| bits[(bit / 8) as usize] & (1 << (bit % 8)) != 0;
        let mut bit = 0;
        while bit < count {
            if is_set(&used, bit) {
                bit += 1;
                continue;
            }
            let end = (bit..count).find(|&b| is_set(&used, b)).unwrap_or(count);
            self.trim_run(first + bit, first + end)?;
            bit = end;
        }
        Ok(())
    }

    /// Discards the free blocks `start..end`.
    fn trim_run(&mut self, start: u64, end: u64) -> Result<()> {
        let block_size = self.super_block.block_size;
        let whole_start = (start * block_size).next_multiple_of(TRIM).min(end * block_size);
        let whole_end = (end * block_size / TRIM * TRIM).max(whole_start);
        let disk = |source| Error::Disk { place: self.place.clone(), source };
        self.view.discard(whole_start, whole_end - whole_start).map_err(disk)?;
        let edges = (start..whole_start.div_ceil(block_size)).chain(whole_end / block_size..end);
        for block in edges {
            let bit = block - self.super_block.first_block;
            if self.dirty[(bit / 8) as usize] & (1 << (bit % 8)) != 0 {
                self.view.discard(block * block_size, block_size).map_err(disk)?;
            }
        }
        Ok(())
    }
}

fn explain(place: &str, refusal: Refusal) -> Error {
    let place = place.to_owned();
    match refusal {
        Refusal::NoSpace => Error::NoSpace {
            place,
            need: "one more block or inode".to_owned(),
            have: "none".to_owned(),
            missing: "at least one".to_owned(),
        },
        Refusal::Disk(source) => Error::Disk { place, source },
        Refusal::Other(problem) => Error::Damaged { place, problem },
    }
}
