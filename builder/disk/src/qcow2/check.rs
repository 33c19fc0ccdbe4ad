//! Checks the refcounts of a qcow2 image against what its tables refer to.

use super::layout::{Cluster, Header};
use super::read::Qcow2;
use crate::Result;
use crate::check::Finding;
use crate::fields::{be16, be32, be64};
use crate::view::{View, read_vec};

const AUTOCLEAR: usize = 88;
const OFFSET_MASK: u64 = !0x1ff;
/// Findings of one kind that are listed; more say nothing new.
const MAX_FINDINGS: usize = 20;

/// Where the refcounts are.
struct Refcounts {
    table: u64,
    table_len: u64,
    /// Binary logarithm of the bits of one count.
    order: u32,
    /// Whether clusters may belong to more than the active disk: snapshots, bitmaps.
    has_others: bool,
}

impl Refcounts {
    fn parse(head: &[u8], header: &Header) -> Self {
        let is_v3 = header.version >= 3;
        Self {
            table: be64(head, 48),
            table_len: u64::from(be32(head, 56)) << header.cluster_bits,
            order: if is_v3 { be32(head, 96) } else { 4 },
            has_others: be32(head, 60) != 0 || (is_v3 && be64(head, AUTOCLEAR) != 0),
        }
    }
}

/// Counts the users of every cluster of the file and compares.
pub(crate) fn check(file: &impl View) -> Result<Vec<Finding>> {
    let image = Qcow2::new(file)?;
    let head = read_vec(file, 0, file.size().min(512))?;
    let header = image.header();
    if header.is_dirty {
        return Ok(vec![Finding::new(
            "incompatible_features",
            "an image that was closed properly",
            "the dirty bit; run `qemu-img check -r all` on it",
        )]);
    }
    let refcounts = Refcounts::parse(&head, header);
    let mut users = Users::new(file.size(), header.cluster_size());
    users.count(0, 1);
    users.count(refcounts.table, refcounts.table_len);
    users.count(header.l1_offset, u64::from(header.l1_entries) * 8);
    count_disk(&image, &mut users)?;
    let blocks = read_vec(file, refcounts.table, refcounts.table_len)?;
    let blocks: Vec<u64> = blocks.chunks_exact(8).map(|word| be64(word, 0) & OFFSET_MASK).collect();
    for &block in blocks.iter().filter(|&&block| block != 0) {
        users.count(block, header.cluster_size());
    }
    compare(file, header, (&refcounts, &blocks), &users)
}

/// Counts what the tables of the active disk refer to.
fn count_disk<V: View>(image: &Qcow2<V>, users: &mut Users) -> Result<()> {
    let header = image.header();
    for (index, &at) in image.l1().iter().enumerate() {
        let start = index as u64 * header.l2_span();
        if at == 0 || start >= header.size {
            continue;
        }
        users.count(at, header.cluster_size());
        let Some(table) = image.table(start)? else {
            continue;
        };
        for &entry in table.iter() {
            match Cluster::parse(entry, header.cluster_bits) {
                Cluster::Plain(at) => users.count(at, header.cluster_size()),
                Cluster::Compressed { offset, len } => users.count(offset, len),
                // A cluster of zeros may keep its place.
                Cluster::Zero if super::layout::table_offset(entry) != 0 => {
                    users.count(super::layout::table_offset(entry), header.cluster_size());
                }
                Cluster::Zero | Cluster::Unallocated => {}
            }
        }
    }
    Ok(())
}

/// The number of users of each cluster.
struct Users {
    counts: Vec<u32>,
    cluster: u64,
}

impl Users {
    fn new(file_size: u64, cluster: u64) -> Self {
        Self { counts: vec![0; file_size.div_ceil(cluster) as usize], cluster }
    }

    /// Counts a user of `len` bytes at `offset`; what is past the file's end is an error
    /// that reading the disk shows.
    fn count(&mut self, offset: u64, len: u64) {
        if len == 0 {
            return;
        }
        let first = (offset / self.cluster) as usize;
        let last = (offset.saturating_add(len - 1) / self.cluster) as usize;
        let last = last.min(self.counts.len().saturating_sub(1));
        if let Some(counts) = self.counts.get_mut(first..=last.max(first)) {
            counts.iter_mut().for_each(|count| *count = count.saturating_add(1));
        }
    }
}

/// Compares the counts with those that the image keeps.
fn compare(
    file: &impl View,
    header: &Header,
    (refcounts, blocks): (&Refcounts, &[u64]),
    users: &Users,
) -> Result<Vec<Finding>> {
    let per_block = (header.cluster_size() * 8) >> refcounts.order;
    let mut findings = Vec::new();
    for (index, counts) in users.counts.chunks(per_block as usize).enumerate() {
        let block = match blocks.get(index) {
            Some(&at) if at != 0 => Some(read_vec(file, at, header.cluster_size())?),
            _ => None,
        };
        for (slot, &used) in counts.iter().enumerate() {
            let stored = block.as_ref().map_or(0, |block| refcount(block, slot, refcounts.order));
            let is_wrong = stored < used.into() || (stored > used.into() && !refcounts.has_others);
            if !is_wrong {
                continue;
            }
            let cluster = index as u64 * per_block + slot as u64;
            let hint = if stored > used.into() { " (a leak)" } else { "" };
            findings.push(Finding::new(
                format!("refcount of the cluster at {:#x}", cluster * header.cluster_size()),
                used.to_string(),
                format!("{stored}{hint}"),
            ));
            if findings.len() >= MAX_FINDINGS {
                return Ok(findings);
            }
        }
    }
    Ok(findings)
}

/// The count in a slot of a refcount block; counts of less than a byte start at the low bits.
fn refcount(block: &[u8], slot: usize, order: u32) -> u64 {
    match order {
        0..=2 => {
            let bits = 1usize << order;
            let byte = block.get(slot * bits / 8).copied().unwrap_or_default();
            u64::from(byte >> (slot * bits % 8)) & ((1 << bits) - 1)
        }
        3 => block.get(slot).copied().unwrap_or_default().into(),
        4 => be16(block, slot * 2).into(),
        5 => be32(block, slot * 4).into(),
        _ => be64(block, slot * 8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_every_width() {
        let block = [0b1101_0110, 0x12, 0x34, 0x56, 0x78, 0, 0, 0, 9];
        assert_eq!([0, 1, 2, 3].map(|slot| refcount(&block, slot, 0)), [0, 1, 1, 0]);
        assert_eq!([0, 1, 3].map(|slot| refcount(&block, slot, 1)), [2, 1, 3]);
        assert_eq!([0, 1].map(|slot| refcount(&block, slot, 2)), [6, 13]);
        assert_eq!(refcount(&block, 1, 3), 0x12);
        assert_eq!(refcount(&block, 1, 4), 0x3456);
        assert_eq!(refcount(&block, 9, 3), 0);
    }
}
