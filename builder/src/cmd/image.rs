//! `bootwright image`.

mod cat;
mod convert;
mod diff;
mod inspect;
mod ls;
mod verify;

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use bootwright_disk::Format;
use bootwright_rootfs::{Found, Tree};

use crate::cli::{Image, ImageCommand, InputFormat, Source};
use crate::exit;
use crate::image::input::{self, Input};
use crate::progress::Progress;
use crate::report;

/// Runs a command around images.
///
/// # Errors
/// Whatever it fails with.
pub fn run(arguments: &Image, progress: Progress) -> Result<()> {
    match &arguments.command {
        ImageCommand::Convert(arguments) => convert::run(arguments, progress),
        ImageCommand::Inspect(arguments) => inspect::run(arguments, progress),
        ImageCommand::Ls(arguments) => ls::run(arguments, progress),
        ImageCommand::Cat(arguments) => cat::run(arguments, progress),
        ImageCommand::Verify(arguments) => verify::run(arguments, progress),
        ImageCommand::Diff(arguments) => {
            diff::run(arguments, progress).map_err(exit::no_difference)
        }
    }
}

/// The tree of an image. A file system that is not sound is read all the same, with a note.
fn tree(input: &Input, progress: Progress) -> Result<Tree> {
    let tree =
        Tree::open_to_read(Arc::clone(&input.image.view)).with_context(|| input.name.clone())?;
    for (point, volume) in tree.mounts() {
        if let Some(unclean) = volume.unclean {
            let place = &volume.place;
            progress.note(&format!(
                "note: {}: {point} on {place}: {unclean}; what is shown may be out of date",
                input.name
            ));
        }
    }
    Ok(tree)
}

/// The file that a path leads to, which must be there.
fn find(tree: &mut Tree, path: &Path, follow: bool) -> Result<Found> {
    let bytes = path.as_os_str().as_bytes();
    tree.look(bytes, follow)?.ok_or_else(|| {
        let problem = "there is no such file in the image".to_owned();
        bootwright_rootfs::Error::Edit { path: report::name(bytes), problem }.into()
    })
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
