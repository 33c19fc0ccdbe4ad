//! One ext4 file system: files looked up and changed by inode number.

use std::sync::Arc;

use bootwright_disk::view::{WriteView, read_vec};

use super::index;
use super::inode::Inode;
use super::names::Names;
use super::probe::{self, Super};
use super::sys::{Lib, Refusal};
use crate::node::{Attr, Kind, NodeId};
use crate::space::Need;
use crate::volume::{Access, Volume};
use crate::{Error, Result};

const ROOT: NodeId = 2;
/// More names than this for one file are refused by the kernel too.
const MAX_LINKS: u16 = 65_000;

/// An open file system.
pub(crate) struct Ext4 {
    pub(super) lib: Lib,
    pub(super) view: Arc<dyn WriteView>,
    /// Offset of `view` on the disk.
    pub(super) start: u64,
    pub(super) place: String,
    pub(super) super_block: Super,
    pub(super) now: i64,
    names: Names,
}

impl std::fmt::Debug for Ext4 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ext4").field("place", &self.place).finish_non_exhaustive()
    }
}

pub(super) fn ino(node: NodeId) -> u32 {
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
    /// Opens the file system on the view of `volume`, which lies `start` bytes into its
    /// disk. `now` is the time that every change gets.
    pub(crate) fn open(
        (view, start): (Arc<dyn WriteView>, u64),
        volume: &Volume,
        now: i64,
    ) -> Result<Self> {
        let place = volume.place.as_str();
        let disk = |source| Error::Disk { place: place.to_owned(), source };
        let bytes = read_vec(&view, probe::OFFSET, probe::LEN).map_err(disk)?;
        let super_block = Super::parse(&bytes).ok_or_else(|| Error::Damaged {
            place: place.to_owned(),
            problem: "there is no ext4 file system".to_owned(),
        })?;
        match volume.access {
            Access::Edit => super_block.check_editable(place, view.size())?,
            Access::Read => super_block.check_readable(place, view.size())?,
        }
        let lib = Lib::open(Arc::clone(&view), now, &super_block)
            .map_err(|refusal| explain(place, refusal))?;
        let place = place.to_owned();
        Ok(Self { lib, view, start, place, super_block, now, names: Names::default() })
    }

    pub(crate) fn root(&self) -> NodeId {
        ROOT
    }

    /// Runs an operation of the library and explains its refusal.
    pub(super) fn call<T>(
        &mut self,
        operation: impl FnOnce(&mut Lib) -> Result<T, Refusal>,
    ) -> Result<T> {
        operation(&mut self.lib).map_err(|refusal| explain(&self.place, refusal))
    }

    pub(super) fn damaged<T>(&self, problem: impl Into<String>) -> Result<T> {
        Err(Error::Damaged { place: self.place.clone(), problem: problem.into() })
    }

    /// The inode of a file that has a name.
    pub(super) fn inode(&mut self, node: NodeId) -> Result<Inode> {
        let inode = self.call(|lib| lib.read_inode(ino(node)))?;
        match inode.links() {
            0 => self.damaged(format!("inode {node} has a name, but is free; run e2fsck -f on it")),
            _ => Ok(inode),
        }
    }

    pub(super) fn write_inode(&mut self, node: NodeId, inode: &mut Inode) -> Result<()> {
        self.call(|lib| lib.write_inode(ino(node), inode))
    }

    pub(crate) fn lookup(&mut self, dir: NodeId, name: &[u8]) -> Result<Option<NodeId>> {
        if self.names.of(ino(dir)).is_none() {
            let names = self.call(|lib| lib.list(ino(dir)))?;
            self.names.learn(ino(dir), names);
        }
        let known = self.names.of(ino(dir));
        Ok(known.and_then(|names| names.get(name)).map(|&ino| ino.into()))
    }

    pub(crate) fn attr(&mut self, node: NodeId) -> Result<Attr> {
        self.inode(node).map(|inode| inode.attr())
    }

    /// Names in a directory with their nodes, sorted.
    pub(crate) fn list(&mut self, dir: NodeId) -> Result<Vec<(Vec<u8>, NodeId)>> {
        let names = self.call(|lib| lib.list(ino(dir)))?;
        let mut names: Vec<_> = names.into_iter().map(|(name, ino)| (name, ino.into())).collect();
        names.sort();
        Ok(names)
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
        if attr.kind == Kind::Symlink {
            self.check_target(name, target)?;
        }
        let made = self.create_unnamed(dir, attr, target)?;
        self.set_attr(made, attr)?;
        self.add_name(dir, name, made, attr.kind)?;
        Ok(made)
    }

    fn create_unnamed(&mut self, dir: NodeId, attr: &Attr, target: &[u8]) -> Result<NodeId> {
        let mode = attr.kind.mode_bits() | attr.mode;
        let use_extents = attr.kind == Kind::File && self.super_block.has_extents;
        let (dir, now, size) = (ino(dir), self.now, self.super_block.inode_size as usize);
        self.call(|lib| {
            let new = lib.new_inode(dir, mode)?;
            match attr.kind {
                Kind::Dir => lib.mkdir(dir, new)?,
                Kind::Symlink => lib.symlink(dir, new, target)?,
                _ => {
                    let mut inode = Inode::new(size);
                    inode.set_mode(mode);
                    inode.set_links(1);
                    if use_extents {
                        inode.use_extents();
                    }
                    lib.write_new_inode(new, &mut inode)?;
                }
            }
            let mut inode = lib.read_inode(new)?;
            inode.set_birth(now);
            lib.write_inode(new, &mut inode)?;
            Ok(new.into())
        })
    }

    fn add_name(&mut self, dir: NodeId, name: &[u8], node: NodeId, kind: Kind) -> Result<()> {
        let link =
            |fs: &mut Self| fs.call(|lib| lib.link(ino(dir), name, ino(node), entry_kind(kind)));
        if !link(self)? {
            self.make_room(dir)?;
            if !link(self)? {
                return self.damaged(format!("directory {dir} has no room for one more name"));
            }
        }
        self.names.add(ino(dir), name, ino(node));
        self.touch(dir)
    }

    /// Makes a directory one block larger. When it outgrows its first one, it gets an index.
    fn make_room(&mut self, dir: NodeId) -> Result<()> {
        let mut inode = self.inode(dir)?;
        let is_small = inode.size() == self.super_block.block_size;
        let first = self.map(dir, &mut inode, 0)?.0;
        self.call(|lib| lib.expand_dir(ino(dir)))?;
        let (Some(style), Some(first), true) = (self.super_block.index, first, is_small) else {
            return Ok(());
        };
        let mut inode = self.inode(dir)?;
        let old = self.call(|lib| lib.read_dir_block(ino(dir), first))?;
        let (Some(second), Some((mut root, mut leaf))) =
            (self.map(dir, &mut inode, 1)?.0, index::split(&old, style))
        else {
            return Ok(());
        };
        self.call(|lib| lib.write_dir_block(ino(dir), second, &mut leaf))?;
        self.call(|lib| lib.write_dir_block(ino(dir), first, &mut root))?;
        inode.set_indexed();
        self.write_inode(dir, &mut inode)
    }

    fn remove_name(&mut self, dir: NodeId, name: &[u8], node: NodeId) -> Result<()> {
        self.call(|lib| lib.unlink(ino(dir), name, ino(node)))?;
        self.names.remove(ino(dir), name);
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
        // A time that stays keeps its nanoseconds, too.
        if inode.mtime() == attr.mtime {
            inode.set_changed(self.now);
        } else {
            inode.set_times(attr.mtime, self.now);
        }
        if let Some(device) = attr.device {
            inode.set_device(device);
        }
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
        inode.set_changed(self.now);
        self.write_inode(node, &mut inode)?;
        self.add_name(dir, name, node, inode.attr().kind)
    }

    /// Takes a name away; the last name of a file, or the name of an empty directory,
    /// takes the file with it.
    pub(crate) fn unlink(&mut self, dir: NodeId, name: &[u8], node: NodeId) -> Result<()> {
        self.remove_name(dir, name, node)?;
        if self.attr(node)?.kind == Kind::Dir {
            self.count_subdirectory(dir, -1)?;
        }
        self.release(node)
    }

    /// What [`Ext4::unlink`] does to the file alone. For directories that are emptied to be
    /// removed: taking out name by name would search the directory each time.
    pub(crate) fn release(&mut self, node: NodeId) -> Result<()> {
        let mut inode = self.inode(node)?;
        let is_dir = inode.attr().kind == Kind::Dir;
        if !is_dir && inode.links() > 1 {
            inode.set_links(inode.links() - 1);
            inode.set_changed(self.now);
            return self.write_inode(node, &mut inode);
        }
        self.names.forget(ino(node));
        self.free(node, inode, is_dir)
    }

    fn count_subdirectory(&mut self, dir: NodeId, by: i16) -> Result<()> {
        let mut inode = self.inode(dir)?;
        inode.count_subdirectory(by);
        self.write_inode(dir, &mut inode)
    }

    /// Frees an inode that has no name left, with its blocks and attributes.
    fn free(&mut self, node: NodeId, mut inode: Inode, is_dir: bool) -> Result<()> {
        let (now, has_blocks) = (self.now, self.content_blocks(&inode) > 0);
        self.call(|lib| {
            lib.free_xattr_block(ino(node), &mut inode)?;
            if has_blocks {
                lib.free_blocks_of(ino(node), &mut inode)?;
            }
            inode.set_deleted(now);
            lib.write_inode(ino(node), &mut inode)?;
            lib.count_inode(ino(node), -1, is_dir);
            Ok(())
        })
    }

    /// Moves a node to a name that is free. The caller sees to it that a directory is not
    /// moved below itself.
    pub(crate) fn rename(
        &mut self,
        (from_dir, from): (NodeId, &[u8]),
        (to_dir, to): (NodeId, &[u8]),
        node: NodeId,
    ) -> Result<()> {
        let mut inode = self.inode(node)?;
        let kind = inode.attr().kind;
        inode.set_changed(self.now);
        self.write_inode(node, &mut inode)?;
        self.add_name(to_dir, to, node, kind)?;
        self.remove_name(from_dir, from, node)?;
        if kind == Kind::Dir && from_dir != to_dir {
            self.call(|lib| lib.set_parent(ino(node), ino(to_dir)))?;
            self.count_subdirectory(from_dir, -1)?;
            self.count_subdirectory(to_dir, 1)?;
        }
        Ok(())
    }

    /// What is free.
    pub(crate) fn free_space(&self) -> Need {
        Need { blocks: self.lib.free_blocks(), inodes: self.lib.free_inodes().into() }
    }

    /// Bytes of all blocks.
    pub(crate) fn size(&self) -> u64 {
        self.super_block.blocks.saturating_mul(self.super_block.block_size)
    }

    pub(crate) fn block_size(&self) -> u64 {
        self.super_block.block_size
    }
}

fn explain(place: &str, refusal: Refusal) -> Error {
    let place = place.to_owned();
    match refusal {
        Refusal::NoSpace => Error::Full { place },
        Refusal::Disk(source) => Error::Disk { place, source },
        Refusal::Other(problem) => {
            Error::Damaged { place, problem: format!("{problem}; run e2fsck -f on it") }
        }
    }
}
