//! OVA: an OVF envelope, a manifest and a streamOptimized VMDK in one tar (DSP0243).
//!
//! The envelope has to come first, though it holds the size of the disk, and so does the
//! manifest with its digest. Room of the right length is left for both and filled in at the
//! end; spaces after the envelope's last tag make up for a shorter number.

mod digest;
mod ovf;

use bootwright_disk::Result;
use bootwright_disk::sink::{Sink, align};
use bootwright_disk::unit::{Needs, Unit, Writer as UnitWriter};
use bootwright_disk::vmdk::{Options as VmdkOptions, StreamWriter};

use crate::archive;
use crate::machine::Machine;

pub use digest::Algorithm;
use digest::Hasher;
pub use ovf::Controller;
use ovf::Envelope;

/// What an OVA says besides the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// SCSI controller of the disk.
    pub controller: Controller,
    /// VMware hardware version, such as 15.
    pub hardware: u32,
    /// Digest of the manifest.
    pub digest: Algorithm,
    /// Deflate level of the disk.
    pub level: u32,
    /// Time of the archive's entries, in seconds since 1970.
    pub time: i64,
}

/// The writer of OVA files.
#[derive(Debug)]
pub struct Writer {
    machine: Machine,
    options: Options,
    disk: StreamWriter,
    hasher: Hasher,
    layout: Option<Layout>,
}

/// Where the parts of the archive are.
#[derive(Debug, Clone, Copy)]
struct Layout {
    envelope: Room,
    manifest: Room,
    disk_header: u64,
    disk: u64,
}

/// Room left for something that is known later.
#[derive(Debug, Clone, Copy)]
struct Room {
    at: u64,
    len: u64,
}

impl Writer {
    /// A writer for the disk of `machine`.
    ///
    /// # Errors
    /// What [`StreamWriter::new`] refuses.
    pub fn new(machine: &Machine, options: Options) -> Result<Self> {
        // Disks for the paravirtual controller name lsilogic as well: the envelope decides.
        let vmdk = VmdkOptions::new(disk_name(machine), machine.derived("ova-disk"));
        Ok(Self {
            machine: machine.clone(),
            options,
            disk: StreamWriter::new(machine.disk_size, options.level, &vmdk)?,
            hasher: Hasher::new(options.digest),
            layout: None,
        })
    }

    fn envelope(&self, disk_size: u64) -> String {
        let envelope = Envelope {
            machine: &self.machine,
            controller: self.options.controller,
            hardware: self.options.hardware,
            disk_file: (&disk_name(&self.machine), disk_size),
        };
        envelope.to_xml()
    }

    fn manifest(&self, envelope: &str, disk: &str) -> String {
        let name = self.options.digest.name();
        let (ovf, vmdk) = (envelope_name(&self.machine), disk_name(&self.machine));
        format!("{name}({ovf})= {envelope}\n{name}({vmdk})= {disk}\n")
    }

    fn time(&self) -> u64 {
        self.options.time.max(0).cast_unsigned()
    }

    /// Leaves room for an entry and gives its place.
    fn reserve(&self, sink: &mut dyn Sink, name: &str, len: u64) -> Result<Room> {
        sink.append(&archive::header(name, len, self.time()))?;
        let at = sink.position();
        sink.skip(len)?;
        align(sink, archive::BLOCK)?;
        Ok(Room { at, len })
    }

    /// Starts the archive, or tells where its parts are.
    fn start(&mut self, sink: &mut dyn Sink) -> Result<Layout> {
        if let Some(layout) = self.layout {
            return Ok(layout);
        }
        let longest = self.envelope(u64::MAX).len() as u64;
        let envelope = self.reserve(sink, &envelope_name(&self.machine), longest)?;
        let digest = self.options.digest.zeros();
        let lines = self.manifest(&digest, &digest).len() as u64;
        let manifest = self.reserve(sink, &format!("{}.mf", self.machine.stem), lines)?;
        let disk_header = sink.position();
        sink.skip(archive::BLOCK)?;
        let layout = Layout { envelope, manifest, disk_header, disk: sink.position() };
        self.layout = Some(layout);
        Ok(layout)
    }
}

fn envelope_name(machine: &Machine) -> String {
    format!("{}.ovf", machine.stem)
}

fn disk_name(machine: &Machine) -> String {
    format!("{}-disk1.vmdk", machine.stem)
}

impl UnitWriter for Writer {
    fn needs(&self) -> Needs {
        self.disk.needs()
    }

    fn put(&mut self, unit: &Unit, sink: &mut dyn Sink) -> Result<()> {
        let start = self.start(sink)?.disk;
        self.disk.put(unit, &mut Member { sink, start, hasher: &mut self.hasher })
    }

    fn finish(&mut self, sink: &mut dyn Sink) -> Result<()> {
        let layout = self.start(sink)?;
        let mut member = Member { sink, start: layout.disk, hasher: &mut self.hasher };
        self.disk.finish(&mut member)?;
        let disk_size = sink.position() - layout.disk;
        align(sink, archive::BLOCK)?;
        archive::end(sink)?;
        let header = archive::header(&disk_name(&self.machine), disk_size, self.time());
        sink.patch(layout.disk_header, &header)?;
        let mut envelope = self.envelope(disk_size).into_bytes();
        envelope.resize(layout.envelope.len as usize, b' ');
        sink.patch(layout.envelope.at, &envelope)?;
        let digest = Hasher::digest(self.options.digest, &envelope);
        let disk_digest = self.hasher.finish();
        let manifest = self.manifest(&digest, &disk_digest);
        debug_assert_eq!(manifest.len() as u64, layout.manifest.len);
        sink.patch(layout.manifest.at, manifest.as_bytes())
    }
}

/// A part of the archive that is written front to back, as a sink of its own.
struct Member<'a> {
    sink: &'a mut dyn Sink,
    start: u64,
    hasher: &'a mut Hasher,
}

impl Sink for Member<'_> {
    fn position(&self) -> u64 {
        self.sink.position() - self.start
    }

    fn append(&mut self, data: &[u8]) -> Result<()> {
        self.hasher.update(data);
        self.sink.append(data)
    }

    fn skip(&mut self, len: u64) -> Result<()> {
        self.hasher.zeros(len);
        self.sink.skip(len)
    }

    fn patch(&mut self, offset: u64, _data: &[u8]) -> Result<()> {
        // The digest is taken on the way; a streamOptimized disk patches nothing.
        Err(bootwright_disk::Error::Io {
            op: "patching a disk inside an archive",
            offset,
            source: std::io::ErrorKind::Unsupported.into(),
        })
    }
}

#[cfg(test)]
mod tests;
