//! A file that appears under its name when it is complete, or not at all.
//!
//! On Linux the file has no name until then, so that even a killed process leaves nothing
//! behind; elsewhere, and on file systems that cannot do that, it has a temporary one.
//! What goes to a pipe is the exception: it is gone as soon as it is written.

mod target;
mod unnamed;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bootwright_disk::Sha256;
use bootwright_disk::sink::Sink as DiskSink;
use sha2::Digest;
use target::Target;
use unnamed::Unnamed;

use crate::{Error, Result};

/// Bytes collected before they are written.
const BUFFER: usize = 1 << 20;

/// How an output file is made.
#[derive(Debug, Clone, Copy)]
pub struct SinkOptions {
    /// Its permission bits, before the umask.
    pub mode: u32,
    /// Whether it may take the place of a file that is there.
    pub replace: bool,
    /// Whether earlier bytes will be patched. Then the digest is taken of the whole file at
    /// the end instead of while it is written.
    pub patched: bool,
}

impl Default for SinkOptions {
    fn default() -> Self {
        Self { mode: 0o666, replace: false, patched: false }
    }
}

/// An output file under way.
#[derive(Debug)]
pub struct Sink {
    path: PathBuf,
    options: SinkOptions,
    target: Target,
    buffer: Vec<u8>,
    /// Bytes before the buffer.
    written: u64,
    hasher: Option<sha2::Sha256>,
}

/// A complete output file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256,
}

impl Sink {
    /// Starts the file that is to be at `path`, whose folder must exist.
    ///
    /// # Errors
    /// [`Error::Exists`], and what the system says.
    pub fn create(path: &Path, options: SinkOptions) -> Result<Self> {
        if !options.replace && fs::symlink_metadata(path).is_ok() {
            return Err(Error::Exists { path: path.to_owned() });
        }
        let file = Unnamed::create(path, options.mode)
            .map_err(|source| Error::io("creating", path, source))?;
        Ok(Self::new(path, options, Target::File(file)))
    }

    /// Starts an output that goes to a pipe, which messages call `name`. Formats that patch
    /// what they wrote fail on it.
    #[must_use]
    pub fn stream(name: &str, stream: Box<dyn Write + Send>) -> Self {
        let options = SinkOptions { replace: true, ..SinkOptions::default() };
        Self::new(Path::new(name), options, Target::Stream(stream))
    }

    fn new(path: &Path, options: SinkOptions, target: Target) -> Self {
        Self {
            path: path.to_owned(),
            options,
            target,
            buffer: Vec::with_capacity(BUFFER),
            written: 0,
            hasher: (!options.patched).then(sha2::Sha256::new),
        }
    }

    fn flush(&mut self) -> Result<()> {
        let written = self.target.append(&self.buffer, self.written);
        written.map_err(|source| Error::io("writing", &self.path, source))?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&self.buffer);
        }
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Writes at the end.
    ///
    /// # Errors
    /// [`Error::Full`], and what the system says.
    pub fn write(&mut self, data: &[u8]) -> Result<()> {
        if self.buffer.len() + data.len() > BUFFER {
            self.flush()?;
        }
        self.buffer.extend_from_slice(data);
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    /// Adds zeros at the end. They take space only within a buffer's length of data.
    ///
    /// # Errors
    /// As [`Sink::write`].
    pub fn hole(&mut self, len: u64) -> Result<()> {
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        if len <= (BUFFER - self.buffer.len()) as u64 && !self.buffer.is_empty() {
            self.buffer.resize(self.buffer.len() + len as usize, 0);
            return Ok(());
        }
        self.flush()?;
        let skipped = self.target.skip(len);
        skipped.map_err(|source| Error::io("writing", &self.path, source))?;
        self.written += len;
        if let Some(hasher) = &mut self.hasher {
            let mut left = len;
            while left > 0 {
                let now = left.min(ZEROS.len() as u64);
                hasher.update(&ZEROS[..now as usize]);
                left -= now;
            }
        }
        Ok(())
    }

    /// Replaces bytes that were written before.
    fn rewrite(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        self.flush()?;
        let written = self.target.patch(data, offset);
        written.map_err(|source| Error::io("writing", &self.path, source))
    }

    /// Writes what is left, takes the digest and makes the bytes durable.
    ///
    /// # Errors
    /// [`Error::Full`], and what the system says.
    pub fn complete(mut self) -> Result<Complete> {
        self.flush()?;
        let io = |op| {
            let path = self.path.clone();
            move |source| Error::io(op, &path, source)
        };
        let size = self.written;
        self.target.set_len(size).map_err(io("writing"))?;
        let sha256 = match self.hasher.take() {
            Some(hasher) => hasher.into(),
            None => self.target.digest().map_err(io("reading back"))?,
        };
        self.target.sync().map_err(io("syncing"))?;
        let finished = Finished { path: self.path, size, sha256 };
        Ok(Complete { target: self.target, replace: self.options.replace, finished })
    }
}

/// A file that is complete but has no name yet.
#[derive(Debug)]
pub struct Complete {
    target: Target,
    replace: bool,
    finished: Finished,
}

impl Complete {
    /// Gives the file its name.
    ///
    /// # Errors
    /// [`Error::Exists`] if another file has come there meanwhile, and what the system says.
    pub fn publish(self) -> Result<Finished> {
        let Target::File(file) = self.target else {
            return Ok(self.finished);
        };
        let path = &self.finished.path;
        match file.publish(path, self.replace) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Error::Exists { path: path.clone() });
            }
            Err(error) => return Err(Error::io("naming", path, error)),
        }
        sync_folder(path).map_err(|source| Error::io("syncing", path, source))?;
        Ok(self.finished)
    }
}

/// The folder that a path is in.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes the names in a file's folder durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

/// Writes a small file completely.
///
/// # Errors
/// As [`Sink::create`], [`Sink::complete`] and [`Complete::publish`].
pub fn write_file(path: &Path, data: &[u8], options: SinkOptions) -> Result<Finished> {
    let mut sink = Sink::create(path, options)?;
    sink.write(data)?;
    sink.complete()?.publish()
}

/// What a writer of a disk format sees. The first failure is kept: the formats know only
/// that writing failed.
#[derive(Debug)]
pub(crate) struct FormatSink<'a> {
    pub(crate) sink: &'a mut Sink,
    pub(crate) failure: Option<Error>,
}

impl FormatSink<'_> {
    fn keep(&mut self, outcome: Result<()>) -> bootwright_disk::Result<()> {
        outcome.map_err(|error| {
            self.failure = Some(error);
            let source = io::Error::other("the output failed");
            bootwright_disk::Error::Io { op: "writing", offset: self.sink.written, source }
        })
    }
}

impl DiskSink for FormatSink<'_> {
    fn position(&self) -> u64 {
        self.sink.written + self.sink.buffer.len() as u64
    }

    fn append(&mut self, data: &[u8]) -> bootwright_disk::Result<()> {
        let outcome = self.sink.write(data);
        self.keep(outcome)
    }

    fn skip(&mut self, len: u64) -> bootwright_disk::Result<()> {
        let outcome = self.sink.hole(len);
        self.keep(outcome)
    }

    fn patch(&mut self, offset: u64, data: &[u8]) -> bootwright_disk::Result<()> {
        let outcome = self.sink.rewrite(offset, data);
        self.keep(outcome)
    }
}

#[cfg(test)]
mod tests;
