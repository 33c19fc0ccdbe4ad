//! VMDK in one file: hosted sparse extents with an embedded descriptor, plain or compressed
//! (VMware's "Virtual Disk Format 5.0" technical note, and open-vmdk for what VMware does).

mod check;
mod descriptor;
mod layout;
mod read;
mod write;

pub use read::Vmdk;
pub use write::{Adapter, Options, SparseWriter, StreamWriter};

pub(crate) use check::check;
pub(crate) use descriptor::MAGIC as DESCRIPTOR_MAGIC;
pub(crate) use layout::{MAGIC, VMFS_MAGIC};
