//! A fixed VHD: the disk as it is, with a footer. Nothing is patched.

use super::Options;
use crate::sink::{Sink, skip_to};
use crate::unit::{Needs, Unit, Writer};
use crate::vhd::layout::{Footer, Kind};
use crate::{Result, raw};

/// The writer of fixed VHD images. It never patches: a digest can be taken on the way.
#[derive(Debug)]
pub struct FixedWriter {
    footer: Footer,
}

impl FixedWriter {
    /// A writer for a disk of `size` bytes, which the flavour may round up
    /// ([`super::Flavour::disk_size`]).
    ///
    /// # Errors
    /// [`crate::Error::Unsupported`] for more than 2040 GiB.
    pub fn new(size: u64, options: &Options) -> Result<Self> {
        Ok(Self { footer: options.footer(size, Kind::Fixed)? })
    }
}

impl Writer for FixedWriter {
    fn needs(&self) -> Needs {
        Needs::default()
    }

    fn put(&mut self, unit: &Unit, sink: &mut dyn Sink) -> Result<()> {
        raw::Writer.put(unit, sink)
    }

    fn finish(&mut self, sink: &mut dyn Sink) -> Result<()> {
        skip_to(sink, self.footer.current_size)?;
        sink.append(&self.footer.encode())
    }
}
