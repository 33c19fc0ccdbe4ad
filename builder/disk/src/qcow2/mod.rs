//! qcow2, versions 2 and 3 (QEMU's docs/interop/qcow2.txt).

mod check;
mod layout;
mod read;
mod write;

pub use read::Qcow2;
pub use write::{Compression, Writer};

pub(crate) use check::check;
pub(crate) use layout::MAGIC;
