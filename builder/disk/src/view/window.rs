//! A window: part of a view as a view of its own, such as a partition.

use super::{Deflated, Extent, View, WriteView, check_range};
use crate::Result;

/// Bytes `start..start + size` of another view.
#[derive(Debug, Clone)]
pub struct Window<V> {
    inner: V,
    start: u64,
    size: u64,
}

impl<V: View> Window<V> {
    /// A window onto `inner`.
    ///
    /// # Errors
    /// [`crate::Error::OutOfBounds`] when the window leaves `inner`.
    pub fn new(inner: V, start: u64, size: u64) -> Result<Self> {
        check_range(inner.size(), start, size)?;
        Ok(Self { inner, start, size })
    }

    /// Offset of the window's first byte in the inner view.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.start
    }
}

impl<V: View> View for Window<V> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        check_range(self.size, offset, buf.len() as u64)?;
        self.inner.read_at(self.start + offset, buf)
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        check_range(self.size, offset, 1)?;
        let extent = self.inner.extent_at(self.start + offset)?;
        Ok(Extent { end: (extent.end - self.start).min(self.size), ..extent })
    }

    fn deflated(&self, offset: u64, len: u64) -> Result<Option<Deflated>> {
        check_range(self.size, offset, len)?;
        self.inner.deflated(self.start + offset, len)
    }
}

impl<V: WriteView> WriteView for Window<V> {
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        check_range(self.size, offset, data.len() as u64)?;
        self.inner.write_at(self.start + offset, data)
    }

    fn discard(&self, offset: u64, len: u64) -> Result<()> {
        check_range(self.size, offset, len)?;
        self.inner.discard(self.start + offset, len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{Memory, read_vec};

    #[test]
    fn shows_its_part_and_nothing_else() {
        let window = Window::new(Memory::new((0..100).collect()), 10, 20).unwrap();
        assert_eq!(read_vec(&window, 0, 20).unwrap(), (10..30).collect::<Vec<u8>>());
        assert!(read_vec(&window, 15, 6).is_err());
        window.write_at(19, &[99]).unwrap();
        assert!(window.write_at(20, &[99]).is_err());
        assert_eq!(window.extent_at(3).unwrap().end, 20);
        assert!(Window::new(Memory::new(vec![0; 10]), 5, 6).is_err());
        assert!(Window::new(Memory::new(vec![0; 10]), u64::MAX, 2).is_err());
    }
}
