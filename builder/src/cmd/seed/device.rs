//! A medium in a file of any format, as a device that can be read.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use bootwright_disk::Format;
use bootwright_disk::view::View;
use bootwright_seed::inspect::Medium;

use crate::exit::Unreadable;

/// A device over a disk view.
pub struct Device {
    view: Arc<dyn View>,
    at: u64,
}

impl Device {
    /// Opens the file; gives its format with it.
    ///
    /// # Errors
    /// What the system says, and what is no image of its format.
    pub fn open(path: &Path) -> Result<(Self, Format)> {
        // So that a file that is not there is named as such.
        std::fs::File::open(path).map_err(|source| Unreadable::new("medium", path, source))?;
        let image = bootwright_disk::open(path, None)
            .with_context(|| format!("opening the medium {}", path.display()))?;
        Ok((Self { view: image.view, at: 0 }, image.format))
    }

    /// Reads all of the medium.
    ///
    /// # Errors
    /// A file system that is none or damaged.
    pub fn medium(&mut self, path: &Path) -> Result<Medium> {
        let name = || format!("reading the medium {}", path.display());
        let medium = Medium::read(&mut *self).with_context(name)?;
        medium.ok_or(bootwright_seed::medium::ReadError::NoFilesystem).with_context(name)
    }
}

impl Read for Device {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.view.size().saturating_sub(self.at);
        let len = (buf.len() as u64).min(left) as usize;
        self.view.read_at(self.at, &mut buf[..len]).map_err(io::Error::other)?;
        self.at += len as u64;
        Ok(len)
    }
}

impl Seek for Device {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.view.size().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
