//! A disk view as the block device that hadris-fat wants.

use std::sync::Arc;

use bootwright_disk::Error as DiskError;
use bootwright_disk::view::WriteView;
use hadris_io::{Error, ErrorType};
use hadris_storage::sync::BlockDevice;
use hadris_storage::{BlockIndex, BlockSize};

const SECTOR: u32 = 512;

/// A partition with sectors of 512 bytes.
pub(super) struct Device {
    pub(super) view: Arc<dyn WriteView>,
}

impl ErrorType for Device {
    type Error = DiskError;
}

impl BlockDevice for Device {
    fn block_size(&self) -> BlockSize {
        const { BlockSize::new(SECTOR).expect("a power of two") }
    }

    fn block_count(&self) -> u64 {
        self.view.size() / u64::from(SECTOR)
    }

    fn writable(&self) -> bool {
        true
    }

    fn read_blocks(&mut self, first: BlockIndex, buf: &mut [u8]) -> Result<(), Error<DiskError>> {
        let read = self.view.read_at(first.get() * u64::from(SECTOR), buf);
        read.map_err(|error| Error::device(error, "reading the partition"))
    }

    fn write_blocks(&mut self, first: BlockIndex, buf: &[u8]) -> Result<(), Error<DiskError>> {
        let written = self.view.write_at(first.get() * u64::from(SECTOR), buf);
        written.map_err(|error| Error::device(error, "writing the partition"))
    }
}
