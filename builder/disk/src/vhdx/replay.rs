//! The file as its log leaves it. The file itself stays as it is: changes are kept beside it.

use super::layout::{Header, MAX_SIZE, bad, unsupported};
use super::log::{self, Change, Replay, SECTOR};
use crate::Result;
use crate::view::{Cow, CowOptions, Extent, Grown, View, WriteView, read_vec};

/// Longest log that is replayed. Hyper-V's and QEMU's have 1 MiB.
const MAX_LOG: u32 = 64 << 20;

/// A file, perhaps with changes.
#[derive(Debug)]
pub(super) enum Replayed<V> {
    Clean(V),
    Changed(Box<Cow<Grown<V>>>),
}

impl<V: View> Replayed<V> {
    /// Replays the log of `file`, if `header` says that there is something in it.
    pub(super) fn new(file: V, header: &Header) -> Result<Self> {
        if header.log.is_nil() {
            return Ok(Self::Clean(file));
        }
        if header.log_len > MAX_LOG {
            return Err(unsupported(format!("a log of {} bytes", header.log_len)));
        }
        let bytes = read_vec(&file, header.log_offset, header.log_len.into())?;
        let replay = log::parse(&bytes, header.log, header.log_offset)?;
        let size = check(&replay, header.log_offset, file.size())?;
        let changed = Cow::new(Grown::new(file, size), CowOptions::default());
        for change in &replay.changes {
            match change {
                Change::Zero { offset, len } => changed.discard(*offset, *len)?,
                Change::Data { offset, bytes } => changed.write_at(*offset, &bytes[..])?,
            }
        }
        Ok(Self::Changed(Box::new(changed)))
    }
}

/// Checks that the changes are plausible and gives the size that the file has after them.
fn check(replay: &Replay, at: u64, file_size: u64) -> Result<u64> {
    if replay.flushed_size > file_size {
        let problem = format!(
            "it knows a file of {} bytes, but there are {file_size}; the file is truncated: \
             fetch it again",
            replay.flushed_size
        );
        return Err(bad("log", at, problem));
    }
    let mut size = file_size.max(replay.last_size);
    let mut zeros = 0u64;
    for change in &replay.changes {
        let (Change::Zero { offset, .. } | Change::Data { offset, .. }) = change;
        let end = change.end().unwrap_or(u64::MAX);
        if !offset.is_multiple_of(SECTOR as u64) || !end.is_multiple_of(SECTOR as u64) {
            let problem = format!("a change at {offset:#x} is not whole sectors of 4096 bytes");
            return Err(bad("log", at, problem));
        }
        if let Change::Zero { len, .. } = change {
            zeros = zeros.saturating_add(*len);
        }
        size = size.max(end);
    }
    // Twice the largest disk; and zeros that are more than the file are no honest log's.
    if size > 2 * MAX_SIZE || zeros > size.min(4 * file_size) {
        let problem = format!("it makes the file {size} bytes long and {zeros} of them zero");
        return Err(bad("log", at, problem));
    }
    Ok(size)
}

impl<V: View> View for Replayed<V> {
    fn size(&self) -> u64 {
        match self {
            Self::Clean(file) => file.size(),
            Self::Changed(changed) => changed.size(),
        }
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        match self {
            Self::Clean(file) => file.read_at(offset, buf),
            Self::Changed(changed) => changed.read_at(offset, buf),
        }
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        match self {
            Self::Clean(file) => file.extent_at(offset),
            Self::Changed(changed) => changed.extent_at(offset),
        }
    }
}
