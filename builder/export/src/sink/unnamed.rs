//! A file without a name, or with a temporary one, that gets its name at the end.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, OFlags};
use tempfile::TempPath;

use super::folder;

/// The file, and its temporary name if it has one.
#[derive(Debug)]
pub(super) struct Unnamed {
    file: File,
    temporary: Option<TempPath>,
}

impl Unnamed {
    /// A file in the folder of `path`.
    pub(super) fn create(path: &Path, mode: u32) -> io::Result<Self> {
        let folder = folder(path);
        let unnamed = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .mode(mode)
            .custom_flags(OFlags::TMPFILE.bits() as i32)
            .open(folder);
        match unnamed {
            Ok(file) => Ok(Self { file, temporary: None }),
            // No O_TMPFILE here; whatever else is wrong shows again below.
            Err(_) => Self::with_name(path, mode),
        }
    }

    /// A file with a temporary name, which is removed when it is dropped.
    pub(super) fn with_name(path: &Path, mode: u32) -> io::Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let (file, temporary) = tempfile::Builder::new()
            .prefix(&format!(".{name}."))
            .suffix(".partial")
            .make_in(folder(path), |path| {
                let mut options = fs::OpenOptions::new();
                options.read(true).write(true).create_new(true).mode(mode).open(path)
            })?
            .into_parts();
        Ok(Self { file, temporary: Some(temporary) })
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file its name, in place of another one only if `replace`.
    pub(super) fn publish(self, path: &Path, replace: bool) -> io::Result<()> {
        match self.temporary {
            Some(temporary) if replace => temporary.persist(path).map_err(|error| error.error),
            Some(temporary) => temporary.persist_noclobber(path).map_err(|error| error.error),
            None if replace => self.link_over(path),
            None => self.link(path),
        }
    }

    fn link(&self, path: &Path) -> io::Result<()> {
        let own = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        Ok(rustix::fs::linkat(CWD, own, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
    }

    /// A link cannot replace a file, a rename can: so it gets a temporary name in between.
    fn link_over(&self, path: &Path) -> io::Result<()> {
        match self.link(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other,
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let between: PathBuf = folder(path).join(format!(".{name}.{}.partial", std::process::id()));
        self.link(&between)?;
        let renamed = fs::rename(&between, path);
        if renamed.is_err() {
            // The error that matters is the first one.
            let _ = fs::remove_file(&between);
        }
        renamed
    }
}
