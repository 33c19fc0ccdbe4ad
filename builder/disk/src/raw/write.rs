//! Writes a raw image: data as it is, holes as holes.

use crate::Result;
use crate::sink::Sink;
use crate::unit::{Content, Needs, Unit, Writer as UnitWriter};

/// The writer of raw images.
#[derive(Debug, Default)]
pub struct Writer;

impl UnitWriter for Writer {
    fn needs(&self) -> Needs {
        Needs::default()
    }

    fn put(&mut self, unit: &Unit, sink: &mut dyn Sink) -> Result<()> {
        match &unit.content {
            Content::Hole => sink.skip(unit.len),
            Content::Data(data) => sink.append(&data.raw),
        }
    }

    fn finish(&mut self, _sink: &mut dyn Sink) -> Result<()> {
        Ok(())
    }
}
