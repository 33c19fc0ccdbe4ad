//! The one door by which a foreign file becomes a view.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use crate::qcow2::{self, Qcow2};
use crate::raw::Raw;
use crate::vhd::{self, Vhd};
use crate::vhdx::{self, Vhdx};
use crate::view::{View, read_vec};
use crate::vmdk::{self, Vmdk};
use crate::{Error, Info, Result};

/// Bytes at the start and at the end of a file that tell its format.
const PROBE: u64 = 512;

/// A disk image format that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The disk's bytes as they are.
    Raw,
    /// QEMU's copy-on-write format.
    Qcow2,
    /// VMware's format, in one file.
    Vmdk,
    /// Hyper-V's format.
    Vhdx,
    /// Virtual PC's format, which Hyper-V, Azure and XenServer read.
    Vhd,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 5] = [Self::Raw, Self::Qcow2, Self::Vmdk, Self::Vhdx, Self::Vhd];

    /// The format's name, which is the usual ending of its files' names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Vmdk => "vmdk",
            Self::Vhdx => "vhdx",
            Self::Vhd => "vhd",
        }
    }

    /// The format's name as QEMU spells it.
    #[must_use]
    pub fn qemu_name(self) -> &'static str {
        match self {
            Self::Vhd => "vpc",
            _ => self.name(),
        }
    }

    /// Tells the format by the first and the last 512 bytes of a file. What has no known
    /// magic is raw.
    ///
    /// A raw image whose guest wrote the magic of another format into its first or (for VHD)
    /// last sector would be taken for that format. Give the format where the image is not
    /// trusted.
    #[must_use]
    pub fn detect(head: &[u8], tail: &[u8]) -> Self {
        let vmdk: [&[u8]; 3] = [vmdk::MAGIC, vmdk::VMFS_MAGIC, vmdk::DESCRIPTOR_MAGIC];
        if head.starts_with(&qcow2::MAGIC) {
            Self::Qcow2
        } else if vmdk.iter().any(|magic| head.starts_with(magic)) {
            Self::Vmdk
        } else if head.starts_with(vhdx::SIGNATURE) {
            Self::Vhdx
        } else if head.starts_with(vhd::COOKIE) || tail.starts_with(vhd::COOKIE) {
            Self::Vhd
        } else {
            Self::Raw
        }
    }
}

/// An opened image.
pub struct Image {
    /// Its format, as given or detected.
    pub format: Format,
    /// The disk in it.
    pub view: Arc<dyn View>,
    /// What the file says about itself.
    pub info: Info,
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Image").field("format", &self.format).finish_non_exhaustive()
    }
}

/// Opens the image at `path`, in the given format or the one its first and last bytes tell.
/// The file is opened for reading alone; references to other files are refused.
///
/// # Errors
/// What the system says, and what the format's reader refuses.
pub fn open(path: &Path, format: Option<Format>) -> Result<Image> {
    let file = File::open(path).map_err(|source| Error::Io {
        op: "opening the image",
        offset: 0,
        source,
    })?;
    open_view(Raw::new(file)?, format)
}

/// Opens the image that `file` holds, such as a disk inside of an archive. As [`open`].
///
/// # Errors
/// As [`open`].
pub fn open_view(file: impl View + 'static, format: Option<Format>) -> Result<Image> {
    let format = match format {
        Some(format) => format,
        None => {
            let len = file.size().min(PROBE);
            let tail = read_vec(&file, file.size() - len, len)?;
            Format::detect(&read_vec(&file, 0, len)?, &tail)
        }
    };
    // The view and what it says about itself.
    macro_rules! opened {
        ($reader:expr) => {{
            let reader = $reader;
            let info = reader.info();
            (Arc::new(reader) as Arc<dyn View>, info)
        }};
    }
    let (view, info) = match format {
        Format::Raw => (Arc::new(file) as Arc<dyn View>, Info::default()),
        Format::Qcow2 => opened!(Qcow2::new(file)?),
        Format::Vmdk => opened!(Vmdk::new(file)?),
        Format::Vhdx => opened!(Vhdx::new(file)?),
        Format::Vhd => opened!(Vhd::new(file)?),
    };
    Ok(Image { format, view, info })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Memory;

    #[test]
    fn tells_formats_by_their_magic() {
        let detect = |head: &[u8], tail: &[u8]| Format::detect(head, tail).name();
        assert_eq!(detect(b"QFI\xfb....", b""), "qcow2");
        assert_eq!(detect(b"KDMV....", b""), "vmdk");
        assert_eq!(detect(b"COWD....", b""), "vmdk");
        assert_eq!(detect(b"# Disk DescriptorFile\n", b""), "vmdk");
        assert_eq!(detect(b"vhdxfile", b""), "vhdx");
        assert_eq!(detect(b"conectix", b""), "vhd");
        assert_eq!(detect(b"\xeb\x63", b"conectix"), "vhd");
        assert_eq!(detect(b"\xeb\x63", b"EFI PART"), "raw");
        assert_eq!(Format::Vhd.qemu_name(), "vpc");
    }

    #[test]
    fn an_empty_file_is_an_empty_disk() {
        let image = open_view(Memory::new(Vec::new()), None).unwrap();
        assert_eq!((image.format, image.view.size()), (Format::Raw, 0));
        for format in Format::ALL.into_iter().filter(|&format| format != Format::Raw) {
            assert!(open_view(Memory::new(Vec::new()), Some(format)).is_err(), "{format:?}");
        }
    }
}
