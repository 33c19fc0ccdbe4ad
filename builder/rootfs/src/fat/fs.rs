//! One FAT file system: files looked up, read and changed by node number.
//!
//! FAT knows no owners, modes, links or attributes; Linux shows one owner and mode for the
//! whole file system. Edits that set them are therefore accepted and have no effect; edits
//! that make something FAT cannot hold are refused.

use std::sync::Arc;

use bootwright_disk::Error as DiskError;
use bootwright_disk::view::WriteView;
use hadris_fat::sync::FatFs;
use hadris_fs::{
    DateTime, DirCursor, Extent, MountOptions, Name, NodeId as HadrisNode, OpenMode, RenameMode,
    SetAttr,
};
use hadris_io::{Error as HadrisError, ErrorKind};

use super::device::Device;
use crate::content::Source;
use crate::node::{Attr, Kind, NodeId};
use crate::space::Need;
use crate::{Error, Result};

/// Bytes of a file written at once.
const PIECE: u64 = 1 << 20;
/// Entries of a directory: one reads them all to list it.
const MAX_NAMES: usize = 1 << 16;

/// An open file system.
pub(crate) struct Fat {
    fs: FatFs<Device>,
    view: Arc<dyn WriteView>,
    place: String,
    now: DateTime,
    /// Whether anything was changed. Without a change nothing is written, not even a count
    /// of free clusters.
    changed: bool,
}

impl std::fmt::Debug for Fat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fat").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Label and serial number, by which an fstab names a file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) label: String,
    pub(crate) serial: String,
}

impl Identity {
    /// The identity of the file system on `view`; nothing if there is none.
    pub(crate) fn probe(view: Arc<dyn WriteView>) -> Option<Self> {
        let mut fs = FatFs::mount(Device { view }, MountOptions::new().read_only()).ok()?;
        let mut buf = [0; 64];
        let label = fs.label(&mut buf).ok().flatten().unwrap_or_default().to_owned();
        let serial = fs.volume_serial().unwrap_or_default();
        Some(Self { label, serial: format!("{:04X}-{:04X}", serial >> 16, serial & 0xffff) })
    }
}

impl Fat {
    /// Opens the file system on `view`; `now` is the time that new files get.
    pub(crate) fn open(view: Arc<dyn WriteView>, place: &str, now: i64) -> Result<Self> {
        let device = Device { view: Arc::clone(&view) };
        let fs = FatFs::mount(device, MountOptions::new())
            .map_err(|error| explain(place, error.into_error()))?;
        let now = DateTime::from_unix_seconds(now).unwrap_or(hadris_fs::NoClock::TIME);
        Ok(Self { fs, view, place: place.to_owned(), now, changed: false })
    }

    pub(crate) fn root(&self) -> NodeId {
        self.fs.root().get()
    }

    /// Runs an operation of the library and explains its failure.
    fn call<T>(
        &mut self,
        operation: impl FnOnce(&mut FatFs<Device>) -> Result<T, HadrisError<DiskError>>,
    ) -> Result<T> {
        operation(&mut self.fs).map_err(|error| explain(&self.place, error))
    }

    /// As [`Fat::call`], for what changes something. A name that FAT cannot hold is the
    /// fault of the edit.
    fn change<T>(
        &mut self,
        name: &[u8],
        operation: impl FnOnce(&mut FatFs<Device>) -> Result<T, HadrisError<DiskError>>,
    ) -> Result<T> {
        self.changed = true;
        operation(&mut self.fs).map_err(|error| match error.kind() {
            ErrorKind::InvalidInput
            | ErrorKind::Unsupported
            | ErrorKind::NameTooLong
            | ErrorKind::FileTooLarge => Error::Edit {
                path: crate::error::show(name),
                problem: format!("{} is FAT, which cannot hold it: {error}", self.place),
            },
            _ => explain(&self.place, error),
        })
    }

    fn node(&self, node: NodeId) -> Result<HadrisNode> {
        HadrisNode::new(node).ok_or_else(|| Error::Damaged {
            place: self.place.clone(),
            problem: "a node has the number 0".to_owned(),
        })
    }

    pub(crate) fn lookup(&mut self, dir: NodeId, name: &[u8]) -> Result<Option<NodeId>> {
        let dir = self.node(dir)?;
        match self.fs.lookup(dir, Name::new(name)) {
            Ok(node) => Ok(Some(node.get())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(explain(&self.place, error)),
        }
    }

    pub(crate) fn attr(&mut self, node: NodeId) -> Result<Attr> {
        let node = self.node(node)?;
        let stat = self.call(|fs| fs.stat(node))?;
        let kind = if stat.file_type().is_dir() { Kind::Dir } else { Kind::File };
        Ok(Attr {
            kind,
            mode: if kind == Kind::Dir { 0o755 } else { 0o644 },
            uid: 0,
            gid: 0,
            size: stat.len(),
            links: 1,
            mtime: stat.modified().map_or(0, |time| time.unix_seconds()),
            device: None,
        })
    }

    /// Names in a directory with their nodes, sorted.
    pub(crate) fn list(&mut self, dir: NodeId) -> Result<Vec<(Vec<u8>, NodeId)>> {
        let parent = self.node(dir)?;
        let mut names = Vec::new();
        let mut cursor = DirCursor::START;
        while let Some(entry) = self.call(|fs| fs.readdir(parent, cursor))? {
            cursor = entry.next_cursor();
            names.push(entry.name().as_bytes().to_vec());
            if names.len() > MAX_NAMES {
                let problem = format!("a directory holds more than {MAX_NAMES} names");
                return Err(Error::Damaged { place: self.place.clone(), problem });
            }
        }
        names.sort();
        let mut found = Vec::new();
        for name in names {
            if let Some(node) = self.lookup(dir, &name)? {
                found.push((name, node));
            }
        }
        Ok(found)
    }

    /// Reads from a file; gives the number of bytes, which is short only at its end.
    pub(crate) fn read(&mut self, node: NodeId, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let node = self.node(node)?;
        self.call(|fs| fs.open(node, OpenMode::Read))?;
        let mut done = 0;
        while done < buf.len() {
            let at = offset + done as u64;
            match self.call(|fs| fs.read(node, at, &mut buf[done..]))? {
                0 => break,
                read => done += read,
            }
        }
        self.call(|fs| fs.close(node)).map(|()| done)
    }

    fn times(&self) -> SetAttr {
        SetAttr::new().with_created(self.now).with_modified(self.now).with_accessed(self.now)
    }

    /// Makes a file or directory under a name that is free.
    pub(crate) fn create(&mut self, dir: NodeId, name: &[u8], kind: Kind) -> Result<NodeId> {
        let (dir, times) = (self.node(dir)?, self.times());
        let made = match kind {
            Kind::File => self.change(name, |fs| fs.create(dir, Name::new(name), &times)),
            Kind::Dir => self.change(name, |fs| fs.mkdir(dir, Name::new(name), &times)),
            _ => Err(Error::Edit {
                path: crate::error::show(name),
                problem: format!("{} is FAT, which holds files and directories only", self.place),
            }),
        };
        made.map(HadrisNode::get)
    }

    /// Fills an empty file with `size` bytes of `content`.
    pub(crate) fn fill(&mut self, node: NodeId, content: &mut Source<'_>, size: u64) -> Result<()> {
        let (node, times) = (self.node(node)?, self.times());
        self.change(b"", |fs| fs.open(node, OpenMode::Write))?;
        let mut offset = 0;
        let mut piece = Vec::new();
        while offset < size {
            piece.resize(PIECE.min(size - offset) as usize, 0);
            content.fill(&mut piece)?;
            let mut done = 0;
            while done < piece.len() {
                let at = offset + done as u64;
                done += self.change(b"", |fs| fs.write(node, at, &piece[done..]))?;
            }
            offset += piece.len() as u64;
        }
        self.change(b"", |fs| fs.close(node))?;
        self.change(b"", |fs| fs.setattr(node, &times))
    }

    /// Empties a file.
    pub(crate) fn truncate(&mut self, node: NodeId) -> Result<()> {
        let held = self.clusters(node)?;
        let node = self.node(node)?;
        self.change(b"", |fs| fs.open(node, OpenMode::Write))?;
        self.change(b"", |fs| fs.truncate(node, 0))?;
        self.change(b"", |fs| fs.close(node))?;
        self.erase(&held)
    }

    /// Takes away a file or an empty directory.
    pub(crate) fn unlink(&mut self, dir: NodeId, name: &[u8], node: NodeId) -> Result<()> {
        let held = self.clusters(node)?;
        let is_dir = self.attr(node)?.kind == Kind::Dir;
        let (dir, pinned) = (self.node(dir)?, self.node(node)?);
        self.fs.forget(pinned, 1);
        match is_dir {
            true => self.change(name, |fs| fs.rmdir(dir, Name::new(name)))?,
            false => self.change(name, |fs| fs.unlink(dir, Name::new(name)))?,
        }
        self.erase(&held)
    }

    /// Where the clusters of a file or directory lie: offset and length.
    fn clusters(&mut self, node: NodeId) -> Result<Vec<(u64, u64)>> {
        let (node, cluster) = (self.node(node)?, self.block_size()?);
        let mut runs = Vec::new();
        let mut from = 0;
        loop {
            let mut found = [Extent::new(0, 0); 16];
            let count = self.call(|fs| fs.extents(node, from, &mut found))?;
            let Some(last) = found[..count].last() else {
                return Ok(runs);
            };
            from = last.file_offset() + last.len();
            // The last run ends with the file, its cluster does not.
            let run = |run: &Extent| (run.offset(), run.len().next_multiple_of(cluster));
            runs.extend(found[..count].iter().map(run));
        }
    }

    /// Makes what was let go of unreadable, before it is given to another file.
    fn erase(&self, runs: &[(u64, u64)]) -> Result<()> {
        runs.iter().try_for_each(|&(offset, len)| {
            let erased = self.view.discard(offset, len);
            erased.map_err(|source| Error::Disk { place: self.place.clone(), source })
        })
    }

    pub(crate) fn rename(
        &mut self,
        (from_dir, from): (NodeId, &[u8]),
        (to_dir, to): (NodeId, &[u8]),
    ) -> Result<()> {
        let (from_dir, to_dir) = (self.node(from_dir)?, self.node(to_dir)?);
        let (from, new) = (Name::new(from), Name::new(to));
        self.change(to, |fs| fs.rename(from_dir, from, to_dir, new, RenameMode::NoReplace))
    }

    /// What is free. FAT has no inodes to run out of.
    pub(crate) fn free_space(&mut self) -> Result<Need> {
        let stats = self.call(|fs| fs.statfs())?;
        Ok(Need { blocks: stats.free_blocks(), inodes: u64::MAX })
    }

    pub(crate) fn block_size(&mut self) -> Result<u64> {
        self.call(|fs| fs.statfs()).map(|stats| stats.block_size().into())
    }

    /// Bytes of all clusters.
    pub(crate) fn size(&mut self) -> Result<u64> {
        self.call(|fs| fs.statfs())
            .map(|stats| stats.total_blocks().saturating_mul(stats.block_size().into()))
    }

    /// Writes what the library still holds.
    pub(crate) fn finish(self) -> Result<()> {
        if !self.changed {
            return Ok(());
        }
        let place = self.place;
        self.fs.unmount().map(drop).map_err(|error| explain(&place, error.into_error()))
    }
}

fn explain(place: &str, error: HadrisError<DiskError>) -> Error {
    let problem = error.to_string();
    let place = place.to_owned();
    match (error.kind(), error.into_device_error()) {
        (_, Some(source)) => Error::Disk { place, source },
        (ErrorKind::NoSpace, None) => Error::Full { place },
        (_, None) => Error::Damaged { place, problem },
    }
}
