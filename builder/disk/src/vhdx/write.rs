//! Writes a dynamic VHDX: only blocks with data are stored.
//!
//! File identifier, two headers, two region tables, from 1 MiB on the log (1 MiB, empty),
//! the metadata (1 MiB) and the block allocation table, then the blocks in ascending order.
//! The table is patched as it fills up, everything else is known at the start. Blocks without
//! data have the state "zero", since those that are "not present" may hold anything.

use uuid::Uuid;

use super::layout::{
    Block, Geometry, HEADERS, Header, MAX_SIZE, MIB, REGION_TABLES, Region, Regions,
    file_identifier,
};
use super::metadata;
use crate::sink::{Sink, skip_to};
use crate::unit::{Content, Needs, Unit, Writer as UnitWriter};
use crate::{Error, Result};

const CREATOR: &str = "bootwright";
const LOG_AT: u64 = MIB;
const METADATA_AT: u64 = 2 * MIB;
const TABLE_AT: u64 = 3 * MIB;
/// Bytes of the block allocation table that are collected before they are written.
const TABLE_BUFFER: usize = 64 << 10;
/// Blocks beyond which the default block size grows: 8 MiB of block allocation table.
const MANY_BLOCKS: u64 = 1 << 20;

/// The sector sizes that the disk shows to its guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sectors {
    /// 512 logical, 4096 physical: what Hyper-V's own `New-VHD` makes.
    #[default]
    Emulated,
    /// 512 both: what QEMU makes.
    Small,
    /// 4096 both. The disk's partition table must count in such sectors.
    Large,
}

impl Sectors {
    /// Logical and physical size in bytes.
    fn sizes(self) -> (u32, u32) {
        match self {
            Self::Emulated => (512, 4096),
            Self::Small => (512, 512),
            Self::Large => (4096, 4096),
        }
    }
}

/// What a VHDX says about itself besides the disk's content, and how it is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// From this every GUID in the file is derived (UUIDv5). Derive it from the plan, so that
    /// equal plans give equal files.
    pub id: Uuid,
    /// Sector sizes.
    pub sectors: Sectors,
    /// Bytes of a block, a power of two from 1 MiB to 256 MiB; nothing for the default, 1 MiB
    /// for disks of up to 1 TiB. That is what Microsoft recommends for Linux guests, whose
    /// file systems spread over the disk: with Hyper-V's usual 32 MiB (QEMU: 8 to 64 MiB) the
    /// file would be several times larger than what is in it.
    pub block_size: Option<u64>,
}

impl Options {
    /// Default sectors and block size.
    #[must_use]
    pub fn new(id: Uuid) -> Self {
        Self { id, sectors: Sectors::default(), block_size: None }
    }

    /// The measures of a disk of `size` bytes.
    fn geometry(&self, size: u64) -> Result<Geometry> {
        let refuse =
            |feature: String, hint| Err(Error::Unsupported { format: "vhdx", feature, hint });
        if size == 0 || size > MAX_SIZE {
            let hint = "a VHDX disk may have up to 64 TiB";
            return refuse(format!("a disk of {size} bytes"), hint);
        }
        let default = (size / MANY_BLOCKS).next_power_of_two().max(MIB);
        let block_size = self.block_size.unwrap_or(default);
        if !block_size.is_power_of_two() || !(MIB..=256 * MIB).contains(&block_size) {
            let hint = "use a power of two from 1 MiB to 256 MiB";
            return refuse(format!("a block size of {block_size} bytes"), hint);
        }
        let (logical_sector, physical_sector) = self.sectors.sizes();
        let size = size.next_multiple_of(physical_sector.into());
        Ok(Geometry { size, block_size, logical_sector, physical_sector })
    }

    fn guid(&self, purpose: &str) -> Uuid {
        Uuid::new_v5(&self.id, purpose.as_bytes())
    }
}

/// The writer of dynamic VHDX images.
#[derive(Debug)]
pub struct Writer {
    options: Options,
    geometry: Geometry,
    /// Entries of the block allocation table not yet written, where they belong, and the
    /// block whose entry comes next.
    table: Vec<u8>,
    table_at: u64,
    next_block: u64,
    /// The last block that is stored, and where.
    current: Option<(u64, u64)>,
}

impl Writer {
    /// A writer for a disk of `size` bytes, which is rounded up to whole physical sectors.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for an empty disk, one of more than 64 TiB, and a block size
    /// that the format does not know.
    pub fn new(size: u64, options: Options) -> Result<Self> {
        let geometry = options.geometry(size)?;
        Ok(Self {
            options,
            geometry,
            table: Vec::new(),
            table_at: TABLE_AT,
            next_block: 0,
            current: None,
        })
    }

    /// Writes everything up to the first block, but for the table.
    fn start(&self, sink: &mut dyn Sink) -> Result<()> {
        if sink.position() > 0 {
            return Ok(());
        }
        let table_len = self.geometry.table_len().next_multiple_of(MIB);
        sink.append(&file_identifier(CREATOR))?;
        for (sequence, at) in (1..).zip(HEADERS) {
            let header = Header {
                sequence,
                file_write: self.options.guid("vhdx file write"),
                data_write: self.options.guid("vhdx data write"),
                log: Uuid::nil(),
                log_offset: LOG_AT,
                log_len: MIB as u32,
            };
            skip_to(sink, at)?;
            sink.append(&header.encode())?;
        }
        let regions = Regions {
            bat: Region { offset: TABLE_AT, len: table_len as u32 },
            metadata: Region { offset: METADATA_AT, len: MIB as u32 },
        };
        for at in REGION_TABLES {
            skip_to(sink, at)?;
            sink.append(&regions.encode())?;
        }
        skip_to(sink, METADATA_AT)?;
        sink.append(&metadata::encode(&self.geometry, self.options.guid("vhdx page 83")))?;
        skip_to(sink, TABLE_AT + table_len)
    }

    /// Starts a block and gives its place.
    fn start_block(&mut self, block: u64, sink: &mut dyn Sink) -> Result<u64> {
        self.end_block(sink)?;
        let at = sink.position();
        self.fill_table(block, sink)?;
        self.push_entry(Block::At(at), sink)?;
        self.current = Some((block, at));
        Ok(at)
    }

    fn end_block(&self, sink: &mut dyn Sink) -> Result<()> {
        self.current.map_or(Ok(()), |(_, at)| skip_to(sink, at + self.geometry.block_size))
    }

    /// Enters the blocks up to `block` as holes.
    fn fill_table(&mut self, block: u64, sink: &mut dyn Sink) -> Result<()> {
        while self.next_block < block {
            self.push_entry(Block::Zero, sink)?;
        }
        Ok(())
    }

    /// Enters the next block. The entries of sector bitmaps, between those of the chunks,
    /// stay zero.
    fn push_entry(&mut self, block: Block, sink: &mut dyn Sink) -> Result<()> {
        let at = TABLE_AT + self.geometry.entry_index(self.next_block) * 8;
        self.table.resize((at - self.table_at) as usize, 0);
        self.table.extend(block.encode().to_le_bytes());
        self.next_block += 1;
        if self.table.len() < TABLE_BUFFER { Ok(()) } else { self.write_table(sink) }
    }

    fn write_table(&mut self, sink: &mut dyn Sink) -> Result<()> {
        sink.patch(self.table_at, &self.table)?;
        self.table_at += self.table.len() as u64;
        self.table.clear();
        Ok(())
    }
}

impl UnitWriter for Writer {
    fn needs(&self) -> Needs {
        Needs::default()
    }

    fn put(&mut self, unit: &Unit, sink: &mut dyn Sink) -> Result<()> {
        let Content::Data(data) = &unit.content else {
            return Ok(());
        };
        self.start(sink)?;
        let block = unit.offset / self.geometry.block_size;
        let at = match self.current {
            Some((current, at)) if current == block => at,
            _ => self.start_block(block, sink)?,
        };
        skip_to(sink, at + unit.offset % self.geometry.block_size)?;
        sink.append(&data.raw)
    }

    fn finish(&mut self, sink: &mut dyn Sink) -> Result<()> {
        self.start(sink)?;
        self.end_block(sink)?;
        self.fill_table(self.geometry.blocks(), sink)?;
        self.write_table(sink)
    }
}
