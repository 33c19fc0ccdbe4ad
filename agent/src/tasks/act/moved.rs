//! Moves a tree, across file systems too, so that at every moment one whole copy exists.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

/// Moves `from` to `to`, where nothing or an empty folder is.
///
/// # Errors
/// Anything at the target, a file that is no file, folder or symlink, and what the system says.
/// The source is whole after every error.
pub fn tree(from: &Path, to: &Path) -> io::Result<()> {
    match fs::symlink_metadata(to) {
        Ok(found) if found.is_dir() && fs::read_dir(to)?.next().is_none() => fs::remove_dir(to)?,
        Ok(_) => return Err(ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    match fs::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {}
        other => return other,
    }
    // A copy that a power cut leaves half made has a name that nobody mistakes for the whole.
    let half = beside(to);
    if half.exists() {
        fs::remove_dir_all(&half)?;
    }
    copy(from, &half)?;
    File::open(&half)?.sync_all()?;
    fs::rename(&half, to)?;
    if let Some(parent) = to.parent() {
        File::open(parent)?.sync_all()?;
    }
    fs::remove_dir_all(from)
}

/// Copies to `to` what it lacks of `from`. What is there stays, whatever `from` has.
///
/// # Errors
/// As [`tree`]; what was copied until then is whole.
pub fn merge(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        match fs::symlink_metadata(&target) {
            Ok(found) if found.is_dir() && fs::symlink_metadata(&source)?.is_dir() => {
                merge(&source, &target)?;
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let half = beside(&target);
                match fs::symlink_metadata(&half) {
                    Ok(found) if found.is_dir() => fs::remove_dir_all(&half)?,
                    Ok(_) => fs::remove_file(&half)?,
                    Err(_) => {}
                }
                copy(&source, &half)?;
                fs::rename(&half, &target)?;
            }
            Err(error) => return Err(error),
        }
    }
    File::open(to)?.sync_all()
}

fn beside(to: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(to.file_name().unwrap_or_default());
    name.push(".bootwright-moving");
    to.with_file_name(name)
}

/// Copies a tree with owners, permissions and times.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(from)?;
    let kind = metadata.file_type();
    if kind.is_symlink() {
        symlink(fs::read_link(from)?, to)?;
        return lchown(to, Some(metadata.uid()), Some(metadata.gid()));
    }
    if kind.is_dir() {
        fs::create_dir(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    } else if kind.is_file() {
        fs::copy(from, to)?;
        let times = fs::FileTimes::new()
            .set_modified(metadata.modified()?)
            .set_accessed(metadata.accessed()?);
        let file = File::options().write(true).open(to)?;
        file.set_times(times)?;
        file.sync_all()?;
    } else {
        let what = format!("{} is a socket or device, which cannot be moved", from.display());
        return Err(io::Error::new(ErrorKind::Unsupported, what));
    }
    lchown(to, Some(metadata.uid()), Some(metadata.gid()))?;
    // After the owner, whose change takes setuid bits away.
    fs::set_permissions(to, fs::Permissions::from_mode(metadata.mode() & 0o7777))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_is_like_the_source() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir_all(from.join("sub")).unwrap();
        fs::write(from.join("sub/f"), "x").unwrap();
        fs::set_permissions(from.join("sub/f"), PermissionsExt::from_mode(0o4750)).unwrap();
        symlink("../nowhere", from.join("link")).unwrap();
        copy(&from, &to).unwrap();
        let found = fs::metadata(to.join("sub/f")).unwrap();
        assert_eq!(found.mode() & 0o7777, 0o4750);
        assert_eq!(found.mtime(), fs::metadata(from.join("sub/f")).unwrap().mtime());
        assert_eq!(fs::read_link(to.join("link")).unwrap(), Path::new("../nowhere"));
        assert_eq!(tree(&from, &to).unwrap_err().kind(), ErrorKind::AlreadyExists);
    }
}
