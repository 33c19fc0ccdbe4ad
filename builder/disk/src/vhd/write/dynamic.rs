//! A dynamic VHD: only blocks with data are stored.
//!
//! Copy of the footer, header, block allocation table, for XenServer the batmap, the blocks
//! in ascending order, footer. Tables are patched at the end.

use super::{BLOCK, Flavour, Options};
use crate::Result;
use crate::fields::put;
use crate::sink::{Sink, skip_to};
use crate::unit::{Content, Data, Needs, Unit, Writer};
use crate::vhd::layout::{
    DYNAMIC_HEADER_LEN, DynamicHeader, FOOTER_LEN, Footer, Kind, SECTOR, UNUSED,
};

/// Bytes of a block's bitmap.
const BITMAP: u64 = BLOCK / SECTOR / 8;
/// The data of a block starts at a multiple of this, behind its bitmap, as libvhd places it:
/// else every page of the guest would straddle two of the host.
const DATA_ALIGN: u64 = 4096;
const TABLE_OFFSET: u64 = FOOTER_LEN + DYNAMIC_HEADER_LEN;

/// The writer of dynamic VHD images.
#[derive(Debug)]
pub struct DynamicWriter {
    footer: Footer,
    /// Sector of each block's bitmap.
    table: Vec<u32>,
    has_batmap: bool,
    /// Index of the last block stored, and the place of its data.
    current: Option<(usize, u64)>,
}

impl DynamicWriter {
    /// A writer for a disk of `size` bytes, which the flavour may round up
    /// ([`Flavour::disk_size`]).
    ///
    /// # Errors
    /// [`crate::Error::Unsupported`] for more than 2040 GiB.
    pub fn new(size: u64, options: &Options) -> Result<Self> {
        let footer = options.footer(size, Kind::Dynamic)?;
        let blocks = footer.current_size.div_ceil(BLOCK) as usize;
        let has_batmap = options.flavour == Flavour::XenServer;
        Ok(Self { footer, table: vec![UNUSED; blocks], has_batmap, current: None })
    }

    fn table_len(&self) -> u64 {
        (self.table.len() as u64 * 4).next_multiple_of(SECTOR)
    }

    /// Bytes of the map in the batmap, which has a bit for each block.
    fn map_len(&self) -> u64 {
        (self.table.len() as u64).div_ceil(8).next_multiple_of(SECTOR)
    }

    /// Writes the footer's copy and the header, and leaves room for the tables.
    fn start(&self, sink: &mut dyn Sink) -> Result<()> {
        if sink.position() > 0 {
            return Ok(());
        }
        let header = DynamicHeader {
            table_offset: TABLE_OFFSET,
            entries: self.table.len() as u32,
            block_size: BLOCK as u32,
        };
        sink.append(&self.footer.encode())?;
        sink.append(&header.encode())?;
        sink.skip(self.table_len())?;
        if self.has_batmap { sink.skip(SECTOR + self.map_len()) } else { Ok(()) }
    }

    fn put_data(&mut self, offset: u64, data: &Data, sink: &mut dyn Sink) -> Result<()> {
        let index = (offset / BLOCK) as usize;
        let start = match self.current {
            Some((current, start)) if current == index => start,
            _ => self.start_block(index, sink)?,
        };
        skip_to(sink, start + offset % BLOCK)?;
        sink.append(&data.raw)
    }

    /// Starts the block at `index` and gives the place of its data. All of its sectors are
    /// marked as written: those that are holes here read as zeros just as well.
    fn start_block(&mut self, index: usize, sink: &mut dyn Sink) -> Result<u64> {
        self.end_block(sink)?;
        let start = (sink.position() + BITMAP).next_multiple_of(DATA_ALIGN);
        skip_to(sink, start - BITMAP)?;
        self.table[index] = (sink.position() / SECTOR) as u32;
        sink.append(&[0xff; BITMAP as usize])?;
        self.current = Some((index, start));
        Ok(start)
    }

    fn end_block(&self, sink: &mut dyn Sink) -> Result<()> {
        self.current.map_or(Ok(()), |(_, start)| skip_to(sink, start + BLOCK))
    }

    /// The batmap of libvhd: which blocks have a bitmap that is full. All stored ones have.
    fn batmap(&self) -> Vec<u8> {
        let map_at = SECTOR as usize;
        let mut bytes = vec![0; map_at + self.map_len() as usize];
        for (index, _) in self.table.iter().enumerate().filter(|&(_, &at)| at != UNUSED) {
            bytes[map_at + index / 8] |= 0x80 >> (index % 8);
        }
        let sum = !bytes.iter().fold(0u32, |sum, &byte| sum.wrapping_add(byte.into()));
        put(&mut bytes, 0, b"tdbatmap");
        put(&mut bytes, 8, &(TABLE_OFFSET + self.table_len() + SECTOR).to_be_bytes());
        put(&mut bytes, 16, &((self.map_len() / SECTOR) as u32).to_be_bytes());
        put(&mut bytes, 20, &0x0001_0002u32.to_be_bytes());
        put(&mut bytes, 24, &sum.to_be_bytes());
        bytes
    }
}

impl Writer for DynamicWriter {
    fn needs(&self) -> Needs {
        Needs::default()
    }

    fn put(&mut self, unit: &Unit, sink: &mut dyn Sink) -> Result<()> {
        let Content::Data(data) = &unit.content else {
            return Ok(());
        };
        self.start(sink)?;
        self.put_data(unit.offset, data, sink)
    }

    fn finish(&mut self, sink: &mut dyn Sink) -> Result<()> {
        self.start(sink)?;
        self.end_block(sink)?;
        sink.append(&self.footer.encode())?;
        let mut table: Vec<u8> = self.table.iter().flat_map(|at| at.to_be_bytes()).collect();
        table.resize(self.table_len() as usize, 0xff);
        sink.patch(TABLE_OFFSET, &table)?;
        if self.has_batmap {
            sink.patch(TABLE_OFFSET + self.table_len(), &self.batmap())?;
        }
        Ok(())
    }
}
