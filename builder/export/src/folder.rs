//! A folder of small files that appears under its name when it is complete, or not at all.
//!
//! Until then its name starts with a dot and ends in `.partial`. What a killed run left is
//! thrown away by the next. Nothing is synced file by file: [`sync`] does that for many
//! folders at once, and what a crash of the machine loses before shows by its digest.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};

use crate::{Error, Result};

/// A folder under way. Dropped without [`Folder::publish`], it is removed.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    partial: PathBuf,
    is_published: bool,
}

impl Folder {
    /// Starts the folder that is to be at `path`, for its owner alone.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(path: &Path) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let partial = path.with_file_name(format!(".{name}.partial"));
        let make = || fs::DirBuilder::new().mode(0o700).create(&partial);
        let made = match make() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::remove_dir_all(&partial).and_then(|()| make())
            }
            other => other,
        };
        made.map_err(|source| Error::io("creating", &partial, source))?;
        Ok(Self { path: path.to_owned(), partial, is_published: false })
    }

    /// Where it is until it is complete, for files that others write into it.
    #[must_use]
    pub fn partial(&self) -> &Path {
        &self.partial
    }

    /// Writes a file into it, for its owner alone.
    ///
    /// # Errors
    /// What the system says.
    pub fn file(&self, name: &str, content: &[u8]) -> Result<()> {
        let path = self.partial.join(name);
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let written = options.open(&path).and_then(|file| write_sparse(&file, content));
        written.map_err(|source| Error::io("writing", &path, source))
    }

    /// Gives the folder its name; with `replace` in place of one that is there, in one step.
    ///
    /// # Errors
    /// [`Error::Exists`], and what the system says.
    pub fn publish(mut self, replace: bool) -> Result<()> {
        let rename = |flags| rustix::fs::renameat_with(CWD, &self.partial, CWD, &self.path, flags);
        let renamed = match rename(RenameFlags::NOREPLACE) {
            Err(rustix::io::Errno::EXIST) if replace => {
                // What was there has the partial name now and goes when this is dropped.
                return rename(RenameFlags::EXCHANGE)
                    .map_err(|errno| Error::io("naming", &self.path, errno.into()));
            }
            other => other.map_err(io::Error::from),
        };
        match renamed {
            Ok(()) => {
                self.is_published = true;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(Error::Exists { path: self.path.clone() })
            }
            Err(error) => Err(Error::io("naming", &self.path, error)),
        }
    }
}

/// Writes a file, leaving holes where whole blocks are zero: over half of a small ISO image.
fn write_sparse(file: &File, content: &[u8]) -> io::Result<()> {
    const BLOCK: usize = 4096;
    let is_zero = |block: &[u8]| block.iter().all(|byte| *byte == 0);
    let mut at = 0;
    for run in content.chunks(BLOCK).collect::<Vec<_>>().chunk_by(|a, b| is_zero(a) == is_zero(b)) {
        let len: usize = run.iter().map(|block| block.len()).sum();
        if run.first().is_some_and(|block| !is_zero(block)) {
            file.write_all_at(&content[at..at + len], at as u64)?;
        }
        at += len;
    }
    file.set_len(content.len() as u64)
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.is_published {
            // The next run throws away what cannot be removed now.
            let _ = fs::remove_dir_all(&self.partial);
        }
    }
}

/// Makes everything on the file system of `folder` durable.
///
/// # Errors
/// What the system says.
pub fn sync(folder: &Path) -> Result<()> {
    let synced = File::open(folder).and_then(|file| Ok(rustix::fs::syncfs(file)?));
    synced.map_err(|source| Error::io("syncing", folder, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn make(path: &Path, content: &str, replace: bool) -> Result<()> {
        let folder = Folder::create(path)?;
        folder.file("a", content.as_bytes())?;
        folder.publish(replace)
    }

    #[test]
    fn complete_or_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("site");
        drop(Folder::create(&path).unwrap());
        assert_eq!(names(dir.path()), [""; 0]);
        // What a killed run left.
        std::mem::forget(Folder::create(&path).unwrap());
        make(&path, "1", false).unwrap();
        assert_eq!(names(dir.path()), ["site"]);
        assert!(matches!(make(&path, "2", false), Err(Error::Exists { .. })));
        assert_eq!(fs::read(path.join("a")).unwrap(), b"1");
        make(&path, "2", true).unwrap();
        assert_eq!(fs::read(path.join("a")).unwrap(), b"2");
        assert_eq!(names(dir.path()), ["site"]);
        sync(dir.path()).unwrap();
    }

    #[test]
    fn zeros_become_holes() {
        let dir = tempfile::tempdir().unwrap();
        let mut content = vec![0; 100_000];
        content[40_000] = 1;
        content[99_999] = 2;
        for content in [&content[..], &content[..90_000], &content[..10], &[]] {
            let folder = Folder::create(&dir.path().join("site")).unwrap();
            folder.file("a", content).unwrap();
            assert_eq!(fs::read(folder.partial().join("a")).unwrap(), content);
        }
    }
}
