//! The file that gets the console's bytes, up to a limit: a guest must not fill the disk.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Most bytes that a log takes.
const LOG_LIMIT: usize = 16 << 20;

/// A console log being written.
pub(crate) struct Log {
    file: File,
    path: PathBuf,
    room: usize,
}

impl Log {
    /// Creates the file, or empties the one there is.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(failure("creating the console log", path))?;
        Ok(Self { file, path: path.to_owned(), room: LOG_LIMIT })
    }

    /// Writes what there is room for; the last line says so once there is none.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if self.room == 0 {
            return Ok(());
        }
        let taken = bytes.len().min(self.room);
        self.room -= taken;
        let end: &[u8] =
            if self.room == 0 { b"\n[the log ends here: limit reached]\n" } else { b"" };
        self.file
            .write_all(&bytes[..taken])
            .and_then(|()| self.file.write_all(end))
            .map_err(failure("writing the console log", &self.path))
    }
}

fn failure(action: &'static str, path: &Path) -> impl Fn(io::Error) -> Error {
    move |source| Error::File { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::{LOG_LIMIT, Log};

    #[test]
    fn a_log_has_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("console.log");
        let mut log = Log::create(&path).unwrap();
        for _ in 0..3 {
            log.write(&vec![b'x'; LOG_LIMIT / 2 + 1]).unwrap();
        }
        let written = std::fs::read(&path).unwrap();
        assert!(written.ends_with(b"x\n[the log ends here: limit reached]\n"));
        assert_eq!(written.iter().filter(|byte| **byte == b'x').count(), LOG_LIMIT);
    }
}
