//! Puts an env in place: 0600, in one step, and not at all if it is there already.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::atomic::{self, WriteError};

/// Only root reads the env: it is full of secrets.
const MODE: u32 = 0o600;

/// What it took to make the env active.
#[derive(Debug, PartialEq, Eq)]
pub enum Activated {
    /// The file was written.
    Written,
    /// The file had this content already.
    Unchanged,
}

/// Makes `env` the content of the file at `path`.
pub fn put(path: &Path, env: &[u8]) -> Result<Activated, WriteError> {
    // A file that cannot be compared or put right is replaced.
    if matches!(is_in_place(path, env), Ok(true)) {
        return Ok(Activated::Unchanged);
    }
    atomic::write(path, env, MODE)?;
    Ok(Activated::Written)
}

/// Whether the file is a regular one with this content; if so, its mode is set right.
fn is_in_place(path: &Path, env: &[u8]) -> io::Result<bool> {
    let metadata = fs::symlink_metadata(path)?;
    let same = metadata.is_file() && metadata.len() == env.len() as u64 && fs::read(path)? == env;
    if same && metadata.permissions().mode() & 0o7777 != MODE {
        fs::set_permissions(path, Permissions::from_mode(MODE))?;
    }
    Ok(same)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn unchanged_content_is_not_rewritten_but_its_mode_is_put_right() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("env.yml");
        assert_eq!(put(&path, b"a: 1\n").unwrap(), Activated::Written);
        let inode = fs::metadata(&path).unwrap().ino();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(put(&path, b"a: 1\n").unwrap(), Activated::Unchanged);
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!((metadata.ino(), metadata.mode() & 0o7777), (inode, 0o600));
        assert_eq!(put(&path, b"a: 2\n").unwrap(), Activated::Written);
        assert_eq!(fs::read(&path).unwrap(), b"a: 2\n");
    }

    #[test]
    fn a_symlink_is_replaced_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        fs::write(&target, b"a: 1\n").unwrap();
        let path = dir.path().join("env.yml");
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert_eq!(put(&path, b"a: 1\n").unwrap(), Activated::Written);
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
    }
}
