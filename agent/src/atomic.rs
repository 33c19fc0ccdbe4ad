//! Replaces a file in one step: at every moment, also after a crash, it is the old or the new one.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::owner::Owner;

/// A file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}; check that its file system is writable and has room", .path.display())]
pub struct WriteError {
    path: PathBuf,
    #[source]
    cause: io::Error,
}

/// Writes `content` to `path` with exactly the permissions `mode`, making missing parent
/// folders (0755). The new file has them before the first byte is in it.
pub fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), WriteError> {
    write_owned(path, content, mode, None)
}

/// Like [`write()`], and gives the file to `owner`, if there is one.
pub fn write_owned(
    path: &Path,
    content: &[u8],
    mode: u32,
    owner: Option<Owner>,
) -> Result<(), WriteError> {
    let failed = |cause| WriteError { path: path.to_owned(), cause };
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(failed(io::ErrorKind::InvalidInput.into()));
    };
    make_folder(folder).map_err(failed)?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(".new");
    let temporary = folder.join(hidden);
    let written =
        fill(&temporary, content, mode, owner).and_then(|()| fs::rename(&temporary, path));
    if let Err(cause) = written {
        // The original error counts, whether or not the leftover goes away.
        let _ = fs::remove_file(&temporary);
        return Err(failed(cause));
    }
    // Makes the rename itself last where the folder is on a disk.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// Makes `folder` and its parents, whatever the umask, for everybody to enter.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_folder(parent)?;
    }
    DirBuilder::new().mode(0o755).create(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o755))
}

fn fill(path: &Path, content: &[u8], mode: u32, owner: Option<Owner>) -> io::Result<()> {
    // A leftover of a run that was killed; runs exclude each other by a lock.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options().write(true).create_new(true).mode(mode).open(path)?;
    if let Some(owner) = owner {
        std::os::unix::fs::fchown(&file, Some(owner.user), owner.group)?;
    }
    // The umask may have taken bits away; it cannot have added any.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn replaces_and_sets_the_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/file");
        write(&path, b"one", 0o644).unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"one".to_vec(), 0o644));
        write(&path, b"two", 0o600).unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"two".to_vec(), 0o600));
        assert_eq!(mode(path.parent().unwrap()), 0o755);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_leftover_symlink_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let victim = dir.path().join("victim");
        fs::write(&victim, "keep").unwrap();
        std::os::unix::fs::symlink(&victim, dir.path().join(".file.new")).unwrap();
        write(&dir.path().join("file"), b"x", 0o600).unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"keep");
    }

    #[test]
    fn failure_keeps_the_old_file_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("inside"), "").unwrap();
        let error = write(&path, b"x", 0o600).unwrap_err();
        assert!(error.to_string().starts_with("cannot write /"), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
