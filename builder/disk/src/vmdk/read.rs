//! A VMDK file as a view. Compressed grains are inflated when they are read.

use std::sync::Arc;

use super::descriptor::{self, Descriptor};
use super::layout::{
    FOOTER_LEN, GRAIN_MARKER_LEN, Grain, Header, SECTOR, TABLE_ENTRIES, VMFS_MAGIC, WINDOW_BITS,
    bad, flags, parse_footer, parse_grain_marker, strip_zlib_header, unsupported,
};
use crate::cache::{Cache, Table};
use crate::fields::le32;
use crate::view::{Deflated, Extent, ExtentKind, View, check_range, read_by_block, read_vec};
use crate::{Error, Info, Result, codec};

/// More than any descriptor needs. VMware's have 10 KiB of room.
const MAX_DESCRIPTOR: u64 = 64 << 10;
/// Bytes of a grain table.
const TABLE_LEN: u64 = TABLE_ENTRIES as u64 * 4;

/// A VMDK of one file (monolithicSparse or streamOptimized) as a view over the view that
/// holds the file.
#[derive(Debug)]
pub struct Vmdk<V> {
    file: V,
    header: Header,
    size: u64,
    directory: Table,
    tables: Cache<Vec<u32>>,
    inflated: Cache<Vec<u8>>,
}

impl<V: View> Vmdk<V> {
    /// Opens the disk that `file` holds.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for disks of several files, flat and VMFS extents, delta disks
    /// and encryption; [`Error::Malformed`] for tables that cannot be right.
    pub fn new(file: V) -> Result<Self> {
        let head = read_vec(&file, 0, file.size().min(SECTOR))?;
        refuse_other_kinds(&file, &head)?;
        let first = Header::parse(&head, 0)?;
        let size = disk_size(&file, &first)?;
        let header = match first.directory {
            Some(_) => first,
            None => read_footer(&file, &first)?,
        };
        let directory = directory(&header, file.size())?;
        let inflated = Cache::new(header.grain_len());
        Ok(Self { file, header, size, directory, tables: Cache::new(TABLE_LEN), inflated })
    }

    /// What the file says about itself.
    pub(crate) fn info(&self) -> Info {
        let kind = match self.header.has(flags::COMPRESSED) {
            true => "streamOptimized",
            false => "monolithicSparse",
        };
        Info {
            variant: Some(kind.to_owned()),
            block_size: Some(self.header.grain_len()),
            sectors: None,
        }
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// The sector of a grain table, 0 where there is none.
    pub(super) fn directory_entry(&self, index: u64) -> Result<u32> {
        self.directory.entry(&self.file, index).map(u32::from_le_bytes)
    }

    /// Bytes that the compressed grain which starts at `guest` takes at `at`.
    pub(super) fn stored_len(&self, guest: u64, at: u64) -> Result<u64> {
        if at.saturating_add(GRAIN_MARKER_LEN as u64) > self.file.size() {
            let field = ("grain of the disk", guest);
            return Err(Error::truncated("vmdk", field, at, self.file.size()));
        }
        let marker = read_vec(&self.file, at, GRAIN_MARKER_LEN as u64)?;
        let len = parse_grain_marker(&marker, at, (guest / SECTOR, self.header.grain_len()))?;
        Ok(GRAIN_MARKER_LEN as u64 + len)
    }

    /// The grain table that maps `offset`, or nothing where none was ever allocated.
    pub(super) fn table(&self, offset: u64) -> Result<Option<Arc<Vec<u32>>>> {
        let index = offset / self.header.table_span();
        let sector = self.directory_entry(index)?;
        if sector == 0 {
            return Ok(None);
        }
        let at = u64::from(sector) * SECTOR;
        if at + TABLE_LEN > self.file.size() {
            let field = ("grain table of the disk", offset);
            return Err(Error::truncated("vmdk", field, at, self.file.size()));
        }
        let table = self.tables.get(at, || {
            let bytes = read_vec(&self.file, at, TABLE_LEN)?;
            Ok(bytes.chunks_exact(4).map(|entry| le32(entry, 0)).collect())
        });
        table.map(Some)
    }

    /// What is known of the grain that holds `offset`, with its place in the file checked.
    fn grain(&self, table: &[u32], offset: u64) -> Result<Grain> {
        let index = offset % self.header.table_span() / self.header.grain_len();
        let grain = Grain::parse(table[index as usize], &self.header);
        let Grain::At(at) = grain else {
            return Ok(grain);
        };
        let field = ("grain of the disk", offset);
        if at < 2 * SECTOR {
            let problem = format!("{at:#x} is inside the header; the grain table is damaged");
            return Err(bad(field.0, field.1, problem));
        }
        let len = if self.header.has(flags::COMPRESSED) {
            GRAIN_MARKER_LEN as u64
        } else {
            // The last grain may be cut where the disk ends; no other.
            let start = offset - offset % self.header.grain_len();
            self.header.grain_len().min(self.size - start)
        };
        if at + len > self.file.size() {
            return Err(Error::truncated("vmdk", field, at, self.file.size()));
        }
        Ok(grain)
    }

    /// The zlib stream of the compressed grain that starts at `guest` on the disk.
    fn compressed(&self, guest: u64, at: u64) -> Result<Vec<u8>> {
        let marker = read_vec(&self.file, at, GRAIN_MARKER_LEN as u64)?;
        let grain = (guest / SECTOR, self.header.grain_len());
        let len = parse_grain_marker(&marker, at, grain)?;
        let data = at + GRAIN_MARKER_LEN as u64;
        if data + len > self.file.size() {
            let field = ("grain of the disk", guest);
            return Err(Error::truncated("vmdk", field, data + len, self.file.size()));
        }
        read_vec(&self.file, data, len)
    }

    /// Inflates a compressed grain, checks it, and gives what it holds (in `out`, by length)
    /// and its raw deflate stream. The disk's last grain may hold less than a whole one.
    fn inflate<'a>(&self, guest: u64, zlib: &'a [u8], out: &mut [u8]) -> Result<(usize, &'a [u8])> {
        let fail = |problem| bad("grain of the disk", guest, problem);
        let stream = strip_zlib_header(zlib).map_err(fail)?;
        let (read, written) = codec::inflate_within(stream, out).map_err(fail)?;
        if (written as u64) < self.header.grain_len().min(self.size - guest) {
            return Err(fail(format!("the grain holds only {written} bytes")));
        }
        let (stream, rest) = stream.split_at(read);
        let computed = codec::adler32(&out[..written]).to_be_bytes();
        if rest.get(..4) != Some(&computed) {
            let problem = "its bytes do not have the checksum that is stored with them; \
                           the file is damaged: fetch it again";
            return Err(fail(problem.into()));
        }
        Ok((written, stream))
    }

    /// Reads a part of one compressed grain. Whole grains go straight into `buf`: they are
    /// read once. Parts are kept: file systems read block by block.
    fn read_compressed(&self, offset: u64, at: u64, buf: &mut [u8]) -> Result<()> {
        let grain_len = self.header.grain_len();
        let start = offset - offset % grain_len;
        if buf.len() as u64 == grain_len {
            return self.inflate(start, &self.compressed(start, at)?, buf).map(drop);
        }
        let whole = self.inflated.get(at, || {
            let zlib = self.compressed(start, at)?;
            let mut whole = vec![0; grain_len as usize];
            self.inflate(start, &zlib, &mut whole)?;
            Ok(whole)
        })?;
        let skip = (offset - start) as usize;
        buf.copy_from_slice(&whole[skip..skip + buf.len()]);
        Ok(())
    }

    fn read_grain(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let grain = match self.table(offset)? {
            Some(table) => self.grain(&table, offset)?,
            None => Grain::Unallocated,
        };
        match grain {
            Grain::Unallocated | Grain::Zero => {
                buf.fill(0);
                Ok(())
            }
            Grain::At(at) if self.header.has(flags::COMPRESSED) => {
                self.read_compressed(offset, at, buf)
            }
            Grain::At(at) => self.file.read_at(at + offset % self.header.grain_len(), buf),
        }
    }
}

/// Says by name why a file that is a VMDK of another kind is not read.
fn refuse_other_kinds(file: &impl View, head: &[u8]) -> Result<()> {
    if head.starts_with(VMFS_MAGIC) {
        return Err(unsupported("a sparse extent of ESX (vmfsSparse)".into()));
    }
    if head.starts_with(descriptor::MAGIC) {
        let text = read_vec(file, 0, file.size().min(MAX_DESCRIPTOR))?;
        Descriptor::parse(&text, 0)?;
        return Err(unsupported("a descriptor whose extents are other files".into()));
    }
    Ok(())
}

/// Size of the disk: the descriptor's, which must fit into the header's capacity.
fn disk_size(file: &impl View, header: &Header) -> Result<u64> {
    let at = header.descriptor.saturating_mul(SECTOR);
    let len = header.descriptor_len.saturating_mul(SECTOR).min(MAX_DESCRIPTOR);
    if at.saturating_add(len) > file.size() {
        return Err(Error::truncated("vmdk", ("descriptorOffset", 28), at, file.size()));
    }
    // Offset 0 is that of an extent of a disk of several files: no text to parse.
    let text = if at == 0 { Vec::new() } else { read_vec(file, at, len)? };
    let Descriptor { sectors } = Descriptor::parse(&text, at)?;
    if sectors > header.capacity {
        let problem = format!(
            "{sectors} sectors, but the header's capacity is {}; one of them is damaged",
            header.capacity
        );
        return Err(bad("extent description", at, problem));
    }
    Ok(sectors * SECTOR)
}

/// Reads the footer, which must be of the same disk as the first header.
fn read_footer(file: &impl View, first: &Header) -> Result<Header> {
    let at = file.size().saturating_sub(FOOTER_LEN);
    let footer = parse_footer(&read_vec(file, at, file.size().min(FOOTER_LEN))?, at)?;
    if (footer.capacity, footer.grain, footer.flags) != (first.capacity, first.grain, first.flags) {
        let problem = "it contradicts the header at the file's start; one of them is damaged";
        return Err(bad("footer", at, problem.into()));
    }
    Ok(footer)
}

/// The grain directory, which must lie in the file.
fn directory(header: &Header, file_size: u64) -> Result<Table> {
    let sector = header.directory.unwrap_or(0);
    if sector == 0 {
        return Err(bad("gdOffset", 56, "there is no grain directory".into()));
    }
    let len = header.directory_entries() * 4;
    let start = sector.saturating_mul(SECTOR);
    if start.saturating_add(len) > file_size {
        return Err(Error::truncated("vmdk", ("gdOffset", 56), start, file_size));
    }
    Ok(Table::new(start, len))
}

impl<V: View> View for Vmdk<V> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        check_range(self.size, offset, buf.len() as u64)?;
        read_by_block(offset, buf, self.header.grain_len(), |at, part| self.read_grain(at, part))
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        check_range(self.size, offset, 1)?;
        let span = self.header.table_span();
        let table_end = ((offset / span + 1) * span).min(self.size);
        let Some(table) = self.table(offset)? else {
            return Ok(Extent { kind: ExtentKind::Hole, end: table_end });
        };
        let grain_len = self.header.grain_len();
        let kind = kind_of(self.grain(&table, offset)?);
        let mut end = offset - offset % grain_len + grain_len;
        while end < table_end && kind_of(self.grain(&table, end)?) == kind {
            end += grain_len;
        }
        Ok(Extent { kind, end: end.min(table_end) })
    }

    fn deflated(&self, offset: u64, len: u64) -> Result<Option<Deflated>> {
        check_range(self.size, offset, len)?;
        let grain_len = self.header.grain_len();
        let whole = offset.is_multiple_of(grain_len) && len == grain_len;
        if !whole || !self.header.has(flags::COMPRESSED) {
            return Ok(None);
        }
        let Some(table) = self.table(offset)? else {
            return Ok(None);
        };
        let Grain::At(at) = self.grain(&table, offset)? else {
            return Ok(None);
        };
        // Whoever takes the stream over cannot see its checksum any more: it is checked here.
        let zlib = self.compressed(offset, at)?;
        let (_, stream) = self.inflate(offset, &zlib, &mut vec![0; grain_len as usize])?;
        Ok(Some(Deflated { stream: stream.to_vec(), window_bits: WINDOW_BITS }))
    }
}

fn kind_of(grain: Grain) -> ExtentKind {
    match grain {
        Grain::Unallocated => ExtentKind::Hole,
        Grain::Zero => ExtentKind::Zero,
        Grain::At(_) => ExtentKind::Data,
    }
}
