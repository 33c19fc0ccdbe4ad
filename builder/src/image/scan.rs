//! Walks over a disk with all processors, and what is learnt on the way.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::{Result, ensure};
use bootwright_disk::Sha256;
use bootwright_disk::view::{ExtentKind, View};
use sha2::Digest;
use uuid::Uuid;

use crate::interrupt;

/// Bytes that one worker looks at in one go.
pub const CHUNK: u64 = 4 << 20;
/// Blocks of zeros are told apart from data by this many bytes.
const BLOCK: usize = 64 << 10;

/// Threads that this machine can run.
pub fn processors() -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Calls `look` with every chunk of `size` bytes of disk, on all processors; gives what it
/// says, in the order of the chunks.
///
/// # Errors
/// The first failure by the order of the chunks, and an interrupt.
pub fn chunks<T: Send>(size: u64, look: impl Fn(u64, usize) -> Result<T> + Sync) -> Result<Vec<T>> {
    let next = AtomicU64::new(0);
    let work = || {
        let mut seen = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(at) = index.checked_mul(CHUNK).filter(|&at| at < size) else {
                return seen;
            };
            if interrupt::is_set() {
                return seen;
            }
            let found = look(at, CHUNK.min(size - at) as usize);
            if found.is_err() {
                next.store(u64::MAX / 2, Ordering::Relaxed);
            }
            seen.push((index, found));
        }
    };
    let mut all: Vec<(u64, Result<T>)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..processors()).map(|_| scope.spawn(work)).collect();
        let joined = workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        joined.flatten().collect()
    });
    ensure!(!interrupt::is_set(), "interrupted");
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, found)| found).collect()
}

/// Reads a part of a disk. Nothing where it is all a hole, which costs no reading.
///
/// # Errors
/// What reading the disk says.
pub fn read(disk: &dyn View, at: u64, len: usize) -> Result<Option<Vec<u8>>> {
    let end = at + len as u64;
    let mut bytes: Option<Vec<u8>> = None;
    let mut from = at;
    while from < end {
        let extent = disk.extent_at(from)?;
        let to = extent.end.min(end);
        if extent.kind == ExtentKind::Data {
            let bytes = bytes.get_or_insert_with(|| vec![0; len]);
            disk.read_at(from, &mut bytes[(from - at) as usize..(to - at) as usize])?;
        }
        from = to;
    }
    Ok(bytes)
}

/// An id of what a disk holds: the same for the same bytes, whatever format they are in and
/// whichever zeros are stored.
///
/// # Errors
/// What reading the disk says.
pub fn content_id(disk: &dyn View) -> Result<Uuid> {
    let digests = chunks(disk.size(), |at, len| {
        let bytes = read(disk, at, len)?.unwrap_or_default();
        let mut hasher = sha2::Sha256::new();
        for (block, offset) in bytes.chunks(BLOCK).zip((at..).step_by(BLOCK)) {
            if block.iter().any(|&byte| byte != 0) {
                hasher.update(offset.to_le_bytes());
                hasher.update(block);
            }
        }
        Ok(Sha256::from(hasher))
    })?;
    let mut all: Vec<u8> = disk.size().to_le_bytes().to_vec();
    all.extend(digests.iter().flat_map(Sha256::bytes));
    // The namespace of this tool's ids: a UUIDv4 made once.
    const NAMESPACE: Uuid = uuid::uuid!("5d7e9a62-6c1b-4bb5-8f0a-1f0f4f6bd6c3");
    Ok(Uuid::new_v5(&NAMESPACE, Sha256::of(&all).bytes()))
}
