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
    /// The Adler-32 (RFC 1950) of the bytes, padded with zeros to a whole [`UNIT`]: what
    /// makes a zlib stream of [`Data::deflate`]. Absent if nobody needs it.
    pub adler: Option<u32>,
}

/// How a deflate stream is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deflate {
    /// Level, 1 to 9.
    pub level: u32,
    /// Binary logarithm of the largest window that the readers have, 9 to 15. A larger one
    /// shrinks more: between 12 and 15 lie some 6 % of a system disk.
    pub window_bits: u8,
}

/// The forms of a unit's data that a writer uses besides the bytes themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// [`Data::deflate`], made like this.
    pub deflate: Option<Deflate>,
    /// [`Data::zstd`] at this level (1 to 19).
    pub zstd: Option<i32>,
    /// [`Data::adler`].
    pub adler: bool,
}

impl Needs {
    /// What either of two writers needs. Where both compress, the first one's level counts,
    /// and the smaller window.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let both = self.deflate.zip(other.deflate).map(|(first, second)| Deflate {
            level: first.level,
            window_bits: first.window_bits.min(second.window_bits),
        });
        Self {
            deflate: both.or(self.deflate).or(other.deflate),
            zstd: self.zstd.or(other.zstd),
            adler: self.adler || other.adler,
        }
    }
}

/// Writes one image format, unit by unit. The format's file starts at position 0 of the sink.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_add_up() {
        let deflate = |level, window_bits| Some(Deflate { level, window_bits });
        let first = Needs { deflate: deflate(6, 15), ..Needs::default() };
        let second = Needs { deflate: deflate(9, 12), zstd: None, adler: true };
        let zstd = Needs { zstd: Some(3), ..Needs::default() };
        let all = Needs { deflate: deflate(6, 12), zstd: Some(3), adler: true };
        assert_eq!(zstd.and(first).and(second), all);
        assert_eq!(Needs::default().and(Needs::default()), Needs::default());
    }
}
