//! What the tests of formats share: disks to write, a feeder, and qemu-img as the judge.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use bootwright_disk::codec::Compressor;
use bootwright_disk::sink::Sink;
use bootwright_disk::unit::{Content, Data, UNIT, Unit, Writer};
use bootwright_disk::view::{View, read_vec};
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
        self.file.write_all_at(data, offset).map_err(io)
    }
}

/// Writes all of `disk` with `writer` into a new file.
pub fn write_image(disk: &dyn View, writer: &mut dyn Writer, path: &Path) {
    let mut sink = FileSink::create(path);
    let mut compressor = Compressor::new(writer.needs());
    let mut offset = 0;
    while offset < disk.size() {
        let len = UNIT.min(disk.size() - offset);
        let raw = read_vec(disk, offset, len).unwrap();
        let content = if raw.iter().all(|&byte| byte == 0) {
            Content::Hole
        } else {
            let mut padded = raw.clone();
            padded.resize(UNIT as usize, 0);
            let (deflate, zstd) = (compressor.deflate(&padded), compressor.zstd(&padded));
            Content::Data(Data { raw, deflate, zstd })
        };
        writer.put(&Unit { offset, len, content }, &mut sink).unwrap();
        offset += len;
    }
    writer.finish(&mut sink).unwrap();
}

/// Runs a tool that must be there and succeed; gives its output.
pub fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program)
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("{program} does not run ({error}): run ci/setup"));
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{program} {args:?}: {}\n{text}", output.status);
    text
}

/// A disk with every kind of content: text, noise, zeros, holes, data at both ends.
pub fn mixed_disk(size: usize, seed: u64) -> Vec<u8> {
    let mut disk = vec![0; size];
    let mut state = seed | 1;
    let mut random = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize
    };
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
