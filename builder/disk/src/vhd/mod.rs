//! VHD, fixed and dynamic (Microsoft's "Virtual Hard Disk Image Format Specification", 1.0).

mod check;
mod geometry;
mod layout;
mod read;
mod write;

pub use read::Vhd;
pub use write::{DynamicWriter, FixedWriter, Flavour, Options};

pub(crate) use check::check;
pub(crate) use layout::COOKIE;
