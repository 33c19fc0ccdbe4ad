//! Bounded caches of what readers decode: tables and inflated clusters.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;

use crate::Result;
use crate::view::{View, read_vec};

/// Memory of one cache.
const CACHE_BYTES: u64 = 8 << 20;
/// Bytes of a page of a [`Table`].
const PAGE: u64 = 4096;

/// Decoded items by their offset in the file, the least recently used forgotten first.
#[derive(Debug)]
pub(crate) struct Cache<T>(Mutex<LruCache<u64, Arc<T>>>);

impl<T> Cache<T> {
    /// A cache for items of `item_bytes` each: as many as fit, two at least.
    pub(crate) fn new(item_bytes: u64) -> Self {
        let slots = (CACHE_BYTES / item_bytes.max(1)).max(2) as usize;
        Self(Mutex::new(LruCache::new(NonZeroUsize::new(slots).unwrap_or(NonZeroUsize::MIN))))
    }

    /// Looks `key` up or makes and keeps its value. The lock is not held while it is made.
    pub(crate) fn get(&self, key: u64, make: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
        if let Some(hit) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(hit));
        }
        let made = Arc::new(make()?);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(key, Arc::clone(&made));
        Ok(made)
    }
}

/// A table of fixed-size entries in a file. It is read page by page as entries are asked
/// for, so that a header which promises a long table costs nothing.
#[derive(Debug)]
pub(crate) struct Table {
    start: u64,
    len: u64,
    pages: Cache<Vec<u8>>,
}

impl Table {
    /// The table of `len` bytes at `start`, which must lie in the file.
    pub(crate) fn new(start: u64, len: u64) -> Self {
        Self { start, len, pages: Cache::new(PAGE) }
    }

    /// Bytes of the entry at `index`. `N` divides a page; what lies past the table's end
    /// reads as zeros.
    pub(crate) fn entry<const N: usize>(&self, file: &impl View, index: u64) -> Result<[u8; N]> {
        let at = index.saturating_mul(N as u64);
        if at >= self.len {
            return Ok([0; N]);
        }
        let page_start = at / PAGE * PAGE;
        let page = self.pages.get(page_start, || {
            read_vec(file, self.start + page_start, PAGE.min(self.len - page_start))
        })?;
        let inside = (at - page_start) as usize;
        Ok(page.get(inside..inside + N).and_then(|b| b.try_into().ok()).unwrap_or([0; N]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Memory;

    #[test]
    fn makes_an_item_once_and_forgets_the_oldest() {
        let cache = Cache::new(CACHE_BYTES);
        let made = |key| {
            let mut made = false;
            let value = cache.get(key, || {
                made = true;
                Ok(key * 10)
            });
            assert_eq!(*value.unwrap(), key * 10);
            made
        };
        assert_eq!([made(1), made(1), made(2), made(3), made(1)], [true, false, true, true, true]);
    }

    #[test]
    fn reads_entries_across_pages_and_nothing_past_the_end() {
        let file = Memory::new((0..2500u32).flat_map(u32::to_le_bytes).collect());
        let table = Table::new(8, 9000);
        for index in [0, 1, 1023, 1024, 2249] {
            let entry = u32::from_le_bytes(table.entry(&file, index).unwrap());
            assert_eq!(u64::from(entry), index + 2);
        }
        assert_eq!(table.entry(&file, 2250).unwrap(), [0; 4]);
        assert_eq!(table.entry(&file, u64::MAX).unwrap(), [0; 4]);
    }
}
