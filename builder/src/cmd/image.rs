//! `bootwright image`.

mod convert;

use anyhow::Result;
use bootwright_disk::Format;

use crate::cli::{Image, ImageCommand, InputFormat, Source};
use crate::image::input::{self, Input};
use crate::progress::Progress;

/// Runs a command around images.
///
/// # Errors
/// Whatever it fails with.
pub fn run(arguments: &Image, progress: Progress) -> Result<()> {
    match &arguments.command {
        ImageCommand::Convert(arguments) => convert::run(arguments, progress),
    }
}

/// Opens what the arguments name.
fn open(source: &Source, progress: Progress) -> Result<Input> {
    let format = source.input_format.map(|format| match format {
        InputFormat::Raw => Format::Raw,
        InputFormat::Qcow2 => Format::Qcow2,
        InputFormat::Vmdk => Format::Vmdk,
        InputFormat::Vhdx => Format::Vhdx,
        InputFormat::Vhd => Format::Vhd,
    });
    input::open(&source.image, format, progress)
}
