//! Writes a qcow2 version 3 image: 64 KiB clusters, 16-bit refcounts, no backing file.
//!
//! The disk arrives in ascending order and is written in one go: header, then for every
//! 512 MiB of the disk its clusters followed by their L2 table, then the L1 table and the
//! refcounts, and last the header's patch with the places of those. Holes take no space.

use super::layout::{
    COPIED, HEADER_LEN, INCOMPAT_COMPRESSION, MAGIC, WINDOW_BITS, compressed_entry,
};
use crate::Result;
use crate::sink::{Sink, align};
use crate::unit::{Content, Data, Deflate, Needs, UNIT, Unit, Writer as UnitWriter};

const CLUSTER_BITS: u32 = 16;
const CLUSTER: u64 = 1 << CLUSTER_BITS;
const L2_ENTRIES: u64 = CLUSTER / 8;
const REFCOUNT_ENTRIES: u64 = CLUSTER / 2;
/// Uncompressed clusters that wait among compressed ones. Each group of them costs up to a
/// cluster of padding, so they are written together.
const MAX_WAITING: usize = 64;

const _: () = assert!(CLUSTER == UNIT);

/// How clusters are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As they are.
    None,
    /// Raw deflate at a level from 1 to 9; every qcow2 reader understands it.
    Zlib(u32),
    /// zstd at a level from 1 to 19; needs QEMU 5.1 or newer.
    Zstd(i32),
}

/// The writer of qcow2 images.
#[derive(Debug)]
pub struct Writer {
    size: u64,
    compression: Compression,
    l1: Vec<u64>,
    /// The L2 table being filled, and its index in the L1 table.
    table: Vec<u64>,
    table_index: u64,
    table_used: bool,
    /// Uncompressed clusters not yet written, with their index in the L2 table.
    waiting: Vec<(usize, Vec<u8>)>,
    /// Users of each cluster of the file.
    refcounts: Vec<u16>,
}

impl Writer {
    /// A writer for a disk of `size` bytes, which is rounded up to whole sectors.
    #[must_use]
    pub fn new(size: u64, compression: Compression) -> Self {
        let size = size.next_multiple_of(512);
        let l1 = vec![0; size.div_ceil(CLUSTER * L2_ENTRIES) as usize];
        Self {
            size,
            compression,
            l1,
            table: vec![0; L2_ENTRIES as usize],
            table_index: 0,
            table_used: false,
            waiting: Vec::new(),
            refcounts: Vec::new(),
        }
    }

    /// Counts the users of `len` bytes at `offset` of the file.
    fn count(&mut self, offset: u64, len: u64) {
        let clusters = (offset / CLUSTER) as usize..(offset + len).div_ceil(CLUSTER) as usize;
        if self.refcounts.len() < clusters.end {
            self.refcounts.resize(clusters.end, 0);
        }
        for count in &mut self.refcounts[clusters] {
            *count += 1;
        }
    }

    /// Appends whole clusters of bytes at a cluster border and gives their offset.
    fn append_aligned(&mut self, data: &[u8], sink: &mut dyn Sink) -> Result<u64> {
        align(sink, CLUSTER)?;
        let offset = sink.position();
        sink.append(data)?;
        align(sink, CLUSTER)?;
        self.count(offset, data.len() as u64);
        Ok(offset)
    }

    fn put_data(&mut self, index: usize, data: &Data, sink: &mut dyn Sink) -> Result<()> {
        self.table_used = true;
        let stream = match self.compression {
            Compression::None => None,
            Compression::Zlib(_) => data.deflate.as_deref(),
            Compression::Zstd(_) => data.zstd.as_deref(),
        };
        if let Some(stream) = stream {
            let offset = sink.position();
            sink.append(stream)?;
            let entry = compressed_entry(offset, stream.len() as u64, CLUSTER_BITS);
            self.table[index] = entry;
            // Counted up to the end of the last sector, as QEMU does.
            let end = (offset + stream.len() as u64).next_multiple_of(512);
            self.count(offset, end - offset);
            return Ok(());
        }
        self.waiting.push((index, data.raw.clone()));
        if self.waiting.len() >= MAX_WAITING || self.compression == Compression::None {
            self.write_waiting(sink)?;
        }
        Ok(())
    }

    fn write_waiting(&mut self, sink: &mut dyn Sink) -> Result<()> {
        for (index, raw) in std::mem::take(&mut self.waiting) {
            self.table[index] = COPIED | self.append_aligned(&raw, sink)?;
        }
        Ok(())
    }

    /// Writes the L2 table being filled, unless it is empty, and starts the one at `next`.
    fn next_table(&mut self, next: u64, sink: &mut dyn Sink) -> Result<()> {
        self.write_waiting(sink)?;
        if self.table_used {
            let bytes = be_bytes(&self.table);
            self.l1[self.table_index as usize] = COPIED | self.append_aligned(&bytes, sink)?;
            self.table.fill(0);
            self.table_used = false;
        }
        self.table_index = next;
        Ok(())
    }

    /// Writes refcount blocks and their table; gives the table's offset and clusters.
    fn write_refcounts(&mut self, sink: &mut dyn Sink) -> Result<(u64, u32)> {
        align(sink, CLUSTER)?;
        let start = sink.position();
        let used = start / CLUSTER;
        // Blocks and table count themselves, so their number has to be found by iteration.
        let (mut blocks, mut tables) = (0, 0);
        loop {
            let all = used + blocks + tables;
            let need = (
                all.div_ceil(REFCOUNT_ENTRIES),
                all.div_ceil(REFCOUNT_ENTRIES).div_ceil(L2_ENTRIES),
            );
            if need == (blocks, tables) {
                break;
            }
            (blocks, tables) = (need.0.max(blocks), need.1.max(tables));
        }
        self.count(start, (blocks + tables) * CLUSTER);
        let entries: Vec<u8> =
            self.refcounts.iter().flat_map(|count| count.to_be_bytes()).collect();
        sink.append(&entries)?;
        align(sink, CLUSTER)?;
        let table_offset = start + blocks * CLUSTER;
        sink.skip(table_offset - sink.position())?;
        let table: Vec<u64> = (0..blocks).map(|block| start + block * CLUSTER).collect();
        sink.append(&be_bytes(&table))?;
        align(sink, CLUSTER)?;
        Ok((table_offset, tables as u32))
    }

    fn header(&self, l1_offset: u64, (refcounts, clusters): (u64, u32)) -> Vec<u8> {
        let zstd = matches!(self.compression, Compression::Zstd(_));
        let mut bytes = Vec::with_capacity(HEADER_LEN + 8);
        bytes.extend(MAGIC);
        bytes.extend(3u32.to_be_bytes());
        bytes.extend([0; 12]); // no backing file
        bytes.extend(CLUSTER_BITS.to_be_bytes());
        bytes.extend(self.size.to_be_bytes());
        bytes.extend([0; 4]); // no encryption
        bytes.extend((self.l1.len() as u32).to_be_bytes());
        bytes.extend(l1_offset.to_be_bytes());
        bytes.extend(refcounts.to_be_bytes());
        bytes.extend(clusters.to_be_bytes());
        bytes.extend([0; 12]); // no snapshots
        bytes.extend(if zstd { INCOMPAT_COMPRESSION } else { 0 }.to_be_bytes());
        bytes.extend([0; 16]); // no compatible or autoclear features
        bytes.extend(4u32.to_be_bytes()); // refcounts of 16 bits
        bytes.extend((HEADER_LEN as u32).to_be_bytes());
        bytes.extend([u8::from(zstd), 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend([0; 8]); // end of header extensions
        bytes
    }
}

impl UnitWriter for Writer {
    fn needs(&self) -> Needs {
        match self.compression {
            Compression::None => Needs::default(),
            Compression::Zlib(level) => {
                let deflate = Deflate { level, window_bits: WINDOW_BITS };
                Needs { deflate: Some(deflate), ..Needs::default() }
            }
            Compression::Zstd(level) => Needs { zstd: Some(level), ..Needs::default() },
        }
    }

    fn put(&mut self, unit: &Unit, sink: &mut dyn Sink) -> Result<()> {
        let Content::Data(data) = &unit.content else {
            return Ok(());
        };
        reserve_header(sink)?;
        let cluster = unit.offset / CLUSTER;
        if cluster / L2_ENTRIES != self.table_index {
            self.next_table(cluster / L2_ENTRIES, sink)?;
        }
        self.put_data((cluster % L2_ENTRIES) as usize, data, sink)
    }

    fn finish(&mut self, sink: &mut dyn Sink) -> Result<()> {
        reserve_header(sink)?;
        self.next_table(0, sink)?;
        self.count(0, CLUSTER);
        let l1 = be_bytes(&self.l1);
        let l1_offset = self.append_aligned(&l1, sink)?;
        let refcounts = self.write_refcounts(sink)?;
        sink.patch(0, &self.header(l1_offset, refcounts))
    }
}

/// Leaves the first cluster to the header, which is written last.
fn reserve_header(sink: &mut dyn Sink) -> Result<()> {
    if sink.position() == 0 { sink.skip(CLUSTER) } else { Ok(()) }
}

fn be_bytes(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}
