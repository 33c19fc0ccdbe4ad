//! The copy-on-write layer: edits live here, the base below is never touched.

mod store;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use self::store::{Slot, Store};
use super::{Deflated, Extent, ExtentKind, View, WriteView, check_range};
use crate::Result;

/// Bytes per chunk: the cluster size of nearly every base, so that an edit makes just the
/// clusters it touches differ.
const CHUNK: u64 = 64 << 10;
/// Bytes per block, the unit in which a chunk knows what was written.
const BLOCK: u64 = 4 << 10;
const BLOCKS: usize = (CHUNK / BLOCK) as usize;

/// Where and how much a [`Cow`] may store.
#[derive(Debug, Clone)]
pub struct CowOptions {
    /// Bytes of changed data kept in memory; what comes after goes to the spill file.
    pub memory_limit: u64,
    /// Folder of the spill file, which has no name and vanishes with the process.
    pub spill_dir: PathBuf,
}

impl Default for CowOptions {
    fn default() -> Self {
        Self { memory_limit: 64 << 20, spill_dir: std::env::temp_dir() }
    }
}

/// A changed chunk.
#[derive(Debug)]
enum Chunk {
    /// Discarded: reads as zeros, stores nothing.
    Hole,
    /// Stored in `slot`, as far as `written` says (one bit per block); the rest is the base's.
    Stored { slot: Slot, written: u16 },
}

/// A writable view over a base that stays as it is.
#[derive(Debug)]
pub struct Cow<V> {
    base: V,
    layer: RwLock<Layer>,
}

#[derive(Debug)]
struct Layer {
    chunks: BTreeMap<u64, Chunk>,
    store: Store,
}

/// The part of one chunk that a request covers.
struct Part {
    chunk: u64,
    /// Offset inside the chunk.
    start: u64,
    len: usize,
}

/// Splits `offset..offset + len` at chunk borders.
fn parts(offset: u64, len: u64) -> impl Iterator<Item = Part> {
    let end = offset + len;
    let mut at = offset;
    std::iter::from_fn(move || {
        (at < end).then(|| {
            let start = at % CHUNK;
            let len = (CHUNK - start).min(end - at);
            let part = Part { chunk: at / CHUNK, start, len: len as usize };
            at += len;
            part
        })
    })
}

impl<V: View> Cow<V> {
    /// An unchanged layer over `base`.
    #[must_use]
    pub fn new(base: V, options: CowOptions) -> Self {
        let store = Store::new(options.memory_limit, options.spill_dir);
        Self { base, layer: RwLock::new(Layer { chunks: BTreeMap::new(), store }) }
    }

    // A panic while the lock is held cannot leave a half-made chunk that matters: the whole
    // build fails with that panic. So poisoning is ignored.
    fn layer(&self) -> RwLockReadGuard<'_, Layer> {
        self.layer.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn layer_mut(&self) -> RwLockWriteGuard<'_, Layer> {
        self.layer.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the part of a stored chunk, from the store or the base, block by block run.
    fn read_stored(
        &self,
        store: &Store,
        (slot, written): (Slot, u16),
        part: &Part,
        buf: &mut [u8],
    ) -> Result<()> {
        let mut done = 0;
        while done < buf.len() {
            let at = part.start + done as u64;
            let (mine, run) = run_of_blocks(written, at);
            let len = run.min(buf.len() - done);
            let target = &mut buf[done..done + len];
            if mine {
                store.read(slot, at, target)?;
            } else {
                self.base.read_at(part.chunk * CHUNK + at, target)?;
            }
            done += len;
        }
        Ok(())
    }

    /// Writes into one chunk, taking from the base what partly covered blocks lack.
    fn write_part(&self, layer: &mut Layer, part: &Part, data: &[u8]) -> Result<()> {
        let (slot, written) = match layer.chunks.get(&part.chunk) {
            Some(&Chunk::Stored { slot, written }) => (slot, written),
            Some(Chunk::Hole) => (layer.store.allocate()?, u16::MAX),
            None => (layer.store.allocate()?, 0),
        };
        let end = part.start + part.len as u64;
        for edge in [part.start, end] {
            let block = edge / BLOCK;
            if !edge.is_multiple_of(BLOCK) && written & (1 << block) == 0 {
                self.copy_up(&mut layer.store, slot, part.chunk, block)?;
            }
        }
        layer.store.write(slot, part.start, data)?;
        let written = written | block_mask(part.start, end);
        layer.chunks.insert(part.chunk, Chunk::Stored { slot, written });
        Ok(())
    }

    /// Copies one block of the base into a slot.
    fn copy_up(&self, store: &mut Store, slot: Slot, chunk: u64, block: u64) -> Result<()> {
        let start = chunk * CHUNK + block * BLOCK;
        let len = BLOCK.min(self.base.size().saturating_sub(start)) as usize;
        let mut buf = [0; BLOCK as usize];
        self.base.read_at(start, &mut buf[..len])?;
        store.write(slot, block * BLOCK, &buf)
    }
}

/// Whether the block at `at` is written, and how many bytes follow for which that holds.
fn run_of_blocks(written: u16, at: u64) -> (bool, usize) {
    let first = (at / BLOCK) as usize;
    let mine = written & (1 << first) != 0;
    let last = (first..BLOCKS).find(|&b| (written & (1 << b) != 0) != mine).unwrap_or(BLOCKS);
    (mine, (last as u64 * BLOCK - at) as usize)
}

/// Bits of the blocks that `start..end` (inside a chunk, not empty) touches.
fn block_mask(start: u64, end: u64) -> u16 {
    let first = (start / BLOCK) as u32;
    let last = ((end - 1) / BLOCK) as u32;
    (u16::MAX << first) & (u16::MAX >> (BLOCKS as u32 - 1 - last))
}

impl<V: View> View for Cow<V> {
    fn size(&self) -> u64 {
        self.base.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        check_range(self.size(), offset, buf.len() as u64)?;
        let layer = self.layer();
        let mut rest = buf;
        for part in parts(offset, rest.len() as u64) {
            let (target, after) = rest.split_at_mut(part.len);
            match layer.chunks.get(&part.chunk) {
                Some(Chunk::Hole) => target.fill(0),
                Some(&Chunk::Stored { slot, written }) => {
                    self.read_stored(&layer.store, (slot, written), &part, target)?;
                }
                None => self.base.read_at(part.chunk * CHUNK + part.start, target)?,
            }
            rest = after;
        }
        Ok(())
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        check_range(self.size(), offset, 1)?;
        let layer = self.layer();
        let chunk = offset / CHUNK;
        let chunk_end = ((chunk + 1) * CHUNK).min(self.size());
        match layer.chunks.get(&chunk) {
            Some(Chunk::Hole) => Ok(Extent { kind: ExtentKind::Hole, end: chunk_end }),
            Some(Chunk::Stored { .. }) => Ok(Extent { kind: ExtentKind::Data, end: chunk_end }),
            None => {
                let below = self.base.extent_at(offset)?;
                let next = layer.chunks.range(chunk..).next().map_or(u64::MAX, |(&c, _)| c * CHUNK);
                Ok(Extent { end: below.end.min(next), ..below })
            }
        }
    }

    fn deflated(&self, offset: u64, len: u64) -> Result<Option<Deflated>> {
        check_range(self.size(), offset, len)?;
        let chunks = offset / CHUNK..(offset + len).div_ceil(CHUNK);
        let changed = self.layer().chunks.range(chunks).next().is_some();
        if changed { Ok(None) } else { self.base.deflated(offset, len) }
    }
}

impl<V: View> WriteView for Cow<V> {
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        check_range(self.size(), offset, data.len() as u64)?;
        let mut layer = self.layer_mut();
        let mut rest = data;
        for part in parts(offset, data.len() as u64) {
            let (now, after) = rest.split_at(part.len);
            self.write_part(&mut layer, &part, now)?;
            rest = after;
        }
        Ok(())
    }

    fn discard(&self, offset: u64, len: u64) -> Result<()> {
        check_range(self.size(), offset, len)?;
        let end = offset + len;
        let mut at = offset;
        while at < end {
            let extent = self.extent_at(at)?;
            let chunk_end = ((at / CHUNK + 1) * CHUNK).min(end);
            // What is not stored needs no entry here: a discard of the free space of a
            // large, empty disk must cost nothing.
            if extent.kind != ExtentKind::Data && extent.end >= chunk_end {
                at = if extent.end >= end { end } else { extent.end / CHUNK * CHUNK };
                continue;
            }
            for part in parts(at, chunk_end - at) {
                self.discard_part(&part)?;
            }
            at = chunk_end;
        }
        Ok(())
    }
}

impl<V: View> Cow<V> {
    fn discard_part(&self, part: &Part) -> Result<()> {
        let mut layer = self.layer_mut();
        let chunk_len = CHUNK.min(self.size() - part.chunk * CHUNK);
        if part.len as u64 == chunk_len {
            if let Some(Chunk::Stored { slot, .. }) = layer.chunks.insert(part.chunk, Chunk::Hole) {
                layer.store.free(slot);
            }
            return Ok(());
        }
        self.write_part(&mut layer, part, &vec![0; part.len])
    }
}

#[cfg(test)]
mod tests;
