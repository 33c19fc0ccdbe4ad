//! Raw images: the disk's bytes as they are, holes as holes of the file.

mod read;
mod write;

pub use read::Raw;
pub use write::Writer;
