//! Disks to write, and what feeds them to a writer.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use bootwright_disk::codec::Compressor;
use bootwright_disk::sink::Sink;
use bootwright_disk::unit::{Content, Data, UNIT, Unit, Writer};
use bootwright_disk::view::{ExtentKind, View, read_vec};
use bootwright_disk::{Error, Result};

/// A sink that is a plain file.
pub struct FileSink {
    file: File,
    position: u64,
}

impl FileSink {
    pub fn create(path: &Path) -> Self {
        Self { file: File::create(path).expect("creating a test output"), position: 0 }
    }
}

fn io(source: std::io::Error) -> Error {
    Error::Io { op: "writing", offset: 0, source }
}

impl Sink for FileSink {
    fn position(&self) -> u64 {
        self.position
    }

    fn append(&mut self, data: &[u8]) -> Result<()> {
        self.file.write_all_at(data, self.position).map_err(io)?;
        self.position += data.len() as u64;
        Ok(())
    }

    fn skip(&mut self, len: u64) -> Result<()> {
        self.position += len;
        self.file.set_len(self.position).map_err(io)
    }

    fn patch(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        assert!(offset + data.len() as u64 <= self.position, "a patch past the end");
        self.file.write_all_at(data, offset).map_err(io)
    }
}

/// Writes all of `disk` with `writer` into a new file: data in units, holes in longer runs.
pub fn write_image(disk: &dyn View, writer: &mut dyn Writer, path: &Path) {
    let mut sink = FileSink::create(path);
    let mut compressor = Compressor::new(writer.needs());
    let mut offset = 0;
    while offset < disk.size() {
        let extent = disk.extent_at(offset).unwrap();
        let hole_end =
            if extent.end == disk.size() { extent.end } else { extent.end / UNIT * UNIT };
        let unit = if extent.kind != ExtentKind::Data && hole_end > offset {
            Unit { offset, len: hole_end - offset, content: Content::Hole }
        } else {
            let len = UNIT.min(disk.size() - offset);
            let raw = read_vec(disk, offset, len).unwrap();
            Unit { offset, len, content: content(raw, &mut compressor) }
        };
        writer.put(&unit, &mut sink).unwrap();
        offset += unit.len;
    }
    writer.finish(&mut sink).unwrap();
}

fn content(raw: Vec<u8>, compressor: &mut Compressor) -> Content {
    if raw.iter().all(|&byte| byte == 0) {
        return Content::Hole;
    }
    let mut padded = raw.clone();
    padded.resize(UNIT as usize, 0);
    let (deflate, zstd) = (compressor.deflate(&padded), compressor.zstd(&padded));
    Content::Data(Data { raw, deflate, zstd, adler: compressor.adler(&padded) })
}

/// Numbers that look random and are the same every time.
pub fn noise(seed: u64) -> impl FnMut() -> usize {
    let mut state = seed | 1;
    move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize
    }
}

/// A disk with every kind of content: text, noise, zeros, holes, data at both ends.
pub fn mixed_disk(size: usize, seed: u64) -> Vec<u8> {
    let mut disk = vec![0; size];
    let mut random = noise(seed);
    let mut at = 0;
    while at < size {
        let len = (1 + random() % (300 << 10)).min(size - at);
        let area = &mut disk[at..at + len];
        match random() % 3 {
            0 => area.iter_mut().enumerate().for_each(|(i, b)| *b = (i / 9 % 80) as u8),
            1 => area.iter_mut().for_each(|b| *b = random() as u8),
            _ => {}
        }
        at += len + random() % (500 << 10);
    }
    disk[0] = 1;
    disk[size - 1] = 1;
    disk
}
