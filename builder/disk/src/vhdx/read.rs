//! A VHDX file as a view.

use super::layout::{
    Block, Geometry, HEADER_LEN, HEADERS, Header, REGION_TABLE_LEN, REGION_TABLES, Regions,
    SIGNATURE, bad,
};
use super::metadata;
use super::replay::Replayed;
use crate::cache::Table;
use crate::view::{Extent, ExtentKind, View, check_range, read_by_block, read_vec};
use crate::{Error, Info, Result};

/// Blocks that one call of `extent_at` looks at.
const MAX_RUN: u64 = 1024;

/// A fixed or dynamic VHDX as a view over the view that holds the file. If the file was not
/// closed properly its log is replayed, beside the file.
#[derive(Debug)]
pub struct Vhdx<V> {
    file: Replayed<V>,
    geometry: Geometry,
    regions: Regions,
    table: Table,
}

impl<V: View> Vhdx<V> {
    /// Opens the disk that `file` holds.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a differencing disk and for regions and metadata that are
    /// required but unknown; [`Error::Malformed`] for headers, tables and a log that cannot
    /// be right.
    pub fn new(file: V) -> Result<Self> {
        let tables_end = REGION_TABLES[1] + REGION_TABLE_LEN as u64;
        if file.size() < tables_end {
            let field = ("headers", 0);
            return Err(Error::truncated("vhdx", field, tables_end, file.size()));
        }
        if read_vec(&file, 0, SIGNATURE.len() as u64)? != SIGNATURE {
            return Err(bad("Signature", 0, "this is not a VHDX file".into()));
        }
        let header_at = |at| read_vec(&file, at, HEADER_LEN as u64);
        let (first, second) = (header_at(HEADERS[0])?, header_at(HEADERS[1])?);
        let header = Header::current(&first, &second, file.size())?;
        let file = Replayed::new(file, &header)?;
        let table_at = |at| read_vec(&file, at, REGION_TABLE_LEN as u64);
        let (first, second) = (table_at(REGION_TABLES[0])?, table_at(REGION_TABLES[1])?);
        let regions = Regions::read(&first, &second, file.size())?;
        let Regions { bat, metadata } = regions;
        let len = u64::from(metadata.len).min(metadata::MAX_LEN);
        let region = read_vec(&file, metadata.offset, len)?;
        let geometry = metadata::parse(&region, metadata.offset)?;
        if geometry.table_len() > bat.len.into() {
            let problem = format!(
                "{} bytes for a table of {}: it cannot map the disk",
                bat.len,
                geometry.table_len()
            );
            return Err(bad("block allocation table", bat.offset, problem));
        }
        let table = Table::new(bat.offset, geometry.table_len());
        Ok(Self { file, geometry, regions, table })
    }

    /// What the file says about itself.
    pub(crate) fn info(&self) -> Info {
        let Geometry { block_size, logical_sector, physical_sector, .. } = self.geometry;
        let variant = self.is_replayed().then(|| "not closed properly, log replayed".to_owned());
        let sectors = Some((logical_sector, physical_sector));
        Info { variant, block_size: Some(block_size), sectors }
    }

    /// Whether the file was not closed properly.
    pub(super) fn is_replayed(&self) -> bool {
        matches!(self.file, Replayed::Changed(_))
    }

    pub(super) fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    pub(super) fn regions(&self) -> &Regions {
        &self.regions
    }

    /// What is known of the block that holds `offset`, with its place in the file checked.
    pub(super) fn block(&self, offset: u64) -> Result<Block> {
        let index = offset / self.geometry.block_size;
        let entry = self.table.entry(&self.file, self.geometry.entry_index(index))?;
        let block = Block::parse(u64::from_le_bytes(entry), offset)?;
        let Block::At(at) = block else {
            return Ok(block);
        };
        // The last block may be cut where the disk ends; no other.
        let start = index * self.geometry.block_size;
        let used = self.geometry.block_size.min(self.geometry.size - start);
        let field = ("block of the disk", offset);
        if at == 0 {
            let problem = "it is said to be where the headers are; the file is damaged";
            return Err(bad(field.0, field.1, problem.into()));
        }
        match at.checked_add(used) {
            Some(end) if end <= self.file.size() => Ok(block),
            _ => Err(Error::truncated("vhdx", field, at, self.file.size())),
        }
    }
}

impl<V: View> View for Vhdx<V> {
    fn size(&self) -> u64 {
        self.geometry.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        check_range(self.size(), offset, buf.len() as u64)?;
        let block_size = self.geometry.block_size;
        read_by_block(offset, buf, block_size, |offset, part| match self.block(offset)? {
            Block::At(at) => self.file.read_at(at + offset % block_size, part),
            Block::Absent | Block::Zero => {
                part.fill(0);
                Ok(())
            }
        })
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        check_range(self.size(), offset, 1)?;
        let block_size = self.geometry.block_size;
        let block_end = |at: u64| ((at / block_size + 1) * block_size).min(self.size());
        let mut end = block_end(offset);
        let block = self.block(offset)?;
        let kind = match block {
            // Holes of the file inside a stored block are holes of the disk too.
            Block::At(at) => {
                let stored = self.file.extent_at(at + offset % block_size)?;
                let stored_end = stored.end - at + offset / block_size * block_size;
                return Ok(Extent { end: end.min(stored_end), ..stored });
            }
            Block::Absent => ExtentKind::Hole,
            Block::Zero => ExtentKind::Zero,
        };
        for _ in 0..MAX_RUN {
            if end == self.size() || self.block(end)? != block {
                break;
            }
            end = block_end(end);
        }
        Ok(Extent { kind, end })
    }
}
