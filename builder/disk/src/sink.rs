//! Where format writers put their bytes.

use crate::Result;

/// An output that grows at its end; what was written can be patched until it is complete.
pub trait Sink {
    /// Bytes written so far, holes included.
    fn position(&self) -> u64;

    /// Writes at the end.
    ///
    /// # Errors
    /// What the storage says, such as that it is full.
    fn append(&mut self, data: &[u8]) -> Result<()>;

    /// Adds zeros at the end, as a hole where the storage can.
    ///
    /// # Errors
    /// As [`Sink::append`].
    fn skip(&mut self, len: u64) -> Result<()>;

    /// Replaces bytes that were written before.
    ///
    /// # Errors
    /// As [`Sink::append`].
    fn patch(&mut self, offset: u64, data: &[u8]) -> Result<()>;
}

/// Skips to the next multiple of `align` (a power of two).
///
/// # Errors
/// As [`Sink::skip`].
pub fn align(sink: &mut dyn Sink, align: u64) -> Result<()> {
    let border = sink.position().next_multiple_of(align);
    skip_to(sink, border)
}

/// Skips to `offset`, unless it has been passed.
///
/// # Errors
/// As [`Sink::skip`].
pub fn skip_to(sink: &mut dyn Sink, offset: u64) -> Result<()> {
    match offset.saturating_sub(sink.position()) {
        0 => Ok(()),
        gap => sink.skip(gap),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::Sink;
    use crate::Result;

    impl Sink for Vec<u8> {
        fn position(&self) -> u64 {
            self.len() as u64
        }

        fn append(&mut self, data: &[u8]) -> Result<()> {
            self.extend_from_slice(data);
            Ok(())
        }

        fn skip(&mut self, len: u64) -> Result<()> {
            self.resize(self.len() + len as usize, 0);
            Ok(())
        }

        fn patch(&mut self, offset: u64, data: &[u8]) -> Result<()> {
            let at = offset as usize;
            self[at..at + data.len()].copy_from_slice(data);
            Ok(())
        }
    }
}
