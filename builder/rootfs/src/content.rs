//! The content of a file that goes into an image.

use std::fs::File;
use std::io::{self, Cursor, ErrorKind, Read};
use std::path::PathBuf;

use crate::{Error, Result};

/// Where the bytes of a new file come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The bytes themselves.
    Bytes(Vec<u8>),
    /// A file of the host, read when the edit is applied.
    Host {
        /// Its path.
        path: PathBuf,
        /// Its size, which must not change until then.
        size: u64,
    },
}

impl Content {
    /// Number of bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Host { size, .. } => *size,
        }
    }

    /// Starts reading.
    pub(crate) fn open(&self) -> Result<Source<'_>> {
        match self {
            Self::Bytes(bytes) => {
                Ok(Source { name: "new content".to_owned(), reader: Box::new(Cursor::new(bytes)) })
            }
            Self::Host { path, .. } => {
                let name = path.display().to_string();
                match File::open(path) {
                    Ok(file) => Ok(Source { name, reader: Box::new(file) }),
                    Err(source) => Err(Error::Host { path: name, op: "opening", source }),
                }
            }
        }
    }
}

/// Content being read.
pub(crate) struct Source<'a> {
    name: String,
    reader: Box<dyn Read + 'a>,
}

impl Source<'_> {
    /// Fills the buffer. A host file that has shrunk since it was measured is an error.
    pub(crate) fn fill(&mut self, buf: &mut [u8]) -> Result<()> {
        let read = self.reader.read_exact(buf);
        read.map_err(|source| match source.kind() {
            ErrorKind::UnexpectedEof => self.changed("is shorter"),
            _ => self.failed(source),
        })
    }

    /// Checks that nothing is left: a host file that has grown is an error, too.
    pub(crate) fn finish(&mut self) -> Result<()> {
        match self.reader.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(self.changed("is longer")),
            Err(source) => Err(self.failed(source)),
        }
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::Host { path: self.name.clone(), op: "reading", source }
    }

    fn changed(&self, how: &str) -> Error {
        let problem = format!("the file {how} than when the build began; build again");
        self.failed(io::Error::new(ErrorKind::InvalidData, problem))
    }
}
