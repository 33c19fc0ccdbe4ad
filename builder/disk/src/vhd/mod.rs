//! VHD, fixed and dynamic (Microsoft's "Virtual Hard Disk Image Format Specification", 1.0).

mod geometry;
mod layout;
mod read;
mod write;

pub use read::Vhd;
pub use write::{DynamicWriter, FixedWriter, Flavour, Options};

pub(crate) use layout::COOKIE;
