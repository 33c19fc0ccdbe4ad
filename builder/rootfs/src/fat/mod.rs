//! FAT file systems on a disk view: the EFI system partition.

mod device;
mod fs;

pub(crate) use fs::{Fat, Identity};
