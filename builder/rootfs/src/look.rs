//! Looking around in a tree: files as values, directories one by one, contents in pieces.

use std::io::{self, Read};
use std::sync::Arc;

use bootwright_disk::view::{ReadOnly, View, WriteView};

use crate::error::show;
use crate::fs::Xattrs;
use crate::node::{Attr, Kind};
use crate::tree::{Last, Node, Tree};
use crate::volume::{Access, Volume, find_root, volumes_for};
use crate::{Contents, Error, Result};

/// Longest path that is followed. A directory that contains itself ends here.
const MAX_PATH: usize = 4096;

/// A file of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it is, without symlinks on the way.
    pub path: Vec<u8>,
    /// What it is.
    pub attr: Attr,
    node: Node,
}

impl Found {
    /// The last part of the path; empty for the root.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        self.path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
    }

    /// Whether another path leads to the same file, which has more than one name then.
    #[must_use]
    pub fn is_same_file(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

impl Tree {
    /// Mounts the image on `disk` to look at it. File systems that may not be edited, such
    /// as one that was not unmounted cleanly, can be read; a disk without an operating system
    /// can, too, if it holds one file system only.
    ///
    /// # Errors
    /// As [`Tree::open`].
    pub fn open_to_read(disk: Arc<dyn View>) -> Result<Self> {
        let disk: Arc<dyn WriteView> = Arc::new(ReadOnly(disk));
        let mut volumes = volumes_for(&disk, Access::Read)?;
        let is_known = |volume: &Volume| volume.contents != Contents::Other;
        let root = match find_root(&volumes) {
            Ok(root) => root,
            Err(error) => {
                let mut known = (0..volumes.len()).filter(|&index| is_known(&volumes[index]));
                match (known.next(), known.next()) {
                    (Some(only), None) => only,
                    _ => return Err(error),
                }
            }
        };
        let root = volumes.remove(root);
        Self::mount(root, volumes, 0)
    }

    /// The file that a path leads to; `follow` says whether a symlink at its end is
    /// followed.
    ///
    /// # Errors
    /// As [`Tree::read`].
    pub fn look(&mut self, path: &[u8], follow: bool) -> Result<Option<Found>> {
        let last = if follow { Last::Follow } else { Last::Keep };
        let Some(place) = self.walk(path, last)? else {
            return Ok(None);
        };
        let Some(node) = place.node else {
            return Ok(None);
        };
        let attr = self.fs(node.mount)?.attr(node.id)?;
        Ok(Some(Found { path: place.path, attr, node }))
    }

    /// The files in a directory, sorted by name; nothing for what is no directory.
    ///
    /// # Errors
    /// As [`Tree::read`].
    pub fn children(&mut self, dir: &Found) -> Result<Vec<Found>> {
        if dir.attr.kind != Kind::Dir {
            return Ok(Vec::new());
        }
        let prefix = if dir.path == b"/" { &[][..] } else { &dir.path[..] };
        let names = self.fs(dir.node.mount)?.list(dir.node.id)?;
        let mut children = Vec::with_capacity(names.len());
        for (name, id) in names {
            let path = [prefix, b"/", &name].concat();
            if path.len() > MAX_PATH {
                let place = self.place_name(dir.node.mount);
                let problem = format!("a path has more than {MAX_PATH} bytes; run e2fsck -f on it");
                return Err(Error::Damaged { place, problem });
            }
            let node = match self.mounted_at(&path) {
                Some(mount) => Node { mount, id: self.fs(mount)?.root() },
                None => Node { mount: dir.node.mount, id },
            };
            let attr = self.fs(node.mount)?.attr(node.id)?;
            children.push(Found { path, attr, node });
        }
        Ok(children)
    }

    /// Extended attributes of a file.
    ///
    /// # Errors
    /// What the file system says.
    pub fn xattrs_of(&mut self, file: &Found) -> Result<Xattrs> {
        self.fs(file.node.mount)?.xattrs(file.node.id)
    }

    /// Target of a symlink; empty for other files.
    ///
    /// # Errors
    /// What the file system says.
    pub fn target_of(&mut self, file: &Found) -> Result<Vec<u8>> {
        match file.attr.kind {
            Kind::Symlink => self.fs(file.node.mount)?.readlink(file.node.id),
            _ => Ok(Vec::new()),
        }
    }

    /// Reads from a regular file; gives the number of bytes, which is short only at its end.
    ///
    /// # Errors
    /// What the file system says, and a file that is no regular one.
    pub fn read_at(&mut self, file: &Found, offset: u64, buf: &mut [u8]) -> Result<usize> {
        if file.attr.kind != Kind::File {
            let problem = "it is no regular file".to_owned();
            return Err(Error::Edit { path: show(&file.path), problem });
        }
        self.fs(file.node.mount)?.read(file.node.id, offset, buf)
    }

    /// A regular file as a stream.
    pub fn reader<'a>(&'a mut self, file: &'a Found) -> Reader<'a> {
        Reader { tree: self, file, at: 0 }
    }
}

/// A regular file as a stream. An [`Error`] of this crate is inside of its errors.
#[derive(Debug)]
pub struct Reader<'a> {
    tree: &'a mut Tree,
    file: &'a Found,
    at: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.tree.read_at(self.file, self.at, buf).map_err(io::Error::other)?;
        self.at += read as u64;
        Ok(read)
    }
}
