//! A VHD file as a view.

use super::layout::{DYNAMIC_HEADER_LEN, DynamicHeader, FOOTER_LEN, Footer, Kind, SECTOR, UNUSED};
use crate::cache::{Cache, Table};
use crate::view::{Extent, ExtentKind, View, check_range, read_by_block, read_vec};
use crate::{Error, Info, Result};

/// Blocks that one call of `extent_at` looks at.
const MAX_RUN: u64 = 1024;

/// A fixed or dynamic VHD as a view over the view that holds the file.
#[derive(Debug)]
pub struct Vhd<V> {
    file: V,
    size: u64,
    /// Four letters of who made it.
    creator: [u8; 4],
    /// Nothing for a fixed disk.
    blocks: Option<Blocks>,
}

/// Where the blocks of a dynamic disk are.
#[derive(Debug)]
struct Blocks {
    header_at: u64,
    block_size: u64,
    table_at: u64,
    table_len: u64,
    table: Table,
    bitmaps: Cache<Vec<u8>>,
}

impl<V: View> Vhd<V> {
    /// Opens the disk that `file` holds.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a differencing disk; [`Error::Malformed`] for a file
    /// without footer, and for footers and tables that cannot be right.
    pub fn new(file: V) -> Result<Self> {
        let footer_at = file.size().saturating_sub(FOOTER_LEN);
        let footer_bytes = read_vec(&file, footer_at, FOOTER_LEN.min(file.size()))?;
        let footer = Footer::parse(&footer_bytes, footer_at)?;
        let size = footer.disk_size();
        let blocks = match footer.kind {
            Kind::Fixed if size <= footer_at => None,
            Kind::Fixed => {
                let field = ("end of the disk", footer_at + 48);
                return Err(Error::truncated("vhd", field, size, footer_at));
            }
            Kind::Dynamic => Some(Blocks::open(&file, &footer)?),
        };
        Ok(Self { file, size, creator: footer.creator, blocks })
    }

    /// What the file says about itself.
    pub(crate) fn info(&self) -> Info {
        let kind = if self.blocks.is_some() { "dynamic" } else { "fixed" };
        let creator = String::from_utf8_lossy(&self.creator);
        let creator = creator.trim_matches(|c: char| c == ' ' || c.is_control());
        Info {
            variant: Some(format!("{kind}, made by {creator:?}")),
            block_size: self.blocks.as_ref().map(|blocks| blocks.block_size),
            sectors: None,
        }
    }

    /// Offset of the dynamic header, and offset and length of the block allocation table;
    /// nothing for a fixed disk.
    pub(super) fn places(&self) -> Option<(u64, (u64, u64))> {
        let blocks = self.blocks.as_ref()?;
        Some((blocks.header_at, (blocks.table_at, blocks.table_len)))
    }

    /// The blocks of a dynamic disk: offset on the disk, offset in the file if it is stored,
    /// and length there.
    pub(super) fn stored_blocks(&self) -> impl Iterator<Item = (u64, Result<Option<u64>>, u64)> {
        self.blocks.iter().flat_map(|blocks| {
            let starts = (0..self.size).step_by(blocks.block_size as usize);
            starts.map(|start| {
                let used = blocks.block_size.min(self.size - start);
                let at = blocks.find(&self.file, start, self.size);
                (start, at, bitmap_len(blocks.block_size) + used)
            })
        })
    }
}

impl Blocks {
    fn open(file: &impl View, footer: &Footer) -> Result<Self> {
        let copy = Footer::parse(&read_vec(file, 0, FOOTER_LEN.min(file.size()))?, 0)?;
        if !footer.agrees_with(&copy) {
            let problem = "the copy of the footer says something else than the footer; \
                           the file is damaged: fetch it again";
            return Err(Error::malformed("vhd", "copy of the footer", 0, problem));
        }
        let at = footer.data_offset;
        if at.checked_add(DYNAMIC_HEADER_LEN).is_none_or(|end| end > file.size()) {
            return Err(Error::truncated("vhd", ("Data Offset", 16), at, file.size()));
        }
        let bytes = read_vec(file, at, DYNAMIC_HEADER_LEN)?;
        let header = DynamicHeader::parse(&bytes, at, (footer.disk_size(), file.size()))?;
        let block_size = u64::from(header.block_size);
        let used = footer.disk_size().div_ceil(block_size);
        Ok(Self {
            header_at: at,
            block_size,
            table_at: header.table_offset,
            table_len: used * 4,
            table: Table::new(header.table_offset, used * 4),
            bitmaps: Cache::new(bitmap_len(block_size)),
        })
    }

    /// Offset in the file of the bitmap and data of the block that holds `offset`; nothing
    /// where it is not stored. `size` is the disk's.
    fn find(&self, file: &impl View, offset: u64, size: u64) -> Result<Option<u64>> {
        let index = offset / self.block_size;
        let sector = u32::from_be_bytes(self.table.entry(file, index)?);
        if sector == UNUSED {
            return Ok(None);
        }
        let start = u64::from(sector) * SECTOR;
        // The last block may be cut where the disk ends; no other.
        let used = self.block_size.min(size - index * self.block_size);
        if start + bitmap_len(self.block_size) + used > file.size() {
            let field = ("block of the disk", offset);
            return Err(Error::truncated("vhd", field, start, file.size()));
        }
        Ok(Some(start))
    }

    /// Reads a part of one block. Sectors that its bitmap does not list were never written
    /// and read as zeros, whatever the file holds there.
    fn read(&self, file: &impl View, (size, offset): (u64, u64), buf: &mut [u8]) -> Result<()> {
        let Some(start) = self.find(file, offset, size)? else {
            buf.fill(0);
            return Ok(());
        };
        let bitmap =
            self.bitmaps.get(start, || read_vec(file, start, bitmap_len(self.block_size)))?;
        let in_block = offset % self.block_size;
        file.read_at(start + bitmap.len() as u64 + in_block, buf)?;
        read_by_block(in_block, buf, SECTOR, |at, part| {
            let sector = at / SECTOR;
            if bitmap[(sector / 8) as usize] & (0x80 >> (sector % 8)) == 0 {
                part.fill(0);
            }
            Ok(())
        })
    }

    /// The extent of the disk of `size` bytes that holds `offset`. Holes of the file inside
    /// a stored block are holes of the disk too.
    fn extent_at(&self, file: &impl View, (size, offset): (u64, u64)) -> Result<Extent> {
        let block_end = |at: u64| ((at / self.block_size + 1) * self.block_size).min(size);
        let mut end = block_end(offset);
        if let Some(start) = self.find(file, offset, size)? {
            let data = start + bitmap_len(self.block_size);
            let stored = file.extent_at(data + offset % self.block_size)?;
            let stored_end = stored.end - data + offset / self.block_size * self.block_size;
            return Ok(Extent { end: end.min(stored_end), ..stored });
        }
        for _ in 0..MAX_RUN {
            if end == size || self.find(file, end, size)?.is_some() {
                break;
            }
            end = block_end(end);
        }
        Ok(Extent { kind: ExtentKind::Hole, end })
    }
}

/// Bytes of a block's bitmap: a bit for each sector, padded to whole sectors.
fn bitmap_len(block_size: u64) -> u64 {
    (block_size / SECTOR).div_ceil(8).next_multiple_of(SECTOR)
}

impl<V: View> View for Vhd<V> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        check_range(self.size, offset, buf.len() as u64)?;
        match &self.blocks {
            None => self.file.read_at(offset, buf),
            Some(blocks) => read_by_block(offset, buf, blocks.block_size, |at, part| {
                blocks.read(&self.file, (self.size, at), part)
            }),
        }
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        check_range(self.size, offset, 1)?;
        match &self.blocks {
            None => {
                let extent = self.file.extent_at(offset)?;
                Ok(Extent { end: extent.end.min(self.size), ..extent })
            }
            Some(blocks) => blocks.extent_at(&self.file, (self.size, offset)),
        }
    }
}
