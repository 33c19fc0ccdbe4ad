//! What the caller asks for: an image, a seed, and the machine to boot them in.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::hardware::Hypervisor;
use crate::{Error, Result};

/// An image to boot and the machine to boot it in.
///
/// The image is opened by QEMU under the format given here, never under one that QEMU
/// guesses. Whether a foreign image may be trusted so far (backing files, external data) is
/// for the caller to check before: `bootwright_disk::open` is the door for that.
#[derive(Debug, Clone)]
pub struct BootRequest {
    /// Architecture of the guest.
    pub arch: Arch,
    /// The disk image. It is opened read-only; what the guest writes goes to a temporary
    /// file of QEMU's in `TMPDIR` and is thrown away.
    pub image: PathBuf,
    /// Format of the image.
    pub format: DiskFormat,
    /// Seed medium (ISO 9660), shown to the guest as a CD-ROM.
    pub seed: Option<PathBuf>,
    /// Firmware that starts the guest.
    pub firmware: Firmware,
    /// Whose devices the guest sees.
    pub hypervisor: Hypervisor,
    /// Memory of the guest in MiB, 64 or more.
    pub memory_mib: u32,
    /// Processors of the guest, 1 to 255.
    pub cpus: u32,
    /// How long to wait for the report, counted from QEMU's start.
    pub timeout: Duration,
    /// How long the guest may take to power itself off once it has reported.
    pub power_off_limit: Duration,
    /// File that gets a raw copy of the serial console; replaced if it exists.
    pub console_log: Option<PathBuf>,
}

impl BootRequest {
    /// A request with the usual machine: amd64, BIOS, virtio devices, 2 GiB, 2 processors, no seed, five
    /// minutes for the report and one for the power-off.
    #[must_use]
    pub fn new(image: impl Into<PathBuf>, format: DiskFormat) -> Self {
        Self {
            arch: Arch::Amd64,
            image: image.into(),
            format,
            seed: None,
            firmware: Firmware::Bios,
            hypervisor: Hypervisor::Kvm,
            memory_mib: 2048,
            cpus: 2,
            timeout: Duration::from_secs(300),
            power_off_limit: Duration::from_secs(60),
            console_log: None,
        }
    }

    /// Checks what can be checked before anything is started.
    pub(crate) fn check(&self) -> Result<()> {
        check_file("image", &self.image)?;
        if let Some(seed) = &self.seed {
            check_file("seed", seed)?;
        }
        check_range("memory in MiB", self.memory_mib, 64, 1 << 20)?;
        check_range("number of processors", self.cpus, 1, 255)
    }
}

fn check_file(role: &'static str, path: &Path) -> Result<()> {
    let unreadable = |source| Error::Unreadable { role, path: path.to_owned(), source };
    let metadata = File::open(path).and_then(|file| file.metadata()).map_err(unreadable)?;
    if metadata.is_file() {
        Ok(())
    } else {
        Err(unreadable(io::Error::other("not a regular file")))
    }
}

fn check_range(setting: &'static str, value: u32, least: u32, most: u32) -> Result<()> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(Error::Setting { setting, value, least, most })
    }
}

/// Architecture of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arch {
    /// 64-bit x86.
    Amd64,
}

impl Arch {
    /// The architecture's name in Debian's and our own terms.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
        }
    }

    /// The architecture's name in QEMU's terms.
    pub(crate) fn qemu_name(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64",
        }
    }

    /// QEMU's machine type.
    pub(crate) fn machine_type(self) -> &'static str {
        match self {
            Self::Amd64 => "q35",
        }
    }

    /// QEMU's machine type of a generation before, with IDE and without PCI Express.
    pub(crate) fn old_machine_type(self) -> &'static str {
        match self {
            Self::Amd64 => "pc",
        }
    }

    /// The program that emulates the architecture, and the packages it is in.
    pub(crate) fn qemu(self) -> Tool {
        match self {
            Self::Amd64 => Tool {
                program: "qemu-system-x86_64",
                debian: "qemu-system-x86",
                fedora: "qemu-system-x86-core",
            },
        }
    }

    /// Whether this machine's processors are of the architecture, as KVM needs.
    pub(crate) fn is_native(self) -> bool {
        std::env::consts::ARCH == self.qemu_name()
    }
}

/// A program of someone else's, and how to get it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    pub program: &'static str,
    pub debian: &'static str,
    pub fedora: &'static str,
}

/// What starts the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmware {
    /// SeaBIOS, which QEMU brings along.
    Bios,
    /// OVMF, without Secure Boot.
    Uefi,
}

/// Image formats that QEMU can boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFormat {
    /// The bytes of the disk.
    Raw,
    /// QEMU's own.
    Qcow2,
    /// VMware's.
    Vmdk,
    /// Hyper-V's.
    Vhdx,
    /// Virtual PC's and Xen's.
    Vhd,
}

impl DiskFormat {
    /// Name of QEMU's driver for the format.
    pub(crate) fn driver(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Vmdk => "vmdk",
            Self::Vhdx => "vhdx",
            Self::Vhd => "vpc",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BootRequest, DiskFormat};

    #[test]
    fn a_missing_image_is_named() {
        let error = BootRequest::new("/nowhere/disk.qcow2", DiskFormat::Qcow2).check().unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read the image /nowhere/disk.qcow2: expected a readable regular file; check the path and its permissions"
        );
    }

    #[test]
    fn a_folder_is_no_image() {
        let error = BootRequest::new("/tmp", DiskFormat::Raw).check().unwrap_err();
        let source = std::error::Error::source(&error).unwrap();
        assert_eq!(source.to_string(), "not a regular file");
    }

    #[test]
    fn memory_has_bounds() {
        let image = tempfile::NamedTempFile::new().unwrap();
        let mut request = BootRequest::new(image.path(), DiskFormat::Raw);
        request.memory_mib = 8;
        assert_eq!(
            request.check().unwrap_err().to_string(),
            "memory in MiB is 8: expected 64 to 1048576; change the request"
        );
    }
}
