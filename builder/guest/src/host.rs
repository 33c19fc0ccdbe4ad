//! The machine we run on: where its programs and its firmware are, and whether KVM works.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use crate::accel::{self, Accelerator, Choice};
use crate::firmware::{self, Flash};
use crate::request::Arch;
use crate::{Error, Result};

/// Where to look for what a boot needs. One value serves any number of boots; what the
/// accelerator probe found is kept in it.
#[derive(Debug)]
pub struct Host {
    search: OsString,
    root: PathBuf,
    forced: Option<Accelerator>,
    chosen: OnceLock<Choice>,
}

impl Host {
    /// This machine, as `PATH` and `BOOTWRIGHT_ACCEL` (`kvm` or `tcg`, skips the probe)
    /// describe it.
    ///
    /// # Errors
    /// [`Error::UnknownAccelerator`].
    pub fn from_environment() -> Result<Self> {
        let mut host = Self::new(env::var_os("PATH").unwrap_or_default());
        if let Some(value) = env::var_os("BOOTWRIGHT_ACCEL").filter(|value| !value.is_empty()) {
            let value = value.to_string_lossy();
            let accelerator = Accelerator::from_name(&value)
                .ok_or_else(|| Error::UnknownAccelerator { value: value.into_owned() })?;
            host = host.with_accelerator(accelerator);
        }
        Ok(host)
    }

    /// This machine, with programs looked for in `search`, a list like `PATH`.
    #[must_use]
    pub fn new(search: impl Into<OsString>) -> Self {
        Self { search: search.into(), root: "/".into(), forced: None, chosen: OnceLock::new() }
    }

    /// Looks for firmware under this folder instead of `/`.
    #[must_use]
    pub fn with_root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = root.into();
        self
    }

    /// Uses this accelerator and runs no probe.
    #[must_use]
    pub fn with_accelerator(mut self, accelerator: Accelerator) -> Self {
        self.forced = Some(accelerator);
        self
    }

    /// The program that emulates the architecture.
    ///
    /// # Errors
    /// [`Error::ToolMissing`].
    pub fn qemu(&self, arch: Arch) -> Result<PathBuf> {
        let tool = arch.qemu();
        self.find(tool.program).ok_or(Error::ToolMissing {
            program: tool.program,
            debian: tool.debian,
            fedora: tool.fedora,
        })
    }

    /// UEFI firmware for the architecture.
    ///
    /// # Errors
    /// [`Error::FirmwareMissing`].
    pub fn uefi(&self, arch: Arch) -> Result<Flash> {
        firmware::find(&self.root, arch)
    }

    /// The accelerator for guests of the architecture: KVM if a tiny guest really ran with
    /// it, TCG otherwise. The first call takes up to five seconds, later ones nothing.
    ///
    /// # Errors
    /// [`Error::ToolMissing`], [`Error::File`], [`Error::Process`], [`Error::Cancelled`].
    pub fn accelerator(&self, arch: Arch, cancel: &AtomicBool) -> Result<&Choice> {
        if let Some(choice) = self.chosen.get() {
            return Ok(choice);
        }
        let choice = match self.forced {
            Some(accelerator) => Choice { accelerator, reason: "asked for".into() },
            None => accel::choose(self, arch, cancel)?,
        };
        Ok(self.chosen.get_or_init(|| choice))
    }

    /// An executable file of this name in the search path.
    pub(crate) fn find(&self, program: impl AsRef<OsStr>) -> Option<PathBuf> {
        env::split_paths(&self.search)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(program.as_ref()))
            .find(|path| is_executable(path))
    }
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::Host;
    use crate::request::Arch;

    #[test]
    fn a_missing_qemu_names_its_packages() {
        let error = Host::new("").qemu(Arch::Amd64).unwrap_err();
        assert_eq!(
            error.to_string(),
            "qemu-system-x86_64 is not in PATH; install the package qemu-system-x86 (Debian, Ubuntu) or qemu-system-x86-core (Fedora)"
        );
    }

    #[test]
    fn only_executable_files_are_programs() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("qemu-system-x86_64"), "").unwrap();
        assert!(Host::new(folder.path()).qemu(Arch::Amd64).is_err());
    }
}
