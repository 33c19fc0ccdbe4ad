//! A monolithicSparse VMDK: Workstation, Fusion, Player and VirtualBox run it as it is.
//!
//! Header, descriptor, the grain directory with all grain tables twice, then the grains that
//! hold data, from a multiple of their size on. Tables are patched as they become complete.

use super::{
    DESCRIPTOR_AT, DESCRIPTOR_LEN, GRAIN, Options, SPARSE_LIMIT, capacity, entry, grain_index,
    table_bytes,
};
use crate::Result;
use crate::sink::{Sink, align, skip_to};
use crate::unit::{Content, Needs, UNIT, Unit, Writer};
use crate::vmdk::layout::{Header, SECTOR, TABLE_ENTRIES, flags};

/// Sectors of a grain table.
const TABLE_SECTORS: u64 = TABLE_ENTRIES as u64 * 4 / SECTOR;

/// The writer of monolithicSparse VMDK images.
#[derive(Debug)]
pub struct SparseWriter {
    header: Header,
    descriptor: Vec<u8>,
    /// The grain table being filled, and its index in the directory.
    table: Vec<u32>,
    table_index: usize,
}

impl SparseWriter {
    /// A writer for a disk of `size` bytes, which is rounded up to whole grains of 64 KiB.
    ///
    /// # Errors
    /// [`crate::Error::Unsupported`] for an empty disk, one of 2 TiB or more, and names that
    /// do not fit into the descriptor.
    pub fn new(size: u64, options: &Options) -> Result<Self> {
        let capacity = capacity(size, SPARSE_LIMIT)?;
        let redundant = DESCRIPTOR_AT + DESCRIPTOR_LEN;
        let mut header = Header {
            version: 1,
            flags: flags::NEWLINES | flags::REDUNDANT,
            capacity,
            grain: GRAIN,
            descriptor: DESCRIPTOR_AT,
            descriptor_len: DESCRIPTOR_LEN,
            redundant_directory: redundant,
            directory: None,
            overhead: 0,
        };
        let tables = directory_sectors(&header) + header.directory_entries() * TABLE_SECTORS;
        header.directory = Some(redundant + tables);
        header.overhead = (redundant + 2 * tables).next_multiple_of(GRAIN);
        let descriptor = options.descriptor("monolithicSparse", capacity)?;
        Ok(Self { header, descriptor, table: vec![0; TABLE_ENTRIES as usize], table_index: 0 })
    }

    /// Sectors of the two directories.
    fn directories(&self) -> [u64; 2] {
        [self.header.redundant_directory, self.header.directory.unwrap_or_default()]
    }

    /// Writes everything up to the first grain. The tables' places are known already.
    fn start(&self, sink: &mut dyn Sink) -> Result<()> {
        if sink.position() > 0 {
            return Ok(());
        }
        sink.append(&self.header.encode())?;
        sink.append(&self.descriptor)?;
        for directory in self.directories() {
            skip_to(sink, directory * SECTOR)?;
            let first = directory + directory_sectors(&self.header);
            let tables = (0..self.header.directory_entries()).map(|n| first + n * TABLE_SECTORS);
            let entries: Result<Vec<u32>> = tables.map(|sector| entry(sector * SECTOR)).collect();
            sink.append(&table_bytes(&entries?))?;
        }
        skip_to(sink, self.header.overhead * SECTOR)
    }

    /// Writes both copies of the grain table, if it has entries, and starts another one.
    fn end_table(&mut self, sink: &mut dyn Sink) -> Result<()> {
        if self.table.iter().all(|&entry| entry == 0) {
            return Ok(());
        }
        let bytes = table_bytes(&self.table);
        for directory in self.directories() {
            let first = directory + directory_sectors(&self.header);
            let sector = first + self.table_index as u64 * TABLE_SECTORS;
            sink.patch(sector * SECTOR, &bytes)?;
        }
        self.table.fill(0);
        Ok(())
    }
}

/// Sectors of a grain directory.
fn directory_sectors(header: &Header) -> u64 {
    (header.directory_entries() * 4).div_ceil(SECTOR)
}

impl Writer for SparseWriter {
    fn needs(&self) -> Needs {
        Needs::default()
    }

    fn put(&mut self, unit: &Unit, sink: &mut dyn Sink) -> Result<()> {
        let Content::Data(data) = &unit.content else {
            return Ok(());
        };
        self.start(sink)?;
        let (directory_index, index) = grain_index(unit.offset);
        if directory_index != self.table_index {
            self.end_table(sink)?;
            self.table_index = directory_index;
        }
        self.table[index] = entry(sink.position())?;
        sink.append(&data.raw)?;
        // The disk's last grain is a whole one, too.
        align(sink, UNIT)
    }

    fn finish(&mut self, sink: &mut dyn Sink) -> Result<()> {
        self.start(sink)?;
        self.end_table(sink)
    }
}
