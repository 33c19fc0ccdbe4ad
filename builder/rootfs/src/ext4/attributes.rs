//! Extended attributes of files on ext4.

use super::fs::{Ext4, ino};
use super::inode::Inode;
use super::xattr::{self, Stored};
use crate::error::show;
use crate::fs::Xattrs;
use crate::node::NodeId;
use crate::{Error, Result};

/// Bytes of an inode before its extended attributes: fields, and a magic number.
const BEFORE: u64 = 164;

impl Ext4 {
    /// Extended attributes, sorted by name.
    pub(crate) fn xattrs(&mut self, node: NodeId) -> Result<Xattrs> {
        let inode = self.inode(node)?;
        let (all, _) = self.stored(node, &inode)?;
        Ok(xattr::shown(all))
    }

    /// What is stored in an inode and its block, and how many inodes share the block.
    fn stored(&mut self, node: NodeId, inode: &Inode) -> Result<(Vec<Stored>, u32)> {
        let inside = inode.xattr_area().map(xattr::parse_inode).transpose();
        let mut all = match inside {
            Ok(inside) => inside.unwrap_or_default(),
            Err(problem) => return self.damaged(format!("inode {node}: {problem}")),
        };
        let block = match inode.xattr_block() {
            0 => return Ok((all, 0)),
            block => self.call(|lib| lib.read_xattr_block(ino(node), block))?,
        };
        match xattr::parse_block(&block) {
            Ok(outside) => all.extend(outside),
            Err(problem) => return self.damaged(format!("inode {node}: {problem}")),
        }
        Ok((all, xattr::references(&block)))
    }

    /// Sets an extended attribute, or removes it.
    pub(crate) fn set_xattr(
        &mut self,
        node: NodeId,
        name: &[u8],
        value: Option<&[u8]>,
    ) -> Result<()> {
        let refuse = |problem| Err(Error::Edit { path: show(name), problem });
        if !self.super_block.has_xattrs {
            return refuse(format!("{} has no extended attributes", self.place));
        }
        let mut inode = self.inode(node)?;
        let (mut all, shared) = self.stored(node, &inode)?;
        all.retain(|one| !one.is_named(name));
        if let Some(value) = value {
            match Stored::new(name, value) {
                Ok(new) => all.push(new),
                Err(problem) => return refuse(problem),
            }
        }
        let room = inode.xattr_room();
        let (inside, outside) = xattr::split(all, room);
        let block_size = self.super_block.block_size as usize;
        if !xattr::fit_block(&outside, block_size) {
            let problem = format!("more extended attributes than {} holds for a file", self.place);
            return refuse(problem);
        }
        if let Some(area) = inode.xattr_area_mut() {
            xattr::write_inode(&inside, area);
        }
        if inode.xattr_block() != 0 && (outside.is_empty() || shared != 1) {
            self.call(|lib| lib.free_xattr_block(ino(node), &mut inode))?;
        }
        if !outside.is_empty() {
            let mut block = xattr::write_block(&outside, block_size);
            self.write_xattr_block(node, &mut inode, &mut block)?;
        }
        inode.set_changed(self.now);
        self.write_inode(node, &mut inode)
    }

    fn write_xattr_block(
        &mut self,
        node: NodeId,
        inode: &mut Inode,
        bytes: &mut [u8],
    ) -> Result<()> {
        if inode.xattr_block() == 0 {
            let block = self.call(|lib| lib.new_block(ino(node), inode))?;
            inode.add_xattr_block(block, (self.super_block.block_size / 512) as u32);
        }
        let block = inode.xattr_block();
        self.call(|lib| lib.write_xattr_block(ino(node), block, bytes))
    }

    /// Bytes of extended attributes that fit into an inode itself.
    pub(crate) fn inode_room(&self) -> u64 {
        self.super_block.inode_size.saturating_sub(BEFORE)
    }
}
