//! Opens whatever holds a disk: an image of any format, compressed or not, in an OVA or
//! XVA, in a file or on stdin.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use bootwright_disk::archive::{self, Archived};
use bootwright_disk::packed::Packing;
use bootwright_disk::raw::Raw;
use bootwright_disk::view::View;
use bootwright_disk::{Format, Image, open_view};

use crate::exit::{Unreadable, Usage};
use crate::progress::Progress;
use crate::scratch;

/// An opened image.
pub struct Input {
    /// What the user called it.
    pub name: String,
    /// How the file is compressed, if it is.
    pub packing: Option<Packing>,
    /// The archive that the disk is in, if it is in one.
    pub archive: Option<archive::Kind>,
    /// The disk.
    pub image: Image,
    /// The file of the image: decompressed if it was compressed, the member of an archive.
    pub file: Arc<dyn View>,
    /// Bytes of the file as it is, and those that it takes on its own disk; nothing for
    /// stdin.
    pub size: Option<(u64, u64)>,
}

/// Opens the image at `path`, or the one on stdin if that is `-`.
///
/// # Errors
/// A file that is not there or cannot be read, and what the readers of archives and formats
/// refuse.
pub fn open(path: &Path, format: Option<Format>, progress: Progress) -> Result<Input> {
    let name = path.display().to_string();
    let (file, size) = if path == Path::new("-") {
        let stage = progress.stage("reading stdin");
        let file = scratch::spool(Path::new("stdin"), &mut io::stdin().lock())?;
        drop(stage);
        (file, None)
    } else {
        let unreadable = |source| Unreadable::new("image", path, source);
        let file = File::open(path).map_err(unreadable)?;
        let stat = file.metadata().map_err(unreadable)?;
        if stat.is_dir() {
            return Err(Usage(format!("{name} is a folder; give the image in it")).into());
        }
        (file, Some((stat.len(), stat.blocks() * 512)))
    };
    // A guest may have written any first bytes: what is said to be an image is not unpacked,
    // unless its name says so, too.
    let (file, packing) = match format.is_none() || has_packed_name(path) {
        true => unpack(file, path, progress)?,
        false => (file, None),
    };
    let file: Arc<dyn View> = Arc::new(Raw::new(file).with_context(|| name.clone())?);
    let (archive, image, file) = within(&file, format).with_context(|| name.clone())?;
    Ok(Input { name, packing, archive, image, file, size })
}

fn has_packed_name(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ["zst", "gz", "xz"].contains(&ending))
}

/// The file as it is without compression.
fn unpack(mut file: File, path: &Path, progress: Progress) -> Result<(File, Option<Packing>)> {
    let unreadable = |source| Unreadable::new("image", path, source);
    let mut head = Vec::new();
    file.rewind().map_err(unreadable)?;
    let probe = (&file).take(Packing::PROBE as u64).read_to_end(&mut head);
    probe.map_err(unreadable)?;
    let Some(packing) = Packing::detect(&head) else {
        return Ok((file, None));
    };
    let _stage = progress.stage("decompressing");
    file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    let stream = io::BufReader::with_capacity(1 << 20, file);
    let mut decoder = packing.decoder(stream).map_err(unreadable)?;
    Ok((scratch::spool(path, &mut decoder)?, Some(packing)))
}

/// The disk in a file, the archive that it is in, and the disk's own file.
fn within(
    file: &Arc<dyn View>,
    format: Option<Format>,
) -> bootwright_disk::Result<(Option<archive::Kind>, Image, Arc<dyn View>)> {
    if format.is_none()
        && let Some(Archived { kind, image, file }) = archive::open(file)?
    {
        return Ok((Some(kind), image, file));
    }
    Ok((None, open_view(Arc::clone(file), format)?, Arc::clone(file)))
}
