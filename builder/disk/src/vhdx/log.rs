//! The log (MS-VHDX 2.3): which changes were promised but perhaps not made. Bytes to values.

use uuid::Uuid;

use super::layout::{bad, guid};
use crate::Result;
use crate::fields::{le32, le64, put};

/// Bytes of a sector of the log, in which everything in it counts.
pub(super) const SECTOR: usize = 4096;
const ENTRY_HEADER: usize = 64;
const DESCRIPTOR: usize = 32;

/// A change of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// `len` zeros at `offset`.
    Zero { offset: u64, len: u64 },
    /// A sector of bytes at `offset`.
    Data { offset: u64, bytes: Box<[u8; SECTOR]> },
}

impl Change {
    /// First byte of the file behind the change.
    pub(super) fn end(&self) -> Option<u64> {
        match self {
            Self::Zero { offset, len } => offset.checked_add(*len),
            Self::Data { offset, .. } => offset.checked_add(SECTOR as u64),
        }
    }
}

/// What has to be done to the file before it may be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Replay {
    /// Changes in the order in which they have to be made.
    pub(super) changes: Vec<Change>,
    /// Size that the file had at least when the last entry was written.
    pub(super) flushed_size: u64,
    /// Size that the file must have afterwards.
    pub(super) last_size: u64,
}

/// An entry of the log that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    /// First sector in the log, and how many sectors.
    start: usize,
    sectors: usize,
    sequence: u64,
    /// Sector of the oldest entry that has to be replayed together with this one.
    tail: usize,
    descriptors: usize,
    flushed_size: u64,
    last_size: u64,
}

/// The log's bytes, a ring of whole sectors.
struct Ring<'a> {
    bytes: &'a [u8],
    id: Uuid,
}

impl<'a> Ring<'a> {
    fn sectors(&self) -> usize {
        self.bytes.len() / SECTOR
    }

    fn sector(&self, index: usize) -> &'a [u8] {
        let start = index % self.sectors() * SECTOR;
        &self.bytes[start..start + SECTOR]
    }

    /// Descriptor `index` of the entry at sector `start`. They follow the header of the entry.
    fn descriptor(&self, start: usize, index: usize) -> &'a [u8] {
        let at = ENTRY_HEADER + index * DESCRIPTOR;
        &self.sector(start + at / SECTOR)[at % SECTOR..][..DESCRIPTOR]
    }

    /// The entry at a sector, if there is a whole one. What costs little is looked at first,
    /// and the rest only as far as sector by sector is right: entries cannot overlap, so that
    /// all of a log costs no more than reading it a few times.
    fn entry(&self, start: usize) -> Option<Entry> {
        let header = self.sector(start);
        let entry = Entry {
            start,
            sectors: le32(header, 8) as usize / SECTOR,
            sequence: le64(header, 16),
            tail: le32(header, 12) as usize / SECTOR,
            descriptors: le32(header, 24) as usize,
            flushed_size: le64(header, 48),
            last_size: le64(header, 56),
        };
        let is_ours = header.starts_with(b"loge")
            && guid(header, 32) == self.id
            && entry.sequence > 0
            && entry.sectors <= self.sectors()
            && entry.tail < self.sectors();
        let is_whole = || self.data_sectors(&entry) == Some(entry.sectors);
        (is_ours && is_whole() && self.checksum(&entry) == le32(header, 4)).then_some(entry)
    }

    /// Sectors that the entry has by its descriptors; nothing if one of those or a data
    /// sector is not the entry's.
    fn data_sectors(&self, entry: &Entry) -> Option<usize> {
        let mut sectors = descriptor_sectors(entry.descriptors);
        if sectors > entry.sectors {
            return None;
        }
        for index in 0..entry.descriptors {
            let descriptor = self.descriptor(entry.start, index);
            if le64(descriptor, 24) != entry.sequence {
                return None;
            }
            match &descriptor[..4] {
                b"zero" => {}
                b"desc" => {
                    let data = self.sector(entry.start + sectors);
                    let sequence =
                        u64::from(le32(data, 4)) << 32 | u64::from(le32(data, SECTOR - 4));
                    if !data.starts_with(b"data") || sequence != entry.sequence {
                        return None;
                    }
                    sectors += 1;
                }
                _ => return None,
            }
            if sectors > entry.sectors {
                return None;
            }
        }
        Some(sectors)
    }

    fn checksum(&self, entry: &Entry) -> u32 {
        let header = self.sector(entry.start);
        let start = crc32c::crc32c_append(crc32c::crc32c(&header[..4]), &[0; 4]);
        let first = crc32c::crc32c_append(start, &header[8..]);
        (1..entry.sectors)
            .fold(first, |crc, n| crc32c::crc32c_append(crc, self.sector(entry.start + n)))
    }

    /// Adds the changes of an entry.
    fn changes(&self, entry: &Entry, changes: &mut Vec<Change>) {
        let mut data = entry.start + descriptor_sectors(entry.descriptors);
        for index in 0..entry.descriptors {
            let descriptor = self.descriptor(entry.start, index);
            let offset = le64(descriptor, 16);
            if descriptor.starts_with(b"zero") {
                changes.push(Change::Zero { offset, len: le64(descriptor, 8) });
                continue;
            }
            let mut bytes = Box::new([0; SECTOR]);
            bytes.copy_from_slice(self.sector(data));
            put(&mut bytes[..], 0, &descriptor[8..16]);
            put(&mut bytes[..], SECTOR - 4, &descriptor[4..8]);
            changes.push(Change::Data { offset, bytes });
            data += 1;
        }
    }

    /// The newest sequence of entries that is complete: each follows on the one before, in
    /// place and number, the first is the tail of the last, and nothing follows on that.
    fn active_sequence(&self) -> Option<Vec<Entry>> {
        let entries: Vec<Option<Entry>> = (0..self.sectors()).map(|at| self.entry(at)).collect();
        let mut best: Option<(Entry, Entry)> = None;
        for head in entries.iter().flatten() {
            let is_newer = best.is_none_or(|(_, newest)| head.sequence > newest.sequence);
            if let Some(tail) = entries[head.tail]
                && is_newer
                && next(&entries, head).is_none()
                && follow(&entries, tail, *head).is_some()
            {
                best = Some((tail, *head));
            }
        }
        best.and_then(|(tail, head)| follow(&entries, tail, head))
    }
}

/// The entry that follows on another one, in place and number.
fn next(entries: &[Option<Entry>], last: &Entry) -> Option<Entry> {
    entries[(last.start + last.sectors) % entries.len()]
        .filter(|next| last.sequence.checked_add(1) == Some(next.sequence))
}

/// The entries from `tail` to `head`, if they are a sequence. The numbers grow, so that this
/// ends even on a ring.
fn follow(entries: &[Option<Entry>], tail: Entry, head: Entry) -> Option<Vec<Entry>> {
    let mut sequence = vec![tail];
    let mut last = tail;
    while last != head {
        last = next(entries, &last).filter(|next| next.sequence <= head.sequence)?;
        sequence.push(last);
    }
    Some(sequence)
}

/// Sectors of an entry's header and descriptors.
fn descriptor_sectors(descriptors: usize) -> usize {
    (ENTRY_HEADER + descriptors * DESCRIPTOR).div_ceil(SECTOR)
}

/// What a log that lies at byte `at` of the file and has the header's `id` says has to be
/// done. `log` is whole MiB.
pub(super) fn parse(log: &[u8], id: Uuid, at: u64) -> Result<Replay> {
    let ring = Ring { bytes: log, id };
    let sequence = ring.active_sequence().filter(|_| !log.is_empty());
    let (Some(sequence), Some(head)) = (&sequence, sequence.as_ref().and_then(|s| s.last())) else {
        let problem = "the header says that there are changes to replay, but no entry of it is \
                       whole; the file is damaged: open and close it where it was made, or \
                       fetch it again";
        return Err(bad("log", at, problem.into()));
    };
    let mut changes = Vec::new();
    for entry in sequence {
        ring.changes(entry, &mut changes);
    }
    Ok(Replay { changes, flushed_size: head.flushed_size, last_size: head.last_size })
}

#[cfg(test)]
pub(super) mod tests;
