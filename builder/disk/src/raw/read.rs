//! A file as a view; its holes are the view's holes.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use rustix::fs::SeekFrom as Sparse;
use rustix::io::Errno;

use crate::view::{Extent, ExtentKind, View, check_range};
use crate::{Error, Result};

/// A regular file or block device as a view.
#[derive(Debug)]
pub struct Raw {
    file: File,
    size: u64,
}

impl Raw {
    /// Takes an open file; its size is the view's.
    ///
    /// # Errors
    /// What the system says when the file has no size, such as a pipe.
    pub fn new(mut file: File) -> Result<Self> {
        // Seeking gives the size of block devices too, which `metadata` does not.
        let size = file.seek(SeekFrom::End(0)).map_err(|source| Error::Io {
            op: "finding the end of the image",
            offset: 0,
            source,
        })?;
        Ok(Self { file, size })
    }
}

impl View for Raw {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        check_range(self.size, offset, buf.len() as u64)?;
        let read = self.file.read_exact_at(buf, offset);
        read.map_err(|source| Error::Io { op: "reading", offset, source })
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        check_range(self.size, offset, 1)?;
        // Reads are positional, so moving the shared file offset here disturbs nobody.
        let (kind, end) = match rustix::fs::seek(&self.file, Sparse::Data(offset)) {
            Ok(data) if data > offset => (ExtentKind::Hole, Ok(data)),
            Ok(_) => (ExtentKind::Data, rustix::fs::seek(&self.file, Sparse::Hole(offset))),
            Err(Errno::NXIO) => (ExtentKind::Hole, Ok(self.size)),
            // A file system without hole reporting: everything is data.
            Err(_) => (ExtentKind::Data, Ok(self.size)),
        };
        let end = end.map_err(|errno| Error::Io {
            op: "looking for holes",
            offset,
            source: io::Error::from(errno),
        })?;
        Ok(Extent { kind, end: end.clamp(offset + 1, self.size) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::read_vec;

    #[test]
    fn holes_of_the_file_are_holes_of_the_view() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(3 << 20).unwrap();
        file.write_all_at(&[7; 4096], 1 << 20).unwrap();
        let raw = Raw::new(file).unwrap();
        assert_eq!(raw.size(), 3 << 20);
        assert_eq!(raw.extent_at(0).unwrap(), Extent { kind: ExtentKind::Hole, end: 1 << 20 });
        assert_eq!(raw.extent_at(1 << 20).unwrap().kind, ExtentKind::Data);
        assert_eq!(
            raw.extent_at(2 << 20).unwrap(),
            Extent { kind: ExtentKind::Hole, end: 3 << 20 }
        );
        assert_eq!(read_vec(&raw, (1 << 20) - 1, 2).unwrap(), [0, 7]);
        assert!(read_vec(&raw, 3 << 20, 1).is_err());
    }
}
