//! The private folder of one QEMU: sockets and the UEFI variables, gone with the value.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{Error, Result};

/// Longest path a Unix socket can have, the closing zero byte not counted.
const SOCKET_PATH_LIMIT: usize = 107;

/// Longest file name we put in the folder, the separator included.
const NAME_ROOM: usize = 16;

/// A folder that only its owner can enter.
pub(crate) struct Scratch {
    folder: TempDir,
}

impl Scratch {
    /// Makes the folder in `TMPDIR`, or in `/tmp` if socket paths in there would be too long.
    pub fn new() -> Result<Self> {
        let folder = Self::in_folder(&std::env::temp_dir())?;
        if folder.folder.path().as_os_str().as_bytes().len() + NAME_ROOM <= SOCKET_PATH_LIMIT {
            return Ok(folder);
        }
        Self::in_folder(Path::new("/tmp"))
    }

    fn in_folder(parent: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("bootwright-guest-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(parent)
            .map_err(|source| Error::File {
                action: "making a private folder in",
                path: parent.to_owned(),
                source,
            })?;
        Ok(Self { folder })
    }

    /// Path of a file in the folder. The name has at most 15 bytes.
    pub fn path(&self, name: &str) -> PathBuf {
        debug_assert!(name.len() < NAME_ROOM);
        self.folder.path().join(name)
    }

    /// Creates a file in the folder and fills it.
    pub fn write(
        &self,
        name: &str,
        fill: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<PathBuf> {
        let path = self.path(name);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| fill(&mut file))
            .map_err(|source| Error::File { action: "writing", path: path.clone(), source })?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use super::Scratch;

    #[test]
    fn it_is_private_and_goes_away() {
        let scratch = Scratch::new().unwrap();
        let file = scratch.write("vars", |file| file.write_all(b"x")).unwrap();
        let folder = file.parent().unwrap().to_owned();
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        drop(scratch);
        assert!(!folder.exists());
    }
}
