//! Units: how a disk reaches the format writers, in ascending order and without gaps.

use crate::Result;
use crate::sink::Sink;

/// Bytes of a unit of data: the cluster of a qcow2 and the grain of a VMDK.
pub const UNIT: u64 = 64 << 10;

/// The next piece of the disk. Data comes in units of [`UNIT`] bytes (the last one of the
/// disk may be shorter), holes in multiples of that.
#[derive(Debug)]
pub struct Unit {
    /// Offset on the disk.
    pub offset: u64,
    /// Length in bytes.
    pub len: u64,
    /// What it holds.
    pub content: Content,
}

/// Content of a unit.
#[derive(Debug)]
pub enum Content {
    /// Nothing but zeros.
    Hole,
    /// At least one byte that is not zero.
    Data(Data),
}

/// The bytes of a unit, in every form that one of the writers asked for in its [`Needs`].
#[derive(Debug)]
pub struct Data {
    /// The bytes themselves, [`Unit::len`] of them.
    pub raw: Vec<u8>,
    /// A raw deflate stream of the bytes, padded with zeros to a whole [`UNIT`]. Absent if
    /// nobody needs it or it would not be smaller than a unit.
    pub deflate: Option<Vec<u8>>,
    /// The same as a zstd frame.
    pub zstd: Option<Vec<u8>>,
}

/// The compressed forms that a writer uses, with their levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// [`Data::deflate`] at this level (1 to 9).
    pub deflate: Option<u32>,
    /// [`Data::zstd`] at this level (1 to 19).
    pub zstd: Option<i32>,
}

/// Writes one image format, unit by unit.
pub trait Writer: Send {
    /// What [`Writer::put`] will look for in a unit's data.
    fn needs(&self) -> Needs;

    /// Takes the next unit.
    ///
    /// # Errors
    /// What the sink says.
    fn put(&mut self, unit: &Unit, sink: &mut dyn Sink) -> Result<()>;

    /// Writes what can only be known at the end. Nothing may be put after it.
    ///
    /// # Errors
    /// What the sink says.
    fn finish(&mut self, sink: &mut dyn Sink) -> Result<()>;
}
