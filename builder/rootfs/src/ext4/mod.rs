//! ext2, ext3 and ext4, edited through libext2fs on a disk view.

mod fs;
mod inode;
pub(crate) mod probe;
mod sys;

pub(crate) use fs::Ext4;
