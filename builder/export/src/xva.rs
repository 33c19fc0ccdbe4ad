//! XVA, the export format of XenServer and XCP-ng: a tar with a description of the machine
//! and its disk in chunks of 1 MiB.
//!
//! Source: xapi's export code and xen-orchestra's `@xen-orchestra/xva`. The first and the
//! last chunk are always there, others only if they hold data; each is followed by its
//! XXH64. Everything is known in order, so the file is written front to back.

mod objects;
mod record;

use bootwright_disk::Result;
use bootwright_disk::sink::Sink;
use bootwright_disk::unit::{Content, Needs, Unit, Writer as UnitWriter};
use twox_hash::XxHash64;

use crate::archive;
use crate::machine::Machine;

/// Bytes of a chunk of the disk.
const CHUNK: u64 = 1 << 20;

/// The writer of XVA files.
#[derive(Debug)]
pub struct Writer {
    description: String,
    mtime: u64,
    chunks: u64,
    /// The chunk being filled, and whether it holds anything.
    index: u64,
    buffer: Vec<u8>,
    has_data: bool,
}

impl Writer {
    /// A writer for the disk of `machine`, whose size is rounded up to whole chunks.
    /// `time` is the time of the archive's entries, in seconds since 1970.
    #[must_use]
    pub fn new(machine: &Machine, time: i64) -> Self {
        let chunks = machine.disk_size.div_ceil(CHUNK);
        Self {
            description: objects::describe(machine, chunks * CHUNK),
            mtime: time.max(0).cast_unsigned(),
            chunks,
            index: 0,
            buffer: vec![0; CHUNK as usize],
            has_data: false,
        }
    }

    fn start(&self, sink: &mut dyn Sink) -> Result<()> {
        match sink.position() {
            0 => archive::entry(sink, "ova.xml", self.description.as_bytes(), self.mtime),
            _ => Ok(()),
        }
    }

    /// Writes chunks up to `index`, the ones without data only where they have to be.
    fn advance(&mut self, index: u64, sink: &mut dyn Sink) -> Result<()> {
        if index == self.index {
            return Ok(());
        }
        if self.has_data || self.index == 0 {
            self.write_chunk(sink)?;
        }
        self.buffer.fill(0);
        self.has_data = false;
        self.index = index;
        Ok(())
    }

    fn write_chunk(&self, sink: &mut dyn Sink) -> Result<()> {
        let name = format!("{}/{:08}", objects::VDI, self.index);
        archive::entry(sink, &name, &self.buffer, self.mtime)?;
        let digest = format!("{:016X}", XxHash64::oneshot(0, &self.buffer));
        archive::entry(sink, &format!("{name}.xxhash"), digest.as_bytes(), self.mtime)
    }
}

impl UnitWriter for Writer {
    fn needs(&self) -> Needs {
        Needs::default()
    }

    fn put(&mut self, unit: &Unit, sink: &mut dyn Sink) -> Result<()> {
        self.start(sink)?;
        if let Content::Data(data) = &unit.content {
            self.advance(unit.offset / CHUNK, sink)?;
            // A chunk is a whole number of units.
            let at = (unit.offset % CHUNK) as usize;
            self.buffer[at..at + data.raw.len()].copy_from_slice(&data.raw);
            self.has_data = true;
        }
        Ok(())
    }

    fn finish(&mut self, sink: &mut dyn Sink) -> Result<()> {
        self.start(sink)?;
        self.advance(self.chunks.saturating_sub(1), sink)?;
        self.write_chunk(sink)?;
        archive::end(sink)
    }
}
