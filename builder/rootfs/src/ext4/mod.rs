//! ext2, ext3 and ext4, edited through libext2fs on a disk view.

mod acl;
mod attributes;
mod data;
mod fs;
mod grow;
mod index;
mod inode;
mod names;
pub(crate) mod probe;
mod sys;
mod trim;
mod xattr;

pub(crate) use fs::Ext4;
pub(crate) use grow::grow;
