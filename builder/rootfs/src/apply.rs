//! Applies edits: the only place that changes a tree.

mod need;

use crate::content::{Content, Source};
use crate::edit::{Edit, Meta};
use crate::error::show;
use crate::fs::{Fs, Xattrs};
use crate::node::{Attr, Kind, NodeId};
use crate::tree::{Last, Node, Place, Tree, is_below};
use crate::{Error, Result};

/// Nothing in an image nests deeper; a hostile one could.
const MAX_DEPTH: usize = 256;
const MAX_NAME: usize = 255;
/// Largest device numbers of Linux (12 and 20 bits).
const MAX_DEVICE: (u32, u32) = (0xfff, 0xf_ffff);

fn refuse<T>(path: &[u8], problem: impl Into<String>) -> Result<T> {
    Err(Error::Edit { path: show(path), problem: problem.into() })
}

impl Tree {
    /// Applies edits in order, after checking that they fit into what is free. A failure
    /// leaves the tree half changed: throw the layer below it away.
    ///
    /// # Errors
    /// [`Error::NoSpace`] before anything is changed; [`Error::Edit`] for an edit that does
    /// not fit what the image holds; and what the file systems say.
    pub fn apply(&mut self, edits: &[Edit]) -> Result<()> {
        self.check_room(edits)?;
        edits.iter().try_for_each(|edit| {
            self.apply_one(edit).map_err(|error| error.while_editing(edit.path()))
        })
    }

    fn apply_one(&mut self, edit: &Edit) -> Result<()> {
        check(edit)?;
        match edit {
            Edit::Dir { path, meta } => self.make_dir(path, meta),
            Edit::File { path, content, meta } => {
                let mut source = content.open()?;
                let node = self.make(path, meta, (Kind::File, None), b"")?;
                self.fill(node, &mut source, content.size(), meta.mtime)
            }
            Edit::Symlink { path, target, meta } => {
                self.make(path, meta, (Kind::Symlink, None), target).map(drop)
            }
            Edit::Special { path, kind, device, meta } => {
                self.make(path, meta, (*kind, *device), b"").map(drop)
            }
            Edit::HardLink { path, target } => self.make_link(path, target),
            Edit::Attributes { path, meta } => {
                let node = self.existing(path)?;
                self.set_meta(node, meta)
            }
            Edit::RemoveXattr { path, name } => {
                let node = self.existing(path)?;
                self.fs(node.mount)?.set_xattr(node.id, name, None)
            }
            Edit::Rewrite { path, content } => {
                let node = self.existing(path)?;
                self.rewrite(node, path, content)
            }
            Edit::Append { path, text } => self.append(path, text),
            Edit::Replace { path, from, to } => self.replace(path, from, to),
            Edit::Remove { path } => self.remove(path),
            Edit::Rename { from, to } => self.rename(from, to),
        }
    }

    /// The file that a path leads to, which must be there. Symlinks are followed.
    fn existing(&mut self, path: &[u8]) -> Result<Node> {
        let place = self.resolve(path, Last::Follow)?;
        self.check_seen(&place.path)?;
        match place.node {
            Some(node) => Ok(node),
            None => refuse(path, "there is no such file in the image"),
        }
    }

    /// Where something is to be made, with missing parents made first.
    fn spot(&mut self, path: &[u8]) -> Result<(Place, Node, Vec<u8>)> {
        let place = match self.walk(path, Last::Keep)? {
            Some(place) => place,
            None => {
                self.make_parents(path)?;
                self.resolve(path, Last::Keep)?
            }
        };
        self.check_seen(&place.path)?;
        match place.parent.clone() {
            Some((dir, name)) if name.len() > MAX_NAME || name.contains(&0) => {
                let place = self.place_name(dir.mount);
                let problem = format!("a name on {place} has up to {MAX_NAME} bytes and no NUL");
                refuse(path, problem)
            }
            Some((dir, name)) => Ok((place, dir, name)),
            None => refuse(path, "this is the root directory"),
        }
    }

    fn make_parents(&mut self, path: &[u8]) -> Result<()> {
        let cut = path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        let parent = &path[..cut];
        match self.walk(parent, Last::Follow)? {
            Some(Place { node: Some(_), .. }) => Ok(()),
            _ => self.make_dir(parent, &Meta::default()),
        }
    }

    fn make_dir(&mut self, path: &[u8], meta: &Meta) -> Result<()> {
        if let Some(node) = self.find(path)? {
            return self.adjust_dir(node, path, meta);
        }
        let (place, dir, name) = self.spot(path)?;
        match place.node {
            // Now that its parents are there, a file system turned out to be mounted here.
            Some(node) if node.mount != dir.mount => self.adjust_dir(node, path, meta),
            Some(_) => refuse(path, "a directory is to be here, but there is a symlink to nowhere"),
            None => self.create(dir, &name, (Kind::Dir, None), (meta, b"")).map(drop),
        }
    }

    /// Gives a directory that is there the attributes that are set.
    fn adjust_dir(&mut self, node: Node, path: &[u8], meta: &Meta) -> Result<()> {
        match self.fs(node.mount)?.attr(node.id)?.kind {
            Kind::Dir => self.set_meta(node, meta),
            _ => refuse(path, "a directory is to be here, but there is a file"),
        }
    }

    /// Makes anything but a directory, in place of what is there.
    fn make(
        &mut self,
        path: &[u8],
        meta: &Meta,
        kind: (Kind, Option<(u32, u32)>),
        target: &[u8],
    ) -> Result<Node> {
        let (place, dir, name) = self.spot(path)?;
        self.clear(&place, path)?;
        self.create(dir, &name, kind, (meta, target))
    }

    /// Makes room for something else at a place.
    fn clear(&mut self, place: &Place, path: &[u8]) -> Result<()> {
        let (Some(node), Some((dir, name))) = (place.node, &place.parent) else {
            return Ok(());
        };
        let fs = self.fs(node.mount)?;
        if fs.attr(node.id)?.kind == Kind::Dir {
            return refuse(path, "there is a directory; remove it first if it is to be replaced");
        }
        fs.unlink(dir.id, name, node.id)
    }

    fn create(
        &mut self,
        dir: Node,
        name: &[u8],
        (kind, device): (Kind, Option<(u32, u32)>),
        (meta, target): (&Meta, &[u8]),
    ) -> Result<Node> {
        let default_mode = match kind {
            Kind::Dir => 0o755,
            Kind::Symlink => 0o777,
            _ => 0o644,
        };
        let mode = meta.mode.filter(|_| kind != Kind::Symlink).unwrap_or(default_mode);
        let attr = Attr {
            kind,
            mode,
            uid: meta.uid.unwrap_or(0),
            gid: meta.gid.unwrap_or(0),
            size: 0,
            links: 1,
            mtime: meta.mtime.unwrap_or(self.now),
            device,
        };
        let fs = self.fs(dir.mount)?;
        let id = fs.create(dir.id, name, &attr, target)?;
        set_xattrs(fs, id, &meta.xattrs)?;
        Ok(Node { mount: dir.mount, id })
    }

    /// Fills an empty file, and sets its times, which filling changed.
    fn fill(
        &mut self,
        node: Node,
        source: &mut Source<'_>,
        size: u64,
        mtime: Option<i64>,
    ) -> Result<()> {
        let mtime = mtime.unwrap_or(self.now);
        let fs = self.fs(node.mount)?;
        fs.fill(node.id, source, size)?;
        source.finish()?;
        let attr = Attr { mtime, ..fs.attr(node.id)? };
        fs.set_attr(node.id, &attr)
    }

    fn set_meta(&mut self, node: Node, meta: &Meta) -> Result<()> {
        let fs = self.fs(node.mount)?;
        let now = fs.attr(node.id)?;
        let wanted = Attr {
            mode: meta.mode.unwrap_or(now.mode),
            uid: meta.uid.unwrap_or(now.uid),
            gid: meta.gid.unwrap_or(now.gid),
            mtime: meta.mtime.unwrap_or(now.mtime),
            ..now.clone()
        };
        if wanted != now {
            fs.set_attr(node.id, &wanted)?;
        }
        set_xattrs(fs, node.id, &meta.xattrs)
    }

    fn make_link(&mut self, path: &[u8], target: &[u8]) -> Result<()> {
        let node = self.existing(target)?;
        if self.fs(node.mount)?.attr(node.id)?.kind == Kind::Dir {
            return refuse(target, "a directory cannot have two names");
        }
        let (place, dir, name) = self.spot(path)?;
        if dir.mount != node.mount {
            return refuse(path, "a hard link cannot lead to another file system");
        }
        if place.node == Some(node) {
            return Ok(());
        }
        self.clear(&place, path)?;
        self.fs(dir.mount)?.link(dir.id, &name, node.id)
    }

    fn rewrite(&mut self, node: Node, path: &[u8], content: &Content) -> Result<()> {
        if self.fs(node.mount)?.attr(node.id)?.kind != Kind::File {
            return refuse(path, "new content is to be here, but this is not a regular file");
        }
        let mut source = content.open()?;
        self.fs(node.mount)?.truncate(node.id)?;
        self.fill(node, &mut source, content.size(), None)
    }

    fn append(&mut self, path: &[u8], text: &[u8]) -> Result<()> {
        let (node, old) = match self.walk(path, Last::Follow)? {
            Some(Place { node: Some(_), .. }) => {
                let node = self.existing(path)?;
                (node, self.read_node(node, path)?.unwrap_or_default())
            }
            missing => {
                // A symlink to nowhere gets what it points to.
                let place = missing.map_or_else(|| path.to_vec(), |place| place.path);
                let node = self.make(&place, &Meta::default(), (Kind::File, None), b"")?;
                (node, Vec::new())
            }
        };
        self.rewrite(node, path, &Content::Bytes([&old, text].concat()))
    }

    fn replace(&mut self, path: &[u8], from: &[u8], to: &[u8]) -> Result<()> {
        let node = self.existing(path)?;
        let old = self.read_node(node, path)?.unwrap_or_default();
        match replaced(&old, from, to) {
            Some(new) => self.rewrite(node, path, &Content::Bytes(new)),
            None => refuse(path, format!("the text to replace is not in it: {:?}", show(from))),
        }
    }

    fn remove(&mut self, path: &[u8]) -> Result<()> {
        let Some(Place { parent, node: Some(node), path: found }) = self.walk(path, Last::Keep)?
        else {
            return Ok(());
        };
        if self.is_mounted_below(&found) {
            return refuse(path, "another file system is mounted there");
        }
        let Some((dir, name)) = parent else {
            return refuse(path, "this is the root directory");
        };
        self.empty(node, path, 0)?;
        self.fs(node.mount)?.unlink(dir.id, &name, node.id)
    }

    /// Removes what is in a directory that is about to go, too.
    fn empty(&mut self, dir: Node, path: &[u8], depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return refuse(path, format!("directories nest deeper than {MAX_DEPTH} in it"));
        }
        if self.fs(dir.mount)?.attr(dir.id)?.kind != Kind::Dir {
            return Ok(());
        }
        for (name, id) in self.fs(dir.mount)?.list(dir.id)? {
            self.empty(Node { id, ..dir }, path, depth + 1)?;
            self.fs(dir.mount)?.release(dir.id, &name, id)?;
        }
        Ok(())
    }

    fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<()> {
        let source = self.walk(from, Last::Keep)?;
        let Some(Place { parent: Some((from_dir, from_name)), node: Some(node), path: old }) =
            source
        else {
            return refuse(from, "there is no such file in the image to rename");
        };
        if self.is_mounted_below(&old) {
            return refuse(from, "another file system is mounted there");
        }
        let (place, to_dir, to_name) = self.spot(to)?;
        if place.node == Some(node) {
            return Ok(());
        }
        if from_dir.mount != to_dir.mount {
            return refuse(to, "a file cannot be renamed into another file system");
        }
        if is_below(&place.path, &old) {
            return refuse(to, "a directory cannot be moved below itself");
        }
        self.clear(&place, to)?;
        let names: [(NodeId, &[u8]); 2] = [(from_dir.id, &from_name), (to_dir.id, &to_name)];
        self.fs(node.mount)?.rename(names[0], names[1], node.id)
    }
}

/// Refuses an edit that no image can take.
fn check(edit: &Edit) -> Result<()> {
    let meta = match edit {
        Edit::Dir { meta, .. }
        | Edit::File { meta, .. }
        | Edit::Symlink { meta, .. }
        | Edit::Attributes { meta, .. }
        | Edit::Special { meta, .. } => meta,
        _ => return Ok(()),
    };
    if let Some(mode) = meta.mode.filter(|&mode| mode > 0o7777) {
        return refuse(edit.path(), format!("{mode:#o} is no mode; modes have twelve bits"));
    }
    let Edit::Special { path, kind, device, .. } = edit else {
        return Ok(());
    };
    match (kind, device) {
        (Kind::Fifo | Kind::Socket, None) => Ok(()),
        (Kind::CharDevice | Kind::BlockDevice, Some((major, minor)))
            if *major <= MAX_DEVICE.0 && *minor <= MAX_DEVICE.1 =>
        {
            Ok(())
        }
        _ => refuse(
            path,
            "only devices, which have numbers (up to 4095 and 1048575), pipes and sockets are \
             made this way",
        ),
    }
}

/// Sets attributes as the kernel would let one: those of users on files and directories
/// alone.
fn set_xattrs(fs: &mut Fs, id: NodeId, xattrs: &Xattrs) -> Result<()> {
    for (name, value) in xattrs {
        if name.starts_with(b"user.") {
            let kind = fs.attr(id)?.kind;
            if !matches!(kind, Kind::File | Kind::Dir) {
                return refuse(name, "only files and directories have attributes of users");
            }
        }
        fs.set_xattr(id, name, Some(value))?;
    }
    Ok(())
}

/// All occurrences of `from` replaced; nothing if there are none.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Option<Vec<u8>> {
    if from.is_empty() {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        out.extend(&rest[..at]);
        out.extend(to);
        rest = &rest[at + from.len()..];
    }
    if rest.len() == bytes.len() {
        return None;
    }
    out.extend(rest);
    Some(out)
}
