//! The file system of a medium, ISO 9660 or FAT, behind the few operations a seed needs.

use std::io::{self, Read, Seek};

use hadris_fat::sync::FatFs;
use hadris_fs::sync::FileSystem;
use hadris_fs::{DirCursor, FileType, MountOptions, Name, NodeId, OpenMode};
use hadris_iso::sync::IsoFs;

use super::bounded::Bounded;
use super::error::is_not_found;
use super::names::{self, Match};
use super::{Filesystem, ReadError};

/// Entries read from one directory. cloud-init's layouts have fewer than ten.
const MAX_ENTRIES: usize = 1024;

/// A mounted volume. Every read goes through the device's budget.
pub(super) struct Volume<'d> {
    fs: Box<dyn FileSystem<DeviceError = io::Error> + 'd>,
    filesystem: Filesystem,
    /// No file can be larger than the medium it is on.
    device_len: u64,
}

/// A file or directory found on the volume.
pub(super) struct Found {
    node: NodeId,
    /// Its path on the medium, spelled as the medium spells it.
    pub(super) path: String,
}

impl<'d> Volume<'d> {
    /// Mounts `device` as the file system that [`super::probe::sniff`] saw.
    pub(super) fn mount<R: Read + Seek + 'd>(
        device: Bounded<R>,
        filesystem: Filesystem,
    ) -> Result<Self, ReadError> {
        let device_len = device.len();
        let options = MountOptions::new().read_only();
        let failed = |error| ReadError::of(filesystem, error);
        let fs: Box<dyn FileSystem<DeviceError = io::Error> + 'd> = match filesystem {
            Filesystem::Iso9660 => {
                Box::new(IsoFs::mount(device, options).map_err(|e| failed(e.into_error()))?)
            }
            Filesystem::Vfat => {
                Box::new(FatFs::mount(device, options).map_err(|e| failed(e.into_error()))?)
            }
        };
        Ok(Self { fs, filesystem, device_len })
    }

    fn error(&self, error: hadris_fs::Error<io::Error>) -> ReadError {
        ReadError::of(self.filesystem, error)
    }

    /// The label that the file system keeps beside its files; for FAT the entry in the root.
    pub(super) fn label(&mut self) -> Result<Option<String>, ReadError> {
        // The size that the library says every label fits in.
        let mut buf = [0; 384];
        match self.fs.label(&mut buf) {
            Ok(label) => Ok(label.map(|label| label.trim_end().to_owned())),
            Err(error) => Err(self.error(error)),
        }
    }

    /// Looks up `path` from the root, each part exactly or as ISO 9660 mangles it.
    pub(super) fn find(&mut self, path: &str) -> Result<Option<Found>, ReadError> {
        let mut found = Found { node: self.fs.root(), path: String::new() };
        for part in path.split('/') {
            match self.find_in(&found, part, path)? {
                Some(next) => found = next,
                None => return Ok(None),
            }
        }
        Ok(Some(found))
    }

    fn find_in(
        &mut self,
        directory: &Found,
        wanted: &str,
        path: &str,
    ) -> Result<Option<Found>, ReadError> {
        let Some(listed) = self.list(directory)? else {
            return Ok(None);
        };
        let name = match names::find(wanted, &listed) {
            Match::One(name) => name.to_owned(),
            Match::None => return Ok(None),
            Match::Two(first, second) => {
                return Err(ReadError::Ambiguous {
                    file: path.to_owned(),
                    first: first.to_owned(),
                    second: second.to_owned(),
                });
            }
        };
        let node = self.fs.lookup(directory.node, Name::new(&name)).map_err(|e| self.error(e))?;
        let path =
            if directory.path.is_empty() { name } else { format!("{}/{name}", directory.path) };
        Ok(Some(Found { node, path }))
    }

    /// Every regular file, in the order the medium lists them.
    #[cfg(feature = "write")]
    pub(super) fn walk(&mut self) -> Result<Vec<Found>, ReadError> {
        /// Deepest folder looked into.
        const DEEPEST: usize = 8;
        let mut files = Vec::new();
        let mut left = vec![(Found { node: self.fs.root(), path: String::new() }, 0)];
        while let Some((found, depth)) = left.pop() {
            let kind = self.fs.stat(found.node).map_err(|e| self.error(e))?.file_type();
            if kind == FileType::File {
                files.push(found);
            } else if kind == FileType::Dir && depth < DEEPEST {
                let names = self.list(&found)?.unwrap_or_default();
                for name in names.into_iter().rev().filter(|name| name != "." && name != "..") {
                    let lookup = self.fs.lookup(found.node, Name::new(&name));
                    let node = lookup.map_err(|e| self.error(e))?;
                    let path = match found.path.is_empty() {
                        true => name,
                        false => format!("{}/{name}", found.path),
                    };
                    left.push((Found { node, path }, depth + 1));
                }
            }
            if files.len() + left.len() > MAX_ENTRIES {
                return Err(ReadError::Crowded { directory: "/".into(), limit: MAX_ENTRIES });
            }
        }
        Ok(files)
    }

    /// The names in `directory`; `None` if it is a file.
    fn list(&mut self, directory: &Found) -> Result<Option<Vec<String>>, ReadError> {
        let mut names = Vec::new();
        let mut cursor = DirCursor::default();
        loop {
            match self.fs.readdir(directory.node, cursor) {
                Ok(Some(entry)) if names.len() < MAX_ENTRIES => {
                    names.push(String::from_utf8_lossy(entry.name().as_bytes()).into_owned());
                    cursor = entry.next_cursor();
                }
                Ok(Some(_)) => {
                    return Err(ReadError::Crowded {
                        directory: format!("/{}", directory.path),
                        limit: MAX_ENTRIES,
                    });
                }
                Ok(None) => return Ok(Some(names)),
                Err(error) if is_not_found(&error) => return Ok(None),
                Err(error) => return Err(self.error(error)),
            }
        }
    }

    /// The content of a regular file of at most `limit` bytes.
    pub(super) fn read(&mut self, file: &Found, limit: u64) -> Result<Vec<u8>, ReadError> {
        let metadata = self.fs.stat(file.node).map_err(|e| self.error(e))?;
        if metadata.file_type() != FileType::File {
            return Err(ReadError::NotAFile { file: file.path.clone() });
        }
        let size = metadata.len();
        if size > limit {
            return Err(ReadError::TooLarge { file: file.path.clone(), size, limit });
        }
        if size > self.device_len {
            return Err(ReadError::Damaged {
                filesystem: self.filesystem,
                what: format!("{} is said to be larger than the medium", file.path),
            });
        }
        self.fs.open(file.node, OpenMode::Read).map_err(|e| self.error(e))?;
        let mut content = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        let mut done = 0;
        while done < content.len() {
            let got = self.fs.read(file.node, done as u64, &mut content[done..]);
            match got.map_err(|e| self.error(e))? {
                0 => {
                    return Err(ReadError::Damaged {
                        filesystem: self.filesystem,
                        what: format!("{} ends before its size", file.path),
                    });
                }
                got => done += got,
            }
        }
        Ok(content)
    }
}
