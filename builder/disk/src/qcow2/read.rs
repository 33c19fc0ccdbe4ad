//! A qcow2 file as a view. Clusters are found through cached L2 tables and inflated when
//! they are read; nothing is decompressed ahead.

use std::collections::HashSet;
use std::sync::Arc;

use super::layout::{Cluster, Codec, Header, WINDOW_BITS, table_offset};
use crate::cache::Cache;
use crate::view::{Deflated, Extent, ExtentKind, View, check_range, read_by_block, read_vec};
use crate::{Error, Info, Result, codec};

/// How much of the file's start may matter: the header and the name of a backing file.
const HEAD_BYTES: u64 = 4096;

/// A standalone qcow2 image as a view over the view that holds the file.
#[derive(Debug)]
pub struct Qcow2<V> {
    file: V,
    header: Header,
    /// Offsets of the L2 tables; 0 where there is none.
    l1: Vec<u64>,
    tables: Cache<Vec<u64>>,
    inflated: Cache<Vec<u8>>,
}

impl<V: View> Qcow2<V> {
    /// Opens the image that `file` holds. Internal snapshots are ignored.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for encryption, a backing file, an external data file and
    /// extended L2 entries; [`Error::Malformed`] for tables that cannot be right.
    pub fn new(file: V) -> Result<Self> {
        let head = read_vec(&file, 0, HEAD_BYTES.min(file.size()))?;
        let header = Header::parse(&head, file.size())?;
        let l1 = read_l1(&file, &header)?;
        let cluster = header.cluster_size();
        Ok(Self { file, header, l1, tables: Cache::new(cluster), inflated: Cache::new(cluster) })
    }

    /// Bytes per cluster.
    #[must_use]
    pub fn cluster_size(&self) -> u64 {
        self.header.cluster_size()
    }

    /// What the file says about itself.
    pub(crate) fn info(&self) -> Info {
        let codec = match self.header.codec {
            Codec::Zlib => "zlib",
            Codec::Zstd => "zstd",
        };
        Info {
            variant: Some(format!("version {}, {codec}", self.header.version)),
            block_size: Some(self.cluster_size()),
            sectors: None,
        }
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    pub(super) fn l1(&self) -> &[u64] {
        &self.l1
    }

    /// The L2 table that maps `offset`, or nothing where none was ever allocated.
    pub(super) fn table(&self, offset: u64) -> Result<Option<Arc<Vec<u64>>>> {
        let at = self.l1[(offset / self.header.l2_span()) as usize];
        if at == 0 {
            return Ok(None);
        }
        let table = self.tables.get(at, || {
            let bytes = read_vec(&self.file, at, self.header.cluster_size())?;
            let words = bytes.chunks_exact(8);
            Ok(words.map(|word| crate::fields::be64(word, 0)).collect())
        });
        table.map(Some)
    }

    /// What is known of the cluster that holds `offset`, with its place in the file checked.
    fn cluster(&self, table: &[u64], offset: u64) -> Result<Cluster> {
        let index = offset % self.header.l2_span() / self.header.cluster_size();
        let cluster = Cluster::parse(table[index as usize], self.header.cluster_bits);
        let file_size = self.file.size();
        let start = match cluster {
            Cluster::Unallocated | Cluster::Zero => return Ok(cluster),
            Cluster::Plain(at) if !at.is_multiple_of(self.cluster_size()) => {
                return Err(self.bad(offset, format!("{at:#x} is not the start of a cluster")));
            }
            // The last cluster may be cut where the disk ends; no other.
            Cluster::Plain(at) => {
                let cluster_start = offset - offset % self.cluster_size();
                at + self.cluster_size().min(self.size() - cluster_start) - 1
            }
            Cluster::Compressed { offset, .. } => offset,
        };
        if start >= file_size {
            let field = ("cluster of the disk", offset);
            return Err(Error::truncated("qcow2", field, start, file_size));
        }
        Ok(cluster)
    }

    /// The stored bytes of a compressed cluster, with whatever pads the last sector.
    fn compressed(&self, offset: u64, len: u64) -> Result<Vec<u8>> {
        read_vec(&self.file, offset, len.min(self.file.size() - offset))
    }

    /// Inflates a compressed cluster into a buffer of just its size.
    fn inflate(&self, guest: u64, (at, len): (u64, u64), out: &mut [u8]) -> Result<()> {
        let stored = self.compressed(at, len)?;
        match self.header.codec {
            Codec::Zlib => codec::inflate(&stored, out).map(drop),
            Codec::Zstd => codec::unzstd(&stored, out),
        }
        .map_err(|problem| {
            let cut = (stored.len() as u64) < len;
            let hint =
                if cut { ", and the file ends here; it is truncated: fetch it again" } else { "" };
            self.bad(guest, format!("{problem}{hint}"))
        })
    }

    /// Reads a part of one compressed cluster. Whole clusters go straight into `buf`: they
    /// are read once. Parts are kept: file systems read block by block.
    fn read_compressed(&self, guest: u64, (at, len): (u64, u64), buf: &mut [u8]) -> Result<()> {
        let cluster_start = guest - guest % self.cluster_size();
        if buf.len() as u64 == self.cluster_size() {
            return self.inflate(cluster_start, (at, len), buf);
        }
        let whole = self.inflated.get(at, || {
            let mut whole = vec![0; self.cluster_size() as usize];
            self.inflate(cluster_start, (at, len), &mut whole)?;
            Ok(whole)
        })?;
        let skip = (guest - cluster_start) as usize;
        buf.copy_from_slice(&whole[skip..skip + buf.len()]);
        Ok(())
    }

    fn read_cluster(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let cluster = match self.table(offset)? {
            Some(table) => self.cluster(&table, offset)?,
            None => Cluster::Unallocated,
        };
        match cluster {
            Cluster::Unallocated | Cluster::Zero => {
                buf.fill(0);
                Ok(())
            }
            Cluster::Plain(at) => self.file.read_at(at + offset % self.cluster_size(), buf),
            Cluster::Compressed { offset: at, len } => self.read_compressed(offset, (at, len), buf),
        }
    }

    fn bad(&self, guest: u64, problem: String) -> Error {
        Error::malformed("qcow2", "cluster of the disk", guest, problem)
    }
}

/// Reads the L1 table and checks that every L2 table lies in the file, apart from the
/// header, the L1 table and all other L2 tables.
fn read_l1(file: &impl View, header: &Header) -> Result<Vec<u64>> {
    let entries = u64::from(header.l1_entries);
    let bytes = read_vec(file, header.l1_offset, entries * 8)?;
    let l1_end = header.l1_offset + bytes.len() as u64;
    let mut seen = HashSet::new();
    let mut l1 = Vec::new();
    for (index, word) in bytes.chunks_exact(8).enumerate() {
        let at = table_offset(crate::fields::be64(word, 0));
        l1.push(at);
        if at == 0 {
            continue;
        }
        let entry = header.l1_offset + index as u64 * 8;
        let bad = |problem: String| Error::malformed("qcow2", "L1 entry", entry, problem);
        let end = at + header.cluster_size();
        if !at.is_multiple_of(header.cluster_size()) {
            return Err(bad(format!("{at:#x} is not the start of a cluster")));
        }
        if end > file.size() {
            return Err(Error::truncated("qcow2", ("L2 table", entry), at, file.size()));
        }
        if at < l1_end && end > header.l1_offset || at < header.cluster_size() {
            return Err(bad(format!(
                "the L2 table at {at:#x} overlaps the header or the L1 table"
            )));
        }
        if !seen.insert(at) {
            return Err(bad(format!("the L2 table at {at:#x} is used twice")));
        }
    }
    Ok(l1)
}

impl<V: View> View for Qcow2<V> {
    fn size(&self) -> u64 {
        self.header.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        check_range(self.size(), offset, buf.len() as u64)?;
        read_by_block(offset, buf, self.cluster_size(), |at, part| self.read_cluster(at, part))
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        check_range(self.size(), offset, 1)?;
        let table_end = (offset / self.header.l2_span() + 1) * self.header.l2_span();
        let table_end = table_end.min(self.size());
        let Some(table) = self.table(offset)? else {
            return Ok(Extent { kind: ExtentKind::Hole, end: table_end });
        };
        let kind = kind_of(self.cluster(&table, offset)?);
        let mut end = offset - offset % self.cluster_size() + self.cluster_size();
        while end < table_end && kind_of(self.cluster(&table, end)?) == kind {
            end += self.cluster_size();
        }
        Ok(Extent { kind, end: end.min(table_end) })
    }

    fn deflated(&self, offset: u64, len: u64) -> Result<Option<Deflated>> {
        check_range(self.size(), offset, len)?;
        let aligned = offset.is_multiple_of(self.cluster_size()) && len == self.cluster_size();
        if !aligned || self.header.codec != Codec::Zlib {
            return Ok(None);
        }
        let Some(table) = self.table(offset)? else {
            return Ok(None);
        };
        match self.cluster(&table, offset)? {
            Cluster::Compressed { offset: at, len } => {
                let stream = self.compressed(at, len)?;
                Ok(Some(Deflated { stream, window_bits: WINDOW_BITS }))
            }
            _ => Ok(None),
        }
    }
}

fn kind_of(cluster: Cluster) -> ExtentKind {
    match cluster {
        Cluster::Unallocated => ExtentKind::Hole,
        Cluster::Zero => ExtentKind::Zero,
        Cluster::Plain(_) | Cluster::Compressed { .. } => ExtentKind::Data,
    }
}
