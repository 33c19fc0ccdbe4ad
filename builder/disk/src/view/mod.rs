//! Disk views: the traits, and one stackable view per file.

mod cow;
mod grown;
mod memory;
mod read_only;
mod window;

use std::sync::Arc;

use crate::{Error, Result};

pub use cow::{Cow, CowOptions};
pub use grown::Grown;
pub use memory::Memory;
pub use read_only::ReadOnly;
pub use window::Window;

/// What a range of a view holds, as far as its metadata tells without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtentKind {
    /// Bytes that have to be read. They may still all be zero.
    Data,
    /// Reads as zeros because the image says so.
    Zero,
    /// Reads as zeros because nothing was ever stored.
    Hole,
}

/// A maximal known range of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// What it holds.
    pub kind: ExtentKind,
    /// First byte after it.
    pub end: u64,
}

/// A stored deflate stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deflated {
    /// The stream, perhaps followed by padding.
    pub stream: Vec<u8>,
    /// Binary logarithm of the window that a reader must have for it, 8 to 15.
    pub window_bits: u8,
}

/// A disk that can be read at any offset, by many threads at once.
pub trait View: Send + Sync {
    /// Size in bytes.
    fn size(&self) -> u64;

    /// Fills `buf` from `offset`.
    ///
    /// # Errors
    /// [`Error::OutOfBounds`] when the range leaves the view, and what the storage says.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()>;

    /// The extent that holds the byte at `offset` (which must lie inside the view). It may
    /// end early: only its kind is exact, two neighbours may be of the same kind.
    ///
    /// # Errors
    /// As [`View::read_at`].
    fn extent_at(&self, offset: u64) -> Result<Extent>;

    /// The raw deflate stream (RFC 1951) that inflates to exactly `offset..offset + len`,
    /// where the view stores one for just that range. `None` where there is none; the bytes
    /// can always be read instead.
    ///
    /// # Errors
    /// As [`View::read_at`].
    fn deflated(&self, offset: u64, len: u64) -> Result<Option<Deflated>> {
        let _ = (offset, len);
        Ok(None)
    }
}

/// A view that can be changed. Only the edit stage gets one.
pub trait WriteView: View {
    /// Replaces the bytes from `offset`.
    ///
    /// # Errors
    /// [`Error::OutOfBounds`] when the range leaves the view, and what the storage says.
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()>;

    /// Makes a range read as zeros, giving its storage back where that is possible.
    ///
    /// # Errors
    /// As [`WriteView::write_at`].
    fn discard(&self, offset: u64, len: u64) -> Result<()>;
}

impl<V: View + ?Sized> View for Arc<V> {
    fn size(&self) -> u64 {
        (**self).size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        (**self).read_at(offset, buf)
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        (**self).extent_at(offset)
    }

    fn deflated(&self, offset: u64, len: u64) -> Result<Option<Deflated>> {
        (**self).deflated(offset, len)
    }
}

impl<V: View + ?Sized> View for &V {
    fn size(&self) -> u64 {
        (**self).size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        (**self).read_at(offset, buf)
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        (**self).extent_at(offset)
    }

    fn deflated(&self, offset: u64, len: u64) -> Result<Option<Deflated>> {
        (**self).deflated(offset, len)
    }
}

impl<V: WriteView + ?Sized> WriteView for Arc<V> {
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        (**self).write_at(offset, data)
    }

    fn discard(&self, offset: u64, len: u64) -> Result<()> {
        (**self).discard(offset, len)
    }
}

/// Reads `len` bytes at `offset` into a new buffer. Allocates only what the view holds.
///
/// # Errors
/// As [`View::read_at`].
pub fn read_vec(view: &(impl View + ?Sized), offset: u64, len: u64) -> Result<Vec<u8>> {
    check_range(view.size(), offset, len)?;
    let len_usize = usize::try_from(len).map_err(|_| out_of_bounds(view.size(), offset, len))?;
    let mut buf = vec![0; len_usize];
    view.read_at(offset, &mut buf)?;
    Ok(buf)
}

/// Fills `buf` from `offset` in parts that do not cross borders of `block` bytes: `read` is
/// given the offset and the buffer of each.
pub(crate) fn read_by_block(
    offset: u64,
    buf: &mut [u8],
    block: u64,
    mut read: impl FnMut(u64, &mut [u8]) -> Result<()>,
) -> Result<()> {
    let mut at = offset;
    let mut rest = buf;
    while !rest.is_empty() {
        let len = (rest.len() as u64).min(block - at % block) as usize;
        let (now, after) = rest.split_at_mut(len);
        read(at, now)?;
        at += len as u64;
        rest = after;
    }
    Ok(())
}

/// Checks that a range lies inside a view of `size` bytes.
pub(crate) fn check_range(size: u64, offset: u64, len: u64) -> Result<()> {
    match offset.checked_add(len) {
        Some(end) if end <= size => Ok(()),
        _ => Err(out_of_bounds(size, offset, len)),
    }
}

fn out_of_bounds(size: u64, offset: u64, len: u64) -> Error {
    Error::OutOfBounds { offset, len, size }
}
