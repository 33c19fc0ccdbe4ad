//! The mounted image: one tree of paths over all its file systems.

use std::sync::Arc;

use bootwright_disk::view::WriteView;

use crate::error::show;
use crate::fs::{Fs, Xattrs};
use crate::fstab;
use crate::node::{Attr, Kind, NodeId};
use crate::volume::{Contents, Volume, find_root, volumes};
use crate::{Error, Result};

/// As many symlinks as the kernel follows in one path.
const MAX_LINKS: u32 = 40;
/// Largest file that is read as a whole: configuration, not data.
const MAX_TEXT: u64 = 64 << 20;

/// The image as the guest will see it.
#[derive(Debug)]
pub struct Tree {
    root: Volume,
    /// The root file system first.
    pub(crate) mounts: Vec<Mount>,
    hidden: Vec<Hidden>,
    pub(crate) now: i64,
}

/// A file system in the tree, opened when a path first leads into it.
#[derive(Debug)]
pub(crate) struct Mount {
    /// Where it is mounted; empty for the root.
    point: Vec<u8>,
    volume: Volume,
    fs: Option<Fs>,
}

/// A directory on which the guest mounts what is not on this disk, such as a tmpfs. What
/// the image holds below it can be read and removed; more would never be seen.
#[derive(Debug)]
struct Hidden {
    point: Vec<u8>,
    why: String,
}

/// A file of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) mount: usize,
    pub(crate) id: NodeId,
}

/// Where a path leads.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The directory that holds it, with the name it has there. The root has none.
    pub(crate) parent: Option<(Node, Vec<u8>)>,
    /// The file, if it is there.
    pub(crate) node: Option<Node>,
    /// The path without symlinks.
    pub(crate) path: Vec<u8>,
}

/// What becomes of a symlink at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Last {
    Follow,
    Keep,
}

/// A walk under way: directories from the root down to where it stands.
struct Walk {
    stack: Vec<(Vec<u8>, Node)>,
    /// Path parts still to go, last one first.
    todo: Vec<Vec<u8>>,
    links: u32,
}

impl Tree {
    /// Mounts the image on `disk`. Every change gets the time `now`, in seconds since 1970.
    ///
    /// # Errors
    /// [`Error::NoRoot`], and what opening the root file system says.
    pub fn open(disk: &Arc<dyn WriteView>, now: i64) -> Result<Self> {
        let mut volumes = volumes(disk)?;
        let root = volumes.remove(find_root(&volumes)?);
        Self::mount(root, volumes, now)
    }

    /// Mounts `root` with what its own fstab names of the other volumes.
    pub(crate) fn mount(root: Volume, volumes: Vec<Volume>, now: i64) -> Result<Self> {
        let fs = Fs::open(&root, now)?;
        let mount = Mount { point: Vec::new(), volume: root.clone(), fs };
        let mut tree = Self { root, mounts: vec![mount], hidden: Vec::new(), now };
        let text = tree.read(b"/etc/fstab")?.unwrap_or_default();
        for fstab::Entry { spec, point } in fstab::parse(&String::from_utf8_lossy(&text)) {
            let volume = volumes.iter().find(|volume| volume.is_named(&spec));
            match tree.mountable(volume, &spec) {
                Ok(volume) => tree.mounts.push(Mount { point, volume, fs: None }),
                Err(why) => tree.hidden.push(Hidden { point, why }),
            }
        }
        Ok(tree)
    }

    /// The volume that an fstab means, or why it cannot be part of the tree.
    fn mountable(&self, volume: Option<&Volume>, spec: &str) -> Result<Volume, String> {
        let Some(volume) = volume else {
            return Err(format!("{spec} is mounted there and is not on this disk"));
        };
        if volume.contents == Contents::Other {
            return Err(format!("{} is mounted there and cannot be edited", volume.place));
        }
        // Two sessions on one file system would destroy it.
        match self.mounts.iter().find(|mount| mount.volume.partition == volume.partition) {
            Some(first) => Err(format!(
                "{} is mounted there, and at {}, too",
                volume.place,
                show(&first.point)
            )),
            None => Ok(volume.clone()),
        }
    }

    /// The volume of the root file system.
    #[must_use]
    pub fn root_volume(&self) -> &Volume {
        &self.root
    }

    /// The open file system of a mount.
    pub(crate) fn fs(&mut self, mount: usize) -> Result<&mut Fs> {
        let now = self.now;
        let mount = &mut self.mounts[mount];
        let fs = match mount.fs.take() {
            Some(fs) => fs,
            None => Fs::open(&mount.volume, now)?.ok_or_else(|| Error::Edit {
                path: show(&mount.point),
                problem: format!("{} cannot be edited", mount.volume.place),
            })?,
        };
        Ok(mount.fs.insert(fs))
    }

    /// How messages call a mount's volume.
    pub(crate) fn place_name(&self, mount: usize) -> String {
        let mount = &self.mounts[mount];
        let point = if mount.point.is_empty() { "/".to_owned() } else { show(&mount.point) };
        format!("{point} on {}", mount.volume.place)
    }

    /// The volume that is mounted at a path, which has no symlinks in it.
    pub(crate) fn mounted_at(&self, path: &[u8]) -> Option<usize> {
        self.mounts.iter().position(|mount| mount.point == path)
    }

    /// Where volumes are mounted: the root at `/` first.
    pub fn mounts(&self) -> impl Iterator<Item = (String, &Volume)> {
        self.mounts.iter().map(|mount| {
            let point = if mount.point.is_empty() { "/".to_owned() } else { show(&mount.point) };
            (point, &mount.volume)
        })
    }

    /// Refuses to make or change what the guest would not see.
    pub(crate) fn check_seen(&self, path: &[u8]) -> Result<()> {
        match self.hidden.iter().find(|hidden| is_below(path, &hidden.point)) {
            Some(hidden) => Err(Error::Edit { path: show(path), problem: hidden.why.clone() }),
            None => Ok(()),
        }
    }

    /// Whether something is mounted at a path or below it.
    pub(crate) fn is_mounted_below(&self, path: &[u8]) -> bool {
        let mounts = self.mounts.iter().skip(1).map(|mount| &mount.point);
        let mut points = mounts.chain(self.hidden.iter().map(|hidden| &hidden.point));
        points.any(|point| point == path || is_below(point, path))
    }

    /// Finds where a path leads. Its parent directories must be there.
    pub(crate) fn resolve(&mut self, path: &[u8], last: Last) -> Result<Place> {
        let place = self.walk(path, last)?;
        place.ok_or_else(|| Error::Edit {
            path: show(path),
            problem: "a directory on the way to it does not exist".to_owned(),
        })
    }

    /// As [`Tree::resolve`], but gives nothing where a parent directory is missing.
    pub(crate) fn walk(&mut self, path: &[u8], last: Last) -> Result<Option<Place>> {
        let root = Node { mount: 0, id: self.fs(0)?.root() };
        let mut walk = Walk { stack: vec![(Vec::new(), root)], todo: Vec::new(), links: 0 };
        walk.push(path);
        while let Some(part) = walk.todo.pop() {
            if part == b".." {
                walk.stack.truncate((walk.stack.len() - 1).max(1));
            } else if let Some(missing) = self.step(&mut walk, part, (path, last))? {
                return Ok(walk.todo.is_empty().then_some(missing));
            }
        }
        let (path, node) = walk.top();
        let path = if path.is_empty() { b"/".to_vec() } else { path };
        let parent = walk.stack.len().checked_sub(2).map(|index| {
            let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default().to_vec();
            (walk.stack[index].1, name)
        });
        Ok(Some(Place { parent, node: Some(node), path }))
    }

    /// Goes one part down. Gives the place that the part would have if it is not there.
    fn step(
        &mut self,
        walk: &mut Walk,
        part: Vec<u8>,
        (path, last): (&[u8], Last),
    ) -> Result<Option<Place>> {
        let (dir_path, dir) = walk.top();
        let child_path = [&dir_path[..], b"/", &part].concat();
        if let Some(mount) = self.mounted_at(&child_path) {
            let id = self.fs(mount)?.root();
            walk.stack.push((child_path, Node { mount, id }));
            return Ok(None);
        }
        let fs = self.fs(dir.mount)?;
        if fs.attr(dir.id)?.kind != Kind::Dir {
            let problem = format!("{} is not a directory", show(&dir_path));
            return Err(Error::Edit { path: show(path), problem });
        }
        let Some(id) = fs.lookup(dir.id, &part)? else {
            return Ok(Some(Place { parent: Some((dir, part)), node: None, path: child_path }));
        };
        let is_link = fs.attr(id)?.kind == Kind::Symlink;
        if !is_link || (last == Last::Keep && walk.todo.is_empty()) {
            walk.stack.push((child_path, Node { mount: dir.mount, id }));
            return Ok(None);
        }
        walk.links += 1;
        if walk.links > MAX_LINKS {
            let problem = format!("more than {MAX_LINKS} symlinks; they may form a loop");
            return Err(Error::Edit { path: show(path), problem });
        }
        let target = fs.readlink(id)?;
        if target.starts_with(b"/") {
            walk.stack.truncate(1);
        }
        walk.push(&target);
        Ok(None)
    }

    /// Whether a path leads to a file, symlinks followed.
    ///
    /// # Errors
    /// As [`Tree::read`].
    pub fn exists(&mut self, path: &[u8]) -> Result<bool> {
        Ok(self.find(path)?.is_some())
    }

    /// The file that a path leads to, symlinks followed.
    pub(crate) fn find(&mut self, path: &[u8]) -> Result<Option<Node>> {
        Ok(self.walk(path, Last::Follow)?.and_then(|place| place.node))
    }

    /// Attributes of the file that a path leads to, symlinks not followed.
    ///
    /// # Errors
    /// As [`Tree::read`].
    pub fn attr(&mut self, path: &[u8]) -> Result<Option<Attr>> {
        match self.walk(path, Last::Keep)?.and_then(|place| place.node) {
            Some(node) => self.fs(node.mount)?.attr(node.id).map(Some),
            None => Ok(None),
        }
    }

    /// Extended attributes of the file that a path leads to, symlinks not followed.
    ///
    /// # Errors
    /// As [`Tree::read`].
    pub fn xattrs(&mut self, path: &[u8]) -> Result<Xattrs> {
        match self.walk(path, Last::Keep)?.and_then(|place| place.node) {
            Some(node) => self.fs(node.mount)?.xattrs(node.id),
            None => Ok(Vec::new()),
        }
    }

    /// Target of the symlink at a path; nothing if there is none.
    ///
    /// # Errors
    /// As [`Tree::read`].
    pub fn readlink(&mut self, path: &[u8]) -> Result<Option<Vec<u8>>> {
        let Some(node) = self.walk(path, Last::Keep)?.and_then(|place| place.node) else {
            return Ok(None);
        };
        let fs = self.fs(node.mount)?;
        if fs.attr(node.id)?.kind != Kind::Symlink {
            return Ok(None);
        }
        fs.readlink(node.id).map(Some)
    }

    /// Names in the directory at a path, sorted; nothing if there is no directory.
    ///
    /// # Errors
    /// As [`Tree::read`].
    pub fn list(&mut self, path: &[u8]) -> Result<Vec<Vec<u8>>> {
        let Some(node) = self.find(path)? else {
            return Ok(Vec::new());
        };
        let fs = self.fs(node.mount)?;
        if fs.attr(node.id)?.kind != Kind::Dir {
            return Ok(Vec::new());
        }
        Ok(fs.list(node.id)?.into_iter().map(|(name, _)| name).collect())
    }

    /// Content of the file that a path leads to, symlinks followed; nothing if there is no
    /// file. For configuration: a file over 64 MiB is refused.
    ///
    /// # Errors
    /// What the file system says, and a path that leads through something that is no
    /// directory or through too many symlinks.
    pub fn read(&mut self, path: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.find(path)? {
            Some(node) => self.read_node(node, path),
            None => Ok(None),
        }
    }

    /// The first bytes of the file that a path leads to, symlinks followed; none if there is
    /// no file.
    ///
    /// # Errors
    /// As [`Tree::read`].
    pub fn head(&mut self, path: &[u8], len: usize) -> Result<Vec<u8>> {
        let Some(node) = self.find(path)? else {
            return Ok(Vec::new());
        };
        let fs = self.fs(node.mount)?;
        let mut bytes = vec![0; len];
        let is_file = fs.attr(node.id)?.kind == Kind::File;
        let read = if is_file { fs.read(node.id, 0, &mut bytes)? } else { 0 };
        bytes.truncate(read);
        Ok(bytes)
    }

    pub(crate) fn read_node(&mut self, node: Node, path: &[u8]) -> Result<Option<Vec<u8>>> {
        let fs = self.fs(node.mount)?;
        let attr = fs.attr(node.id)?;
        if attr.kind != Kind::File {
            return Ok(None);
        }
        if attr.size > MAX_TEXT {
            let problem = format!("{} bytes are too many to be read as text", attr.size);
            return Err(Error::Edit { path: show(path), problem });
        }
        let mut bytes = vec![0; attr.size as usize];
        let read = fs.read(node.id, 0, &mut bytes)?;
        bytes.truncate(read);
        Ok(Some(bytes))
    }

    /// Completes all changes of all file systems.
    ///
    /// # Errors
    /// What writing them says.
    pub fn finish(mut self) -> Result<()> {
        self.flush()
    }

    /// Writes what is left to write, and closes the file systems until they are needed next.
    ///
    /// # Errors
    /// What writing them says.
    pub fn flush(&mut self) -> Result<()> {
        for mount in &mut self.mounts {
            if let Some(fs) = mount.fs.take() {
                fs.finish()?;
            }
        }
        Ok(())
    }
}

/// Whether a path lies below a directory.
pub(crate) fn is_below(path: &[u8], dir: &[u8]) -> bool {
    path.strip_prefix(dir).is_some_and(|rest| rest.starts_with(b"/"))
}

impl Walk {
    fn push(&mut self, path: &[u8]) {
        let parts = path.split(|&byte| byte == b'/').rev();
        let parts = parts.filter(|&part| !part.is_empty() && part != b".");
        self.todo.extend(parts.map(<[u8]>::to_vec));
    }

    /// Where it stands.
    fn top(&self) -> (Vec<u8>, Node) {
        // The root is never popped.
        self.stack[self.stack.len() - 1].clone()
    }
}
