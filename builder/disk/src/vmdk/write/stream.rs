//! A streamOptimized VMDK, laid out as the specification wants it for reading in one go.
//!
//! Header (without the place of the grain directory), descriptor, and from sector 128 on
//! nothing but markers: compressed grains in ascending order, after every 32 MiB of the disk
//! that has some a grain table, the grain directory, the footer, and one end-of-stream
//! marker, which is the file's last sector. Nothing is patched.
//!
//! An all-zero sector is an end-of-stream marker, too: a reader that hashes what it reads
//! stops there. So the file must not end with more than one of them, which is what is wrong
//! with QEMU's files.

use super::{
    DESCRIPTOR_AT, DESCRIPTOR_LEN, GRAIN, Options, STREAM_LIMIT, capacity, entry, grain_index,
    table_bytes,
};
use crate::sink::{Sink, align, skip_to};
use crate::unit::{Content, Data, Deflate, Needs, UNIT, Unit, Writer};
use crate::vmdk::layout::{
    Header, Metadata, SECTOR, TABLE_ENTRIES, WINDOW_BITS, flags, grain_marker, metadata_marker,
};
use crate::{Result, codec};

/// Sector of the first marker. VirtualBox starts to read just where the header's `overHead`
/// says; VMware writes 128, too.
const FIRST_MARKER: u64 = 128;
/// Header of a zlib stream: deflate with a window of 32 KiB, no dictionary, fastest level.
const ZLIB_HEADER: [u8; 2] = [0x78, 0x01];
/// Longest stored block of deflate.
const STORED: usize = 65535;

/// The writer of streamOptimized VMDK images. It never patches: a digest can be taken on the
/// way.
#[derive(Debug)]
pub struct StreamWriter {
    header: Header,
    descriptor: Vec<u8>,
    level: u32,
    directory: Vec<u32>,
    /// The grain table being filled, and its index in the directory.
    table: Vec<u32>,
    table_index: usize,
    /// A grain on its way to the sink, kept for its memory.
    buffer: Vec<u8>,
}

impl StreamWriter {
    /// A writer for a disk of `size` bytes, which is rounded up to whole grains of 64 KiB,
    /// with grains that are deflated at `level` (1 to 9).
    ///
    /// # Errors
    /// [`crate::Error::Unsupported`] for an empty disk, one of more than 62 TiB, and names
    /// that do not fit into the descriptor.
    pub fn new(size: u64, level: u32, options: &Options) -> Result<Self> {
        let capacity = capacity(size, STREAM_LIMIT)?;
        let header = Header {
            version: 3,
            flags: flags::NEWLINES | flags::COMPRESSED | flags::MARKERS,
            capacity,
            grain: GRAIN,
            descriptor: DESCRIPTOR_AT,
            descriptor_len: DESCRIPTOR_LEN,
            redundant_directory: 0,
            directory: None,
            overhead: FIRST_MARKER,
        };
        let directory = vec![0; header.directory_entries() as usize];
        let descriptor = options.descriptor("streamOptimized", capacity)?;
        let table = vec![0; TABLE_ENTRIES as usize];
        let buffer = Vec::new();
        Ok(Self { header, descriptor, level, directory, table, table_index: 0, buffer })
    }

    fn start(&self, sink: &mut dyn Sink) -> Result<()> {
        if sink.position() > 0 {
            return Ok(());
        }
        sink.append(&self.header.encode())?;
        sink.append(&self.descriptor)?;
        skip_to(sink, FIRST_MARKER * SECTOR)
    }

    /// Writes a grain: marker, and a zlib stream made of the unit's raw deflate stream.
    fn put_data(&mut self, offset: u64, data: &Data, sink: &mut dyn Sink) -> Result<()> {
        let (directory_index, index) = grain_index(offset);
        if directory_index != self.table_index {
            self.end_table(sink)?;
            self.table_index = directory_index;
        }
        self.table[index] = entry(sink.position())?;
        let grain = &mut self.buffer;
        grain.clear();
        grain.extend(grain_marker(offset / SECTOR, 0));
        let data_at = grain.len();
        grain.extend(ZLIB_HEADER);
        let adler = match (&data.deflate, data.adler) {
            (Some(stream), Some(adler)) => {
                grain.extend(stream);
                adler
            }
            // What does not shrink is stored.
            (_, adler) => {
                let mut padded = data.raw.clone();
                padded.resize(UNIT as usize, 0);
                store(&padded, grain);
                adler.unwrap_or_else(|| codec::adler32(&padded))
            }
        };
        grain.extend(adler.to_be_bytes());
        let len = (grain.len() - data_at) as u32;
        grain[..data_at].copy_from_slice(&grain_marker(offset / SECTOR, len));
        sink.append(grain)?;
        align(sink, SECTOR)
    }

    /// Writes the grain table, if it has entries, and starts another one.
    fn end_table(&mut self, sink: &mut dyn Sink) -> Result<()> {
        if self.table.iter().all(|&entry| entry == 0) {
            return Ok(());
        }
        let at = append_metadata(Metadata::GrainTable, &table_bytes(&self.table), sink)?;
        self.directory[self.table_index] = entry(at)?;
        self.table.fill(0);
        Ok(())
    }
}

/// Writes metadata behind its marker and gives its place.
fn append_metadata(kind: Metadata, bytes: &[u8], sink: &mut dyn Sink) -> Result<u64> {
    sink.append(&metadata_marker(kind, bytes.len() as u64 / SECTOR))?;
    let at = sink.position();
    sink.append(bytes)?;
    Ok(at)
}

/// Appends a deflate stream of stored blocks.
fn store(bytes: &[u8], out: &mut Vec<u8>) {
    let mut blocks = bytes.chunks(STORED).peekable();
    while let Some(block) = blocks.next() {
        let len = block.len() as u16;
        out.push(u8::from(blocks.peek().is_none()));
        out.extend(len.to_le_bytes());
        out.extend((!len).to_le_bytes());
        out.extend(block);
    }
}

impl Writer for StreamWriter {
    fn needs(&self) -> Needs {
        let deflate = Deflate { level: self.level, window_bits: WINDOW_BITS };
        Needs { deflate: Some(deflate), adler: true, ..Needs::default() }
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
        self.end_table(sink)?;
        let directory = table_bytes(&self.directory);
        let at = append_metadata(Metadata::GrainDirectory, &directory, sink)?;
        self.header.directory = Some(u64::from(entry(at)?));
        append_metadata(Metadata::Footer, &self.header.encode(), sink)?;
        sink.append(&metadata_marker(Metadata::EndOfStream, 0))
    }
}
