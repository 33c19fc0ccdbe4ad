//! How much room edits need, before the first one is made.

use std::collections::HashSet;

use crate::edit::{Edit, Meta};
use crate::node::Kind;
use crate::space::{Need, bytes};
use crate::tree::{Last, Place, Tree};
use crate::{Error, Result};

/// Extents of a fragmented file may need blocks of their own: one for so many blocks of
/// data, at the worst that is likely.
const BLOCKS_PER_EXTENT_BLOCK: u64 = 4096;
/// A symlink target up to this length lies in the inode.
const INLINE_TARGET: usize = 59;

/// What is counted for one mount.
#[derive(Default)]
struct Count {
    need: Need,
    /// Bytes of new directory entries.
    entry_bytes: u64,
}

impl Tree {
    /// Checks that the edits fit into each file system they touch. What removals give back
    /// is not counted in; what a new file replaces is.
    pub(super) fn check_room(&mut self, edits: &[Edit]) -> Result<()> {
        let mut counts: Vec<Count> = self.mounts.iter().map(|_| Count::default()).collect();
        let mut made = HashSet::new();
        for edit in edits {
            let (mount, exists) = self.target(edit)?;
            let entry = if exists || !made.insert(edit.path().to_vec()) {
                0
            } else {
                edit.path().len().min(255) as u64 + 12
            };
            counts[mount].entry_bytes += entry;
            counts[mount].need += self.need(edit, mount)?;
        }
        for (mount, count) in counts.iter().enumerate() {
            if count.need != Need::default() {
                self.compare(mount, count)?;
            }
        }
        Ok(())
    }

    /// The mount that an edit lands on, and whether its path exists.
    fn target(&mut self, edit: &Edit) -> Result<(usize, bool)> {
        let mut path = edit.path();
        loop {
            if let Some(Place { parent, node, .. }) = self.walk(path, Last::Keep)? {
                let dir = node.or(parent.map(|(dir, _)| dir));
                let exists = node.is_some() && path == edit.path();
                return Ok((dir.map_or(0, |node| node.mount), exists));
            }
            let cut = path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
            path = &path[..cut];
        }
    }

    fn need(&mut self, edit: &Edit, mount: usize) -> Result<Need> {
        let block_size = self.fs(mount)?.block_size()?;
        let file = |size: u64| {
            let blocks = size.div_ceil(block_size);
            Need { blocks: blocks + blocks / BLOCKS_PER_EXTENT_BLOCK, inodes: 1 }
        };
        let mut need = match edit {
            Edit::File { content, .. } => file(content.size()),
            Edit::Rewrite { content, .. } => Need { inodes: 0, ..file(content.size()) },
            Edit::Append { text, .. } => file(text.len() as u64),
            Edit::Dir { .. } => Need { blocks: 1, inodes: 1 },
            Edit::Symlink { target, .. } => {
                Need { blocks: u64::from(target.len() > INLINE_TARGET), inodes: 1 }
            }
            Edit::Special { .. } => Need { blocks: 0, inodes: 1 },
            _ => Need::default(),
        };
        match edit {
            Edit::File { path, meta, .. } | Edit::Symlink { path, meta, .. } => {
                need += self.xattr_need(meta, mount)?;
                need -= self.held(path, block_size)?;
            }
            Edit::Rewrite { path, .. } => need -= self.held(path, block_size)?,
            Edit::Dir { path, meta } if self.exists(path)? => {
                need = self.xattr_need(meta, mount)?;
            }
            Edit::Attributes { meta, .. } | Edit::Dir { meta, .. } => {
                need += self.xattr_need(meta, mount)?;
            }
            _ => {}
        }
        Ok(need)
    }

    fn xattr_need(&mut self, meta: &Meta, mount: usize) -> Result<Need> {
        let stored = meta.xattrs.iter().map(|(name, value)| name.len() + value.len() + 20);
        let room = self.fs(mount)?.inode_room();
        let spills = stored.sum::<usize>() as u64 > room;
        Ok(Need { blocks: spills.into(), inodes: 0 })
    }

    /// What the only name of a file gives back when it is replaced.
    fn held(&mut self, path: &[u8], block_size: u64) -> Result<Need> {
        match self.attr(path)? {
            Some(attr) if attr.kind == Kind::File && attr.links == 1 => {
                Ok(Need { blocks: attr.size / block_size, inodes: 1 })
            }
            _ => Ok(Need::default()),
        }
    }

    fn compare(&mut self, mount: usize, count: &Count) -> Result<()> {
        let place = self.place_name(mount);
        let fs = self.fs(mount)?;
        let (free, block_size) = (fs.free_space()?, fs.block_size()?);
        let blocks = count.need.blocks + count.entry_bytes.div_ceil(block_size);
        if blocks > free.blocks {
            return Err(Error::NoSpace {
                place,
                need: bytes(blocks * block_size),
                have: bytes(free.blocks * block_size),
                missing: bytes((blocks - free.blocks) * block_size),
            });
        }
        if count.need.inodes > free.inodes {
            return Err(Error::NoSpace {
                place,
                need: format!("{} inodes", count.need.inodes),
                have: free.inodes.to_string(),
                missing: (count.need.inodes - free.inodes).to_string(),
            });
        }
        Ok(())
    }

    /// Whether a mount lies at or below a path.
    pub(super) fn is_mounted_below(&self, path: &[u8]) -> bool {
        let inside = [path, b"/"].concat();
        let points = self.mounts.iter().skip(1).map(|mount| mount.point());
        points.into_iter().any(|point| point == path || point.starts_with(&inside))
    }
}
