//! A view that looks writable and refuses to be: for those who read what is made to be
//! edited.

use std::io;

use super::{Deflated, Extent, View, WriteView};
use crate::{Error, Result};

/// Another view, which stays as it is.
#[derive(Debug, Clone)]
pub struct ReadOnly<V>(pub V);

impl<V: View> View for ReadOnly<V> {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.0.read_at(offset, buf)
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        self.0.extent_at(offset)
    }

    fn deflated(&self, offset: u64, len: u64) -> Result<Option<Deflated>> {
        self.0.deflated(offset, len)
    }
}

fn refused(offset: u64) -> Result<()> {
    Err(Error::Io {
        op: "writing to a disk that is read only",
        offset,
        source: io::ErrorKind::ReadOnlyFilesystem.into(),
    })
}

impl<V: View> WriteView for ReadOnly<V> {
    fn write_at(&self, offset: u64, _data: &[u8]) -> Result<()> {
        refused(offset)
    }

    fn discard(&self, offset: u64, _len: u64) -> Result<()> {
        refused(offset)
    }
}
