//! A grown disk: another view followed by a hole.

use super::{Deflated, Extent, ExtentKind, View, check_range};
use crate::Result;

/// A view of `size` bytes that starts with another one and reads as zeros after it.
#[derive(Debug)]
pub struct Grown<V> {
    inner: V,
    size: u64,
}

impl<V: View> Grown<V> {
    /// Grows `inner` to `size` bytes. A smaller size is ignored: views never shrink.
    #[must_use]
    pub fn new(inner: V, size: u64) -> Self {
        let size = size.max(inner.size());
        Self { inner, size }
    }
}

impl<V: View> View for Grown<V> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        check_range(self.size, offset, buf.len() as u64)?;
        let inside = self.inner.size().saturating_sub(offset).min(buf.len() as u64) as usize;
        let (head, tail) = buf.split_at_mut(inside);
        tail.fill(0);
        if head.is_empty() { Ok(()) } else { self.inner.read_at(offset, head) }
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        check_range(self.size, offset, 1)?;
        if offset < self.inner.size() {
            self.inner.extent_at(offset)
        } else {
            Ok(Extent { kind: ExtentKind::Hole, end: self.size })
        }
    }

    fn deflated(&self, offset: u64, len: u64) -> Result<Option<Deflated>> {
        check_range(self.size, offset, len)?;
        if offset.saturating_add(len) <= self.inner.size() {
            self.inner.deflated(offset, len)
        } else {
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{Memory, read_vec};

    #[test]
    fn is_followed_by_zeros() {
        let grown = Grown::new(Memory::new(vec![7; 5]), 9);
        assert_eq!(read_vec(&grown, 3, 4).unwrap(), [7, 7, 0, 0]);
        assert_eq!(read_vec(&grown, 7, 2).unwrap(), [0, 0]);
        assert_eq!(grown.extent_at(5).unwrap(), Extent { kind: ExtentKind::Hole, end: 9 });
        assert!(read_vec(&grown, 9, 1).is_err());
        assert_eq!(Grown::new(Memory::new(vec![7; 5]), 2).size(), 5);
    }
}
