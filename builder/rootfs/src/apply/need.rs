//! How much room edits need, before the first one is made.

use std::collections::{HashMap, HashSet};

use crate::edit::{Edit, Meta};
use crate::node::Kind;
use crate::space::{Need, bytes};
use crate::tree::{Last, Place, Tree};
use crate::{Error, Result};

/// A symlink target up to this length lies in the inode.
const INLINE_TARGET: usize = 59;
/// At least the bytes of a directory's first block that are not for names.
const DIR_OVERHEAD: u64 = 128;

/// What is counted for one mount.
#[derive(Default)]
struct Count {
    need: Need,
    /// Bytes of new entries, by directory.
    entries: HashMap<Vec<u8>, u64>,
}

/// What the edits so far come to.
struct Sum {
    counts: Vec<Count>,
    /// Paths that they have made.
    made: HashSet<Vec<u8>>,
}

impl Tree {
    /// Checks that the edits fit into each file system they touch. What removals give back
    /// is not counted in; what a new file replaces is.
    pub(super) fn check_room(&mut self, edits: &[Edit]) -> Result<()> {
        let counts = self.mounts.iter().map(|_| Count::default()).collect();
        let mut sum = Sum { counts, made: HashSet::new() };
        for edit in edits {
            let path = match edit {
                Edit::Remove { .. } => continue,
                Edit::Rename { to, .. } => to,
                _ => edit.path(),
            };
            let mount = self.add_names(&mut sum, path)?;
            let need = self.need(edit, mount)?;
            sum.counts[mount].need += need;
        }
        for (mount, count) in sum.counts.iter().enumerate() {
            if count.need != Need::default() || !count.entries.is_empty() {
                self.compare(mount, count, &sum.made)?;
            }
        }
        Ok(())
    }

    /// Counts the name at a path and those of its parents, as far as they are missing.
    /// Gives the mount on which the path lies. A path that the guest would not see is
    /// refused.
    fn add_names(&mut self, sum: &mut Sum, path: &[u8]) -> Result<usize> {
        let mut missing: Vec<&[u8]> = Vec::new();
        let mut rest = path;
        let mount = loop {
            // What is in the way of the path may be gone before its edit is made. If it is
            // not, that edit says so better.
            let found = match self.walk(rest, Last::Keep) {
                Err(Error::Edit { .. }) => None,
                found => found?,
            };
            if let Some(Place { node: Some(node), path: found, .. }) = found {
                let found = found.strip_suffix(b"/").unwrap_or(&found);
                self.check_seen(&[found, &path[rest.len()..]].concat())?;
                break node.mount;
            }
            missing.push(rest);
            let cut = rest.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
            rest = &rest[..cut];
        };
        for (index, path) in missing.iter().enumerate() {
            if path.is_empty() || !sum.made.insert(path.to_vec()) {
                continue;
            }
            let count = &mut sum.counts[mount];
            if index > 0 {
                count.need += Need { blocks: 1, inodes: 1 };
            }
            let cut = path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
            let size = self.fs(mount)?.entry_size(&path[cut..]);
            *count.entries.entry(path[..cut].to_vec()).or_default() += size;
        }
        Ok(mount)
    }

    fn need(&mut self, edit: &Edit, mount: usize) -> Result<Need> {
        let block_size = self.fs(mount)?.block_size()?;
        Ok(match edit {
            Edit::File { path, content, meta } => {
                let mut need = self.content_need(content.size(), mount, 1)?;
                need += self.xattr_need(meta, mount)?;
                need -= self.replaced(path)?;
                need
            }
            Edit::Symlink { path, target, meta } => {
                let blocks = u64::from(target.len() > INLINE_TARGET);
                let mut need = Need { blocks, inodes: 1 };
                need += self.xattr_need(meta, mount)?;
                need -= self.replaced(path)?;
                need
            }
            Edit::Rewrite { path, content } => {
                let mut need = self.content_need(content.size(), mount, 0)?;
                need -= self.rewritten(path)?;
                need
            }
            Edit::Append { text, .. } => {
                self.content_need(text.len() as u64 + block_size, mount, 1)?
            }
            Edit::Replace { path, from, to } => {
                let times = self.size(path)? / (from.len() as u64).max(1);
                let growth = to.len().saturating_sub(from.len()) as u64;
                self.content_need(times.saturating_mul(growth), mount, 0)?
            }
            Edit::Dir { path, meta } => {
                let inodes = u64::from(!self.exists_at(path));
                let mut need = Need { blocks: inodes, inodes };
                need += self.xattr_need(meta, mount)?;
                need
            }
            Edit::Special { meta, .. } => {
                let mut need = Need { blocks: 0, inodes: 1 };
                need += self.xattr_need(meta, mount)?;
                need
            }
            Edit::Attributes { meta, .. } => self.xattr_need(meta, mount)?,
            _ => Need::default(),
        })
    }

    fn content_need(&mut self, size: u64, mount: usize, inodes: u64) -> Result<Need> {
        let fs = self.fs(mount)?;
        let blocks = size.div_ceil(fs.block_size()?);
        Ok(Need { blocks: blocks + fs.index_blocks(blocks), inodes })
    }

    fn xattr_need(&mut self, meta: &Meta, mount: usize) -> Result<Need> {
        let stored = meta.xattrs.iter().map(|(name, value)| name.len() + value.len() + 20);
        let room = self.fs(mount)?.inode_room();
        let spills = stored.sum::<usize>() as u64 > room;
        Ok(Need { blocks: spills.into(), inodes: 0 })
    }

    /// Whether a path leads to anything now; what is in its way counts as nothing.
    fn exists_at(&mut self, path: &[u8]) -> bool {
        self.exists(path).unwrap_or(false)
    }

    fn size(&mut self, path: &[u8]) -> Result<u64> {
        match self.walk(path, Last::Follow) {
            Ok(Some(Place { node: Some(node), .. })) => {
                Ok(self.fs(node.mount)?.attr(node.id)?.size)
            }
            _ => Ok(0),
        }
    }

    /// What the only name of a file gives back when another file takes its place.
    fn replaced(&mut self, path: &[u8]) -> Result<Need> {
        let Ok(Some(Place { node: Some(node), .. })) = self.walk(path, Last::Keep) else {
            return Ok(Need::default());
        };
        let fs = self.fs(node.mount)?;
        match fs.attr(node.id)? {
            attr if attr.kind == Kind::Dir || attr.links > 1 => Ok(Need::default()),
            _ => Ok(Need { blocks: fs.blocks_of(node.id)?, inodes: 1 }),
        }
    }

    /// What the old content of a file gives back.
    fn rewritten(&mut self, path: &[u8]) -> Result<Need> {
        let Ok(Some(Place { node: Some(node), .. })) = self.walk(path, Last::Follow) else {
            return Ok(Need::default());
        };
        Ok(Need { blocks: self.fs(node.mount)?.blocks_of(node.id)?, inodes: 0 })
    }

    fn compare(&mut self, mount: usize, count: &Count, made: &HashSet<Vec<u8>>) -> Result<()> {
        let place = self.place_name(mount);
        let fs = self.fs(mount)?;
        let (free, block_size) = (fs.free_space()?, fs.block_size()?);
        let entries = count.entries.iter().map(|(dir, &size)| {
            // What is in the first block of a new directory is counted with the directory.
            if made.contains(dir) && size <= block_size - DIR_OVERHEAD {
                return 0;
            }
            // A block more for the index that a directory gets when it outgrows that one.
            size.div_ceil(block_size) + 1
        });
        let entries: u64 = entries.sum();
        let blocks = count.need.blocks.saturating_add(entries);
        let in_bytes = |blocks: u64| bytes(blocks.saturating_mul(block_size));
        if blocks > free.blocks {
            return Err(Error::NoSpace {
                place,
                need: in_bytes(blocks),
                have: in_bytes(free.blocks),
                missing: in_bytes(blocks - free.blocks),
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
}
