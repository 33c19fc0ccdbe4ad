//! A device seen through a budget: however a medium is crafted, reading it ends.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};

use hadris_io::{Error, ErrorType};
use hadris_storage::sync::BlockDevice;
use hadris_storage::{BlockIndex, BlockSize};

/// Block size offered to the file system readers, in bytes. Smaller than any sector of a real
/// medium, so that every sector size divides into it.
const BLOCK: BlockSize = match BlockSize::new(512) {
    Some(size) => size,
    None => panic!("512 is not zero"),
};

/// The error that reading past the budget gives, inside an [`io::Error`]; holds the budget.
#[derive(Debug)]
pub(super) struct BudgetSpent(pub(super) u64);

impl fmt::Display for BudgetSpent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {} bytes read", self.0)
    }
}

impl std::error::Error for BudgetSpent {}

/// A device that gives at most `budget` bytes, counted over all reads.
pub(super) struct Bounded<R> {
    device: R,
    len: u64,
    budget: u64,
    spent: u64,
}

impl<R: Read + Seek> Bounded<R> {
    /// Wraps `device`, whose length is where seeking to its end leads: so it is for block
    /// devices and regular files alike.
    pub(super) fn new(mut device: R, budget: u64) -> io::Result<Self> {
        let len = device.seek(SeekFrom::End(0))?;
        Ok(Self { device, len, budget, spent: 0 })
    }

    /// Length of the device in bytes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The first `limit` bytes, or all if the device is shorter.
    pub(super) fn head(&mut self, limit: u64) -> io::Result<Vec<u8>> {
        let size = usize::try_from(self.len.min(limit)).map_err(io::Error::other)?;
        let mut head = vec![0; size];
        self.read_at(0, &mut head)?;
        Ok(head)
    }

    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.spent = self.spent.saturating_add(buf.len() as u64);
        if self.spent > self.budget {
            return Err(io::Error::other(BudgetSpent(self.budget)));
        }
        self.device.seek(SeekFrom::Start(offset))?;
        self.device.read_exact(buf)
    }
}

impl<R> ErrorType for Bounded<R> {
    type Error = io::Error;
}

impl<R: Read + Seek> BlockDevice for Bounded<R> {
    fn block_size(&self) -> BlockSize {
        BLOCK
    }

    fn block_count(&self) -> u64 {
        self.len / u64::from(BLOCK.get())
    }

    fn read_blocks(&mut self, first: BlockIndex, buf: &mut [u8]) -> Result<(), Error<io::Error>> {
        let offset = first.get().checked_mul(u64::from(BLOCK.get()));
        let end = offset.and_then(|offset| offset.checked_add(buf.len() as u64));
        match (offset, end) {
            (Some(offset), Some(end)) if end <= self.len => {
                self.read_at(offset, buf).map_err(|cause| Error::device(cause, ""))
            }
            _ => Err(Error::new(
                hadris_io::ErrorKind::Corrupt,
                "a structure points past the end of the medium",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn budget_ends_reading() {
        let mut device = Bounded::new(Cursor::new(vec![7; 4096]), 1024).unwrap();
        let mut buf = [0; 512];
        assert!(device.read_blocks(BlockIndex::new(7), &mut buf).is_ok());
        assert!(device.read_blocks(BlockIndex::new(0), &mut buf).is_ok());
        let error = device.read_blocks(BlockIndex::new(1), &mut buf).unwrap_err();
        let cause = error.into_device_error().unwrap();
        assert_eq!(cause.to_string(), "more than 1024 bytes read");
    }

    #[test]
    fn past_the_end_is_corrupt_not_a_device_error() {
        let mut device = Bounded::new(Cursor::new(vec![0; 1000]), 1 << 20).unwrap();
        assert_eq!((device.len(), device.block_count()), (1000, 1));
        let mut buf = [0; 512];
        for first in [1, 2, u64::MAX / 512, u64::MAX] {
            let error = device.read_blocks(BlockIndex::new(first), &mut buf).unwrap_err();
            assert_eq!(error.kind(), hadris_io::ErrorKind::Corrupt);
            assert!(error.device_error().is_none());
        }
    }

    #[test]
    fn head_of_a_short_device() {
        let mut device = Bounded::new(Cursor::new(vec![1, 2, 3]), 1 << 20).unwrap();
        assert_eq!(device.head(64).unwrap(), [1, 2, 3]);
    }
}
