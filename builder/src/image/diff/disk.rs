//! Which bytes of two disks differ.

use anyhow::Result;
use bootwright_disk::view::View;
use serde::Serialize;

use crate::image::scan;

/// Bytes that are told apart: a block of most file systems.
const BLOCK: usize = 4096;

/// The differences of two disks.
#[derive(Debug, Serialize)]
pub struct DiskDiff {
    /// Sizes, if they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<(u64, u64)>,
    /// What differs, in ascending order, to the block. What only the larger disk has counts
    /// as zeros on the other.
    pub ranges: Vec<Range>,
}

/// A range of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Range {
    pub start: u64,
    pub end: u64,
}

impl DiskDiff {
    /// Whether the disks are the same.
    pub fn is_empty(&self) -> bool {
        self.size.is_none() && self.ranges.is_empty()
    }

    /// Bytes that differ.
    pub fn bytes(&self) -> u64 {
        self.ranges.iter().map(|range| range.end - range.start).sum()
    }
}

/// Compares two disks.
///
/// # Errors
/// What reading them says.
pub fn disk(a: &dyn View, b: &dyn View) -> Result<DiskDiff> {
    let size = a.size().max(b.size());
    let found = scan::chunks(size, |at, len| {
        let (a, b) = (read(a, at, len)?, read(b, at, len)?);
        Ok(ranges(at, len, (a.as_deref(), b.as_deref())))
    })?;
    let mut ranges: Vec<Range> = Vec::new();
    for range in found.into_iter().flatten() {
        match ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => ranges.push(range),
        }
    }
    let sizes = (a.size() != b.size()).then_some((a.size(), b.size()));
    Ok(DiskDiff { size: sizes, ranges })
}

/// A part of a disk, zeros where it has ended; nothing if all of it is zeros.
fn read(disk: &dyn View, at: u64, len: usize) -> Result<Option<Vec<u8>>> {
    let inside = disk.size().saturating_sub(at).min(len as u64) as usize;
    if inside == 0 {
        return Ok(None);
    }
    let mut bytes = scan::read(disk, at, inside)?;
    if let Some(bytes) = &mut bytes {
        bytes.resize(len, 0);
    }
    Ok(bytes)
}

/// The blocks that differ.
fn ranges(at: u64, len: usize, both: (Option<&[u8]>, Option<&[u8]>)) -> Vec<Range> {
    let zeros = [0; BLOCK];
    let mut ranges: Vec<Range> = Vec::new();
    if both == (None, None) || both.0 == both.1 {
        return ranges;
    }
    for from in (0..len).step_by(BLOCK) {
        let to = (from + BLOCK).min(len);
        let part = |bytes: Option<&[u8]>| -> Vec<u8> {
            bytes.map_or(&zeros[..to - from], |bytes| &bytes[from..to]).to_vec()
        };
        if part(both.0) == part(both.1) {
            continue;
        }
        let (start, end) = (at + from as u64, at + to as u64);
        match ranges.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ => ranges.push(Range { start, end }),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_zeros_and_neighbours_are_one() {
        let zeros = vec![0; 3 * BLOCK + 10];
        let mut other = zeros.clone();
        assert_eq!(ranges(0, zeros.len(), (Some(&zeros), None)), []);
        other[BLOCK - 1] = 1;
        other[BLOCK] = 1;
        other[3 * BLOCK] = 1;
        let block = BLOCK as u64;
        let expected =
            [Range { start: 0, end: 2 * block }, Range { start: 3 * block, end: 3 * block + 10 }];
        assert_eq!(ranges(0, zeros.len(), (None, Some(&other))), expected);
    }
}
