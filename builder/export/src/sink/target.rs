//! Where the bytes of an output go: a file, or a pipe.

use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use bootwright_disk::Sha256;

use super::unnamed::Unnamed;

/// Zeros are written to pipes in pieces of this many bytes.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Takes bytes in ascending order.
pub(super) enum Target {
    File(Unnamed),
    Stream(Box<dyn Write + Send>),
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(file) => file.fmt(f),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

impl Target {
    /// Writes at `offset`, which is where the last bytes ended.
    pub(super) fn append(&mut self, data: &[u8], offset: u64) -> io::Result<()> {
        match self {
            Self::File(file) => file.file().write_all_at(data, offset),
            Self::Stream(stream) => stream.write_all(data),
        }
    }

    /// Passes over zeros, which a file need not store.
    pub(super) fn skip(&mut self, len: u64) -> io::Result<()> {
        let Self::Stream(stream) = self else {
            return Ok(());
        };
        let mut left = len;
        while left > 0 {
            let now = left.min(ZEROS.len() as u64);
            stream.write_all(&ZEROS[..now as usize])?;
            left -= now;
        }
        Ok(())
    }

    /// Replaces bytes that were written before.
    pub(super) fn patch(&mut self, data: &[u8], offset: u64) -> io::Result<()> {
        match self {
            Self::File(file) => file.file().write_all_at(data, offset),
            Self::Stream(_) => Err(io::ErrorKind::NotSeekable.into()),
        }
    }

    /// Ends the output after `len` bytes: a hole at the end has no bytes of its own.
    pub(super) fn set_len(&mut self, len: u64) -> io::Result<()> {
        match self {
            Self::File(file) => file.file().set_len(len),
            Self::Stream(_) => Ok(()),
        }
    }

    /// The digest of the whole output.
    pub(super) fn digest(&self) -> io::Result<Sha256> {
        match self {
            Self::File(file) => {
                let mut file = file.file();
                file.seek(SeekFrom::Start(0))?;
                Sha256::of_reader(file).map(|(digest, _)| digest)
            }
            Self::Stream(_) => Err(io::ErrorKind::NotSeekable.into()),
        }
    }

    /// Makes the bytes durable.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.file().sync_all(),
            Self::Stream(stream) => stream.flush(),
        }
    }
}
