//! The one door by which a foreign file becomes a view.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use crate::qcow2::{self, Qcow2};
use crate::raw::Raw;
use crate::view::{View, read_vec};
use crate::{Error, Result};

/// A disk image format that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The disk's bytes as they are.
    Raw,
    /// QEMU's copy-on-write format.
    Qcow2,
}

impl Format {
    /// The format's name, as `qemu-img` spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
        }
    }

    /// Tells the format by the first bytes of a file. What has no known magic is raw.
    ///
    /// A raw image whose guest wrote the magic of another format into its first sector
    /// would be taken for that format. Give the format where the image is not trusted.
    #[must_use]
    pub fn detect(head: &[u8]) -> Self {
        if head.starts_with(&qcow2::MAGIC) { Self::Qcow2 } else { Self::Raw }
    }
}

/// An opened image.
pub struct Image {
    /// Its format, as given or detected.
    pub format: Format,
    /// The disk in it.
    pub view: Arc<dyn View>,
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Image").field("format", &self.format).finish_non_exhaustive()
    }
}

/// Opens the image at `path`, in the given format or the one its first bytes tell. The file
/// is opened for reading alone; references to other files are refused.
///
/// # Errors
/// What the system says, and what the format's reader refuses.
pub fn open(path: &Path, format: Option<Format>) -> Result<Image> {
    let file = File::open(path).map_err(|source| Error::Io {
        op: "opening the image",
        offset: 0,
        source,
    })?;
    let raw = Raw::new(file)?;
    let format = match format {
        Some(format) => format,
        None => Format::detect(&read_vec(&raw, 0, raw.size().min(512))?),
    };
    let view: Arc<dyn View> = match format {
        Format::Raw => Arc::new(raw),
        Format::Qcow2 => Arc::new(Qcow2::new(raw)?),
    };
    Ok(Image { format, view })
}
