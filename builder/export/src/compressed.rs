//! Raw images as a compressed stream: zstd (RFC 8878), gzip (RFC 1952) or xz.
//!
//! The disk is cut into blocks and each is compressed by itself, as a frame, member or
//! stream of its own: every decompressor takes them one after the other. So threads can
//! share the work and leave no trace in the bytes.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use bootwright_disk::sink::Sink;
use bootwright_disk::unit::{Content, Needs, Unit, Writer as UnitWriter};
use bootwright_disk::{Error, Result};

/// Bytes of the disk that are compressed together: a multiple of a unit, large enough that
/// a stream of its own costs nothing.
const BLOCK: usize = 4 << 20;

/// How the stream is compressed, with the usual levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// zstd, level 1 to 19.
    Zstd(i32),
    /// gzip, level 1 to 9.
    Gzip(u32),
    /// xz, level 0 to 9.
    Xz(u32),
}

impl Codec {
    /// One block as a stream of its own.
    fn compress(self, data: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Zstd(level) => {
                let mut compressor = zstd::bulk::Compressor::new(level)?;
                compressor.include_checksum(true)?;
                compressor.compress(data)
            }
            Self::Gzip(level) => {
                // No name and no time: the header is the same in every member.
                let builder = flate2::GzBuilder::new().mtime(0);
                let mut encoder = builder.write(Vec::new(), flate2::Compression::new(level));
                encoder.write_all(data)?;
                encoder.finish()
            }
            Self::Xz(level) => {
                let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), level);
                encoder.write_all(data)?;
                encoder.finish()
            }
        }
    }
}

type Compressed = io::Result<Arc<Vec<u8>>>;

/// A block on its way to the file.
#[derive(Debug)]
enum Pending {
    Ready(Arc<Vec<u8>>),
    Running(JoinHandle<Compressed>),
}

/// The writer of compressed raw images.
#[derive(Debug)]
pub struct Writer {
    codec: Codec,
    jobs: usize,
    buffer: Vec<u8>,
    pending: VecDeque<Pending>,
    /// A whole block of zeros, compressed once.
    zeros: Option<Arc<Vec<u8>>>,
}

impl Writer {
    /// A writer that compresses with up to `jobs` threads.
    #[must_use]
    pub fn new(codec: Codec, jobs: usize) -> Self {
        let (buffer, pending) = (Vec::with_capacity(BLOCK), VecDeque::new());
        Self { codec, jobs: jobs.max(1), buffer, pending, zeros: None }
    }

    /// Takes bytes of the disk.
    fn take(&mut self, data: &[u8], sink: &mut dyn Sink) -> Result<()> {
        self.buffer.extend_from_slice(data);
        if self.buffer.len() >= BLOCK { self.start_block(sink) } else { Ok(()) }
    }

    /// Takes zeros of the disk.
    fn take_zeros(&mut self, len: u64, sink: &mut dyn Sink) -> Result<()> {
        let mut left = len;
        while left > 0 {
            if self.buffer.is_empty() && left >= BLOCK as u64 {
                let block = self.zero_block(sink)?;
                self.push(Pending::Ready(block), sink)?;
                left -= BLOCK as u64;
                continue;
            }
            let now = left.min((BLOCK - self.buffer.len()) as u64);
            self.buffer.resize(self.buffer.len() + now as usize, 0);
            left -= now;
            if self.buffer.len() == BLOCK {
                self.start_block(sink)?;
            }
        }
        Ok(())
    }

    fn zero_block(&mut self, sink: &dyn Sink) -> Result<Arc<Vec<u8>>> {
        if let Some(block) = &self.zeros {
            return Ok(Arc::clone(block));
        }
        let made = self.codec.compress(&vec![0; BLOCK]).map_err(|source| failed(sink, source))?;
        Ok(Arc::clone(self.zeros.insert(Arc::new(made))))
    }

    /// Starts compressing what the buffer holds.
    fn start_block(&mut self, sink: &mut dyn Sink) -> Result<()> {
        let data = std::mem::replace(&mut self.buffer, Vec::with_capacity(BLOCK));
        let codec = self.codec;
        let running = thread::spawn(move || codec.compress(&data).map(Arc::new));
        self.push(Pending::Running(running), sink)
    }

    /// Queues a block; the oldest one is written when enough are under way.
    fn push(&mut self, block: Pending, sink: &mut dyn Sink) -> Result<()> {
        self.pending.push_back(block);
        if self.pending.len() > self.jobs { self.write_oldest(sink) } else { Ok(()) }
    }

    fn write_oldest(&mut self, sink: &mut dyn Sink) -> Result<()> {
        let block = match self.pending.pop_front() {
            None => return Ok(()),
            Some(Pending::Ready(block)) => block,
            Some(Pending::Running(running)) => running
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                .map_err(|source| failed(sink, source))?,
        };
        sink.append(&block)
    }
}

fn failed(sink: &dyn Sink, source: io::Error) -> Error {
    Error::Io { op: "compressing", offset: sink.position(), source }
}

impl UnitWriter for Writer {
    fn needs(&self) -> Needs {
        Needs::default()
    }

    fn put(&mut self, unit: &Unit, sink: &mut dyn Sink) -> Result<()> {
        match &unit.content {
            Content::Hole => self.take_zeros(unit.len, sink),
            Content::Data(data) => self.take(&data.raw, sink),
        }
    }

    fn finish(&mut self, sink: &mut dyn Sink) -> Result<()> {
        if !self.buffer.is_empty() {
            self.start_block(sink)?;
        }
        while !self.pending.is_empty() {
            self.write_oldest(sink)?;
        }
        Ok(())
    }
}
