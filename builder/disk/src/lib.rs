//! Stackable disk views and every disk image format, read and written.
//!
//! A [`view::View`] is a disk that can be read at any offset. Views stack: a qcow2 image is
//! a view over the raw file that holds it, a copy-on-write layer is a view over any other,
//! a partition is a window onto a disk. [`open`](open()) is the one door by which a foreign
//! file becomes a view; [`partition`] finds the partitions of one.
//!
//! Parsers of foreign bytes live in the `layout` file of each format, take `&[u8]` and do
//! no I/O. Writers take the disk in ascending [`units`](mod@unit) and append to a [`sink`].

pub mod archive;
mod cache;
pub mod check;
pub mod codec;
mod digest;
mod error;
mod fields;
pub mod gpt;
mod info;
mod mbr;
mod open;
pub mod packed;
pub mod partition;
pub mod qcow2;
pub mod raw;
pub mod sink;
pub mod unit;
pub mod vhd;
pub mod vhdx;
pub mod view;
pub mod vmdk;

pub use digest::Sha256;
pub use error::{Error, Result};
pub use info::Info;
pub use open::{Format, Image, open, open_view};
