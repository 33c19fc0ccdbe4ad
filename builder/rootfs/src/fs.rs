//! A file system of either kind, behind one set of operations.

use std::sync::Arc;

use bootwright_disk::view::WriteView;

use crate::Result;
use crate::content::Source;
use crate::ext4::Ext4;
use crate::fat::Fat;
use crate::node::{Attr, Kind, NodeId};
use crate::space::Need;
use crate::volume::{Contents, Volume};

/// Extended attributes: names and values.
pub type Xattrs = Vec<(Vec<u8>, Vec<u8>)>;

/// An open file system.
#[derive(Debug)]
pub(crate) enum Fs {
    Ext4(Box<Ext4>),
    Fat(Box<Fat>),
}

/// Calls the operation of the same name of whichever file system it is.
macro_rules! either {
    ($self:ident, $fs:ident => $call:expr) => {
        match $self {
            Self::Ext4($fs) => $call,
            Self::Fat($fs) => $call,
        }
    };
}

impl Fs {
    /// Opens a volume's file system; nothing if it is of a kind that is not edited here.
    pub(crate) fn open(volume: &Volume, now: i64) -> Result<Option<Self>> {
        let view: Arc<dyn WriteView> = Arc::clone(&volume.view);
        let start = volume.partition.as_ref().map_or(0, |partition| partition.start);
        Ok(match &volume.contents {
            Contents::Ext4 { .. } => {
                Some(Self::Ext4(Box::new(Ext4::open((view, start), volume, now)?)))
            }
            Contents::Fat { .. } => Some(Self::Fat(Box::new(Fat::open(view, &volume.place, now)?))),
            Contents::Other => None,
        })
    }

    pub(crate) fn root(&self) -> NodeId {
        either!(self, fs => fs.root())
    }

    pub(crate) fn lookup(&mut self, dir: NodeId, name: &[u8]) -> Result<Option<NodeId>> {
        either!(self, fs => fs.lookup(dir, name))
    }

    pub(crate) fn attr(&mut self, node: NodeId) -> Result<Attr> {
        either!(self, fs => fs.attr(node))
    }

    pub(crate) fn list(&mut self, dir: NodeId) -> Result<Vec<(Vec<u8>, NodeId)>> {
        either!(self, fs => fs.list(dir))
    }

    pub(crate) fn read(&mut self, node: NodeId, offset: u64, buf: &mut [u8]) -> Result<usize> {
        either!(self, fs => fs.read(node, offset, buf))
    }

    pub(crate) fn readlink(&mut self, node: NodeId) -> Result<Vec<u8>> {
        match self {
            Self::Ext4(fs) => fs.readlink(node),
            Self::Fat(_) => Ok(Vec::new()),
        }
    }

    pub(crate) fn create(
        &mut self,
        dir: NodeId,
        name: &[u8],
        attr: &Attr,
        target: &[u8],
    ) -> Result<NodeId> {
        match self {
            Self::Ext4(fs) => fs.create(dir, name, attr, target),
            Self::Fat(fs) => fs.create(dir, name, attr.kind),
        }
    }

    pub(crate) fn set_attr(&mut self, node: NodeId, attr: &Attr) -> Result<()> {
        match self {
            Self::Ext4(fs) => fs.set_attr(node, attr),
            Self::Fat(_) => Ok(()),
        }
    }

    /// Fills a new, empty file.
    pub(crate) fn fill(&mut self, node: NodeId, from: &mut Source<'_>, size: u64) -> Result<()> {
        either!(self, fs => fs.fill(node, from, size))
    }

    /// Empties a file, so that it can be filled again.
    pub(crate) fn truncate(&mut self, node: NodeId) -> Result<()> {
        either!(self, fs => fs.truncate(node))
    }

    pub(crate) fn link(&mut self, dir: NodeId, name: &[u8], node: NodeId) -> Result<()> {
        match self {
            Self::Ext4(fs) => fs.link(dir, name, node),
            // Refused with the reason, as every kind that FAT does not hold.
            Self::Fat(fs) => fs.create(dir, name, Kind::Symlink).map(drop),
        }
    }

    pub(crate) fn unlink(&mut self, dir: NodeId, name: &[u8], node: NodeId) -> Result<()> {
        either!(self, fs => fs.unlink(dir, name, node))
    }

    /// Lets go of a file whose directory is about to be removed.
    pub(crate) fn release(&mut self, dir: NodeId, name: &[u8], node: NodeId) -> Result<()> {
        match self {
            Self::Ext4(fs) => fs.release(node),
            Self::Fat(fs) => fs.unlink(dir, name, node),
        }
    }

    pub(crate) fn rename(
        &mut self,
        from: (NodeId, &[u8]),
        to: (NodeId, &[u8]),
        node: NodeId,
    ) -> Result<()> {
        match self {
            Self::Ext4(fs) => fs.rename(from, to, node),
            Self::Fat(fs) => fs.rename(from, to),
        }
    }

    pub(crate) fn xattrs(&mut self, node: NodeId) -> Result<Xattrs> {
        match self {
            Self::Ext4(fs) => fs.xattrs(node),
            Self::Fat(_) => Ok(Vec::new()),
        }
    }

    pub(crate) fn set_xattr(
        &mut self,
        node: NodeId,
        name: &[u8],
        value: Option<&[u8]>,
    ) -> Result<()> {
        match self {
            Self::Ext4(fs) => fs.set_xattr(node, name, value),
            Self::Fat(_) => Ok(()),
        }
    }

    pub(crate) fn free_space(&mut self) -> Result<Need> {
        match self {
            Self::Ext4(fs) => Ok(fs.free_space()),
            Self::Fat(fs) => fs.free_space(),
        }
    }

    pub(crate) fn block_size(&mut self) -> Result<u64> {
        match self {
            Self::Ext4(fs) => Ok(fs.block_size()),
            Self::Fat(fs) => fs.block_size(),
        }
    }

    /// Bytes of the file system.
    pub(crate) fn size(&mut self) -> Result<u64> {
        match self {
            Self::Ext4(fs) => Ok(fs.size()),
            Self::Fat(fs) => fs.size(),
        }
    }

    /// Blocks that become free when a file goes.
    pub(crate) fn blocks_of(&mut self, node: NodeId) -> Result<u64> {
        match self {
            Self::Ext4(fs) => fs.blocks_of(node),
            Self::Fat(fs) => Ok(fs.attr(node)?.size.div_ceil(fs.block_size()?)),
        }
    }

    /// Blocks that say where the `blocks` blocks of a file lie.
    pub(crate) fn index_blocks(&self, blocks: u64) -> u64 {
        match self {
            Self::Ext4(fs) => fs.index_blocks(blocks),
            Self::Fat(_) => 0,
        }
    }

    /// Bytes that a name takes in its directory.
    pub(crate) fn entry_size(&self, name: &[u8]) -> u64 {
        let len = name.len() as u64;
        match self {
            // An entry before the name, filled up; half-full blocks of hashed directories.
            Self::Ext4(_) => 2 * (len + 12),
            // 13 characters to a slot of a long name, and one slot for the short one.
            Self::Fat(_) => 32 * (2 + len / 13),
        }
    }

    /// Bytes of extended attributes that cost no block of their own.
    pub(crate) fn inode_room(&self) -> u64 {
        match self {
            Self::Ext4(fs) => fs.inode_room(),
            Self::Fat(_) => u64::MAX,
        }
    }

    /// Completes all changes.
    pub(crate) fn finish(self) -> Result<()> {
        either!(self, fs => fs.finish())
    }
}
