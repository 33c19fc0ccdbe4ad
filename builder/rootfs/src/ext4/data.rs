//! Content of files on ext4: read, written, let go of.

use std::sync::Arc;

use super::fs::{Ext4, ino};
use super::inode::Inode;
use crate::content::Source;
use crate::error::show;
use crate::node::NodeId;
use crate::{Error, Result};

/// Bytes of a file written at once.
const PIECE: u64 = 1 << 20;
/// What the kernel calls a path, with the zero at its end.
const MAX_PATH: u64 = 4096;
/// Extents of a fragmented file may need blocks of their own: one for so many of data.
const BLOCKS_PER_EXTENT_BLOCK: u64 = 4096;
/// Blocks that an inode without extents points to itself.
const DIRECT_BLOCKS: u64 = 12;

impl Ext4 {
    pub(crate) fn readlink(&mut self, node: NodeId) -> Result<Vec<u8>> {
        let inode = self.inode(node)?;
        if self.content_blocks(&inode) == 0 {
            return Ok(inode.inline_target().to_vec());
        }
        let mut target = vec![0; inode.size().min(MAX_PATH) as usize];
        self.read(node, 0, &mut target)?;
        Ok(target)
    }

    /// Refuses a symlink's target that the kernel would not make.
    pub(super) fn check_target(&self, name: &[u8], target: &[u8]) -> Result<()> {
        let most = self.block_size().min(MAX_PATH) - 1;
        let problem = if target.is_empty() || target.contains(&0) {
            "the target of a symlink is empty or holds a NUL byte".to_owned()
        } else if target.len() as u64 > most {
            let len = target.len();
            format!("the target of a symlink has {len} bytes; {} allows {most}", self.place)
        } else {
            return Ok(());
        };
        Err(Error::Edit { path: show(name), problem })
    }

    /// Blocks that a file's content occupies.
    pub(super) fn content_blocks(&self, inode: &Inode) -> u64 {
        let per_block = (self.super_block.block_size / 512) as u32;
        inode.content_sectors(per_block) / u64::from(per_block)
    }

    /// Blocks that become free when a file goes.
    pub(crate) fn blocks_of(&mut self, node: NodeId) -> Result<u64> {
        let inode = self.inode(node)?;
        Ok(self.content_blocks(&inode))
    }

    /// Blocks that say where the `blocks` blocks of a file lie, at the worst that is likely.
    pub(crate) fn index_blocks(&self, blocks: u64) -> u64 {
        if self.super_block.has_extents {
            return blocks / BLOCKS_PER_EXTENT_BLOCK;
        }
        let per_block = self.super_block.block_size / 4;
        let direct = blocks.div_ceil(per_block);
        if blocks <= DIRECT_BLOCKS { 0 } else { direct + direct.div_ceil(per_block) + 1 }
    }

    /// Where a block of a file lies, if it does, and how many follow it there.
    pub(super) fn map(
        &mut self,
        node: NodeId,
        inode: &mut Inode,
        logical: u64,
    ) -> Result<(Option<u64>, u64)> {
        let (block, run) = self.call(|lib| lib.map(ino(node), inode, logical))?;
        let all = self.super_block.first_block..self.super_block.blocks;
        match block {
            Some(block) if !all.contains(&block) || all.end - block < run => {
                self.damaged(format!("inode {node} has blocks outside of the file system"))
            }
            _ => Ok((block, run)),
        }
    }

    /// Reads from a file; gives the number of bytes, which is short only at its end.
    pub(crate) fn read(&mut self, node: NodeId, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let mut inode = self.inode(node)?;
        let block_size = self.super_block.block_size;
        let len = (buf.len() as u64).min(inode.size().saturating_sub(offset));
        let mut done = 0;
        while done < len {
            let at = offset + done;
            let (block, run) = self.map(node, &mut inode, at / block_size)?;
            let now = (run * block_size - at % block_size).min(len - done);
            let target = &mut buf[done as usize..(done + now) as usize];
            match block {
                Some(block) => {
                    let read = self.view.read_at(block * block_size + at % block_size, target);
                    read.map_err(|source| Error::Disk { place: self.place.clone(), source })?;
                }
                None => target.fill(0),
            }
            done += now;
        }
        Ok(done as usize)
    }

    /// Fills a new, empty file with `size` bytes of `content`.
    pub(crate) fn fill(&mut self, node: NodeId, content: &mut Source<'_>, size: u64) -> Result<()> {
        let block_size = self.super_block.block_size;
        let blocks = size.div_ceil(block_size);
        let mut inode = self.inode(node)?;
        inode.set_size(size);
        self.write_inode(node, &mut inode)?;
        self.call(|lib| lib.allocate(ino(node), &mut inode, blocks))?;
        // The library leaves the block count of the inode to its caller.
        self.write_inode(node, &mut inode)?;
        let mut logical = 0;
        let mut piece = Vec::new();
        while logical < blocks {
            let (block, run) = self.map(node, &mut inode, logical)?;
            let Some(block) = block else {
                return self.damaged("a block that was just allocated is not there");
            };
            let run = run.min(PIECE / block_size).min(blocks - logical);
            let left = size - logical * block_size;
            let bytes = (run * block_size).min(left) as usize;
            piece.resize((run * block_size) as usize, 0);
            content.fill(&mut piece[..bytes])?;
            piece[bytes..].fill(0);
            self.write_blocks(block, &piece)?;
            logical += run;
        }
        Ok(())
    }

    fn write_blocks(&self, block: u64, data: &[u8]) -> Result<()> {
        let (view, offset) = (Arc::clone(&self.view), block * self.super_block.block_size);
        // Zeros, of which large files often have many, need not be stored.
        let written = match data.iter().all(|&byte| byte == 0) {
            true => view.discard(offset, data.len() as u64),
            false => view.write_at(offset, data),
        };
        written.map_err(|source| Error::Disk { place: self.place.clone(), source })
    }

    /// Empties a file.
    pub(crate) fn truncate(&mut self, node: NodeId) -> Result<()> {
        let mut inode = self.inode(node)?;
        if self.content_blocks(&inode) > 0 {
            self.call(|lib| lib.free_blocks_of(ino(node), &mut inode))?;
        }
        inode.set_size(0);
        self.write_inode(node, &mut inode)
    }
}
