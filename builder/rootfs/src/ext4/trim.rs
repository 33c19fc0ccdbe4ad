//! The end of a session: what the library still holds is written, and free space is given
//! back to the view.

use super::fs::Ext4;
use crate::{Error, Result};

/// A cluster of nearly every image: discards of less are not worth splitting one.
const CLUSTER: u64 = 64 << 10;

impl Ext4 {
    /// Writes what the library still holds, and gives free space back to the view. Without
    /// a change nothing is written.
    pub(crate) fn finish(mut self) -> Result<()> {
        if !self.lib.is_changed() {
            return Ok(());
        }
        self.call(|lib| lib.flush())?;
        self.trim()?;
        self.erase()
    }

    /// Discards the clusters that are free as a whole. Other free blocks are left as the
    /// base has them, so that their clusters stay untouched.
    fn trim(&mut self) -> Result<()> {
        let end = self.super_block.blocks;
        let mut at = self.super_block.first_block;
        while at < end {
            let start = self.call(|lib| lib.find_block(at, end, false))?;
            at = self.call(|lib| lib.find_block(start, end, true))?;
            self.discard_clusters(start, at)?;
        }
        Ok(())
    }

    fn discard_clusters(&self, start: u64, end: u64) -> Result<()> {
        let block_size = self.super_block.block_size;
        // Clusters count from the start of the disk, not of the partition.
        let on_disk = |block: u64| self.start + block * block_size;
        let first = on_disk(start).next_multiple_of(CLUSTER);
        let last = on_disk(end) / CLUSTER * CLUSTER;
        match last.checked_sub(first) {
            Some(len) if len > 0 => self.discard(first - self.start, len),
            _ => Ok(()),
        }
    }

    /// Discards each block that was let go of, so that nothing deleted stays readable.
    fn erase(&mut self) -> Result<()> {
        let block_size = self.super_block.block_size;
        for (first, count) in self.lib.freed_runs().to_vec() {
            let mut at = first;
            while at < first + count {
                let start = self.call(|lib| lib.find_block(at, first + count, false))?;
                at = self.call(|lib| lib.find_block(start, first + count, true))?;
                self.discard(start * block_size, (at - start) * block_size)?;
            }
        }
        Ok(())
    }

    fn discard(&self, offset: u64, len: u64) -> Result<()> {
        let discarded = self.view.discard(offset, len);
        discarded.map_err(|source| Error::Disk { place: self.place.clone(), source })
    }
}
