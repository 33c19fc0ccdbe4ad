//! A model of a tree, changed by the same edits as the real one.

use std::collections::BTreeMap;

use bootwright_rootfs::{Content as New, Edit, Kind, Meta};

use super::look::{Content, Listing, Seen};
use super::{Random, digest};

/// Names and inodes, with the bytes of those files that were made here.
pub struct Model {
    names: BTreeMap<Vec<u8>, usize>,
    inodes: Vec<Seen>,
    bytes: BTreeMap<usize, Vec<u8>>,
    now: i64,
    /// Last second that the file system can hold.
    max_time: i64,
    /// Directory below which everything happens.
    home: Vec<u8>,
    counter: usize,
}

/// `/a/b` of `/a/b/c`.
pub fn parent(path: &[u8]) -> Vec<u8> {
    path[..path.iter().rposition(|&byte| byte == b'/').unwrap()].to_vec()
}

impl Model {
    pub fn new(listing: Listing, now: i64, max_time: i64) -> Self {
        let mut first = BTreeMap::new();
        let mut model = Self {
            names: BTreeMap::new(),
            inodes: Vec::new(),
            bytes: BTreeMap::new(),
            now,
            max_time,
            home: b"/torture".to_vec(),
            counter: 0,
        };
        for (path, seen) in listing {
            let inodes = &mut model.inodes;
            let index = *first.entry(seen.first_name.clone()).or_insert_with(|| {
                inodes.push(seen);
                inodes.len() - 1
            });
            model.names.insert(path, index);
        }
        model
    }

    /// What the tree should hold.
    pub fn listing(&self) -> Listing {
        // The first name in the order of the walk, as `look::kernel` goes.
        let mut order: Vec<_> = self.names.iter().collect();
        order.sort_by_key(|(path, _)| walk_key(path));
        let mut first = BTreeMap::new();
        let mut listing = Listing::new();
        for (path, &index) in order {
            let first_name: &Vec<u8> = first.entry(index).or_insert(path);
            let seen = Seen { first_name: first_name.clone(), ..self.inodes[index].clone() };
            listing.insert(path.clone(), seen);
        }
        listing
    }

    fn is_dir(&self, path: &[u8]) -> bool {
        self.names.get(path).is_some_and(|&index| self.inodes[index].content == Content::Dir)
    }

    fn pick(&self, random: &mut Random, wanted: impl Fn(&Content) -> bool) -> Option<Vec<u8>> {
        let inside = [&self.home[..], b"/"].concat();
        let paths: Vec<_> = self
            .names
            .range(inside.clone()..)
            .take_while(|(path, _)| path.starts_with(&inside))
            .filter(|&(_, &index)| wanted(&self.inodes[index].content))
            .map(|(path, _)| path.clone())
            .collect();
        (!paths.is_empty()).then(|| paths[random.below(paths.len())].clone())
    }

    fn some_dir(&self, random: &mut Random) -> Vec<u8> {
        let dir = self.pick(random, |content| *content == Content::Dir);
        dir.filter(|_| !random.chance(8)).unwrap_or_else(|| self.home.clone())
    }

    fn new_path(&mut self, random: &mut Random) -> Vec<u8> {
        self.counter += 1;
        let name = match random.below(12) {
            0 => format!("{}-{}", self.counter, "x".repeat(200)),
            1 => format!("{} with spaces, ümläuts and \"quotes\"", self.counter),
            _ => format!("f{}", self.counter),
        };
        [&self.some_dir(random)[..], b"/", name.as_bytes()].concat()
    }

    /// A new path, or now and then one that is taken by something that is no directory.
    fn target_path(&mut self, random: &mut Random) -> Vec<u8> {
        let taken = self.pick(random, |content| *content != Content::Dir);
        taken.filter(|_| random.chance(5)).unwrap_or_else(|| self.new_path(random))
    }

    /// The next random edit; it is valid, and already made in the model.
    pub fn next(&mut self, random: &mut Random) -> Edit {
        loop {
            let edit = self.propose(random);
            if let Some(edit) = edit {
                self.apply(&edit);
                return edit;
            }
        }
    }

    fn propose(&mut self, random: &mut Random) -> Option<Edit> {
        let file = |content: &Content| matches!(content, Content::File(_));
        let not_dir = |content: &Content| *content != Content::Dir;
        Some(match random.below(20) {
            0..=1 => Edit::Dir { path: self.new_path(random), meta: meta(random, 0o7777) },
            2..=6 => Edit::File {
                path: self.target_path(random),
                content: New::Bytes(content(random)),
                meta: meta(random, 0o7777),
            },
            7..=8 => {
                let len = [5, 30, 59, 60, 61, 300, 1000][random.below(7)];
                let letter = |b: u8| if b < 9 { b'/' } else { b'a' + b % 26 };
                let target = random.bytes(len).into_iter().map(letter).collect();
                let owner = meta(random, 0o777);
                let meta = Meta { uid: owner.uid, gid: owner.gid, ..Meta::default() };
                Edit::Symlink { path: self.target_path(random), target, meta }
            }
            9 => Edit::HardLink {
                target: self.pick(random, |content| matches!(content, Content::File(_)))?,
                path: self.new_path(random),
            },
            10 => {
                let kinds = [Kind::CharDevice, Kind::BlockDevice, Kind::Fifo, Kind::Socket];
                let kind = kinds[random.below(4)];
                let is_device = matches!(kind, Kind::CharDevice | Kind::BlockDevice);
                let numbers = (random.below(300) as u32, random.below(100_000) as u32);
                let device = is_device.then_some(numbers);
                let mut meta = meta(random, 0o7777);
                meta.xattrs.retain(|(name, _)| !name.starts_with(b"user."));
                Edit::Special { path: self.target_path(random), kind, device, meta }
            }
            11 => Edit::Attributes {
                path: self
                    .pick(random, |content| matches!(content, Content::File(_) | Content::Dir))?,
                meta: meta(random, 0o7777),
            },
            12 => Edit::Rewrite {
                path: self.pick(random, file)?,
                content: New::Bytes(content(random)),
            },
            13 => Edit::Append { path: self.own_file(random)?, text: content(random) },
            14 => self.propose_replace(random)?,
            15..=16 => Edit::Remove { path: self.pick(random, not_dir)? },
            17 => {
                let path = self.pick(random, |content| *content == Content::Dir)?;
                if self.count_below(&path) > 60 {
                    return None;
                }
                Edit::Remove { path }
            }
            18 => self.propose_rename(random)?,
            _ => {
                let path = self.pick(random, |content| !matches!(content, Content::Symlink(_)))?;
                let index = self.names[&path];
                let name = self.inodes[index].xattrs.keys().next()?.clone();
                Edit::RemoveXattr { path, name }
            }
        })
    }

    fn count_below(&self, path: &[u8]) -> usize {
        let inside = [path, b"/"].concat();
        self.names.range(inside.clone()..).take_while(|(p, _)| p.starts_with(&inside)).count()
    }

    /// A file whose bytes are known, and are not too many.
    fn own_file(&self, random: &mut Random) -> Option<Vec<u8>> {
        let path = self.pick(random, |content| matches!(content, Content::File(_)))?;
        self.bytes.get(&self.names[&path]).filter(|bytes| bytes.len() < 1 << 20)?;
        Some(path)
    }

    fn propose_replace(&self, random: &mut Random) -> Option<Edit> {
        let path = self.own_file(random)?;
        let bytes = &self.bytes[&self.names[&path]];
        let at = random.below(bytes.len().checked_sub(4)?.max(1));
        let from = bytes.get(at..at + 4)?.to_vec();
        let len = random.below(9);
        Some(Edit::Replace { path, from, to: random.bytes(len) })
    }

    fn propose_rename(&mut self, random: &mut Random) -> Option<Edit> {
        let from = self.pick(random, |_| true)?;
        let to = match self.is_dir(&from) {
            true => self.new_path(random),
            false => self.target_path(random),
        };
        let below = [&from[..], b"/"].concat();
        (from != to && !to.starts_with(&below)).then_some(Edit::Rename { from, to })
    }

    fn touch(&mut self, path: &[u8]) {
        if let Some(&index) = self.names.get(&parent(path)) {
            self.inodes[index].mtime = self.now;
        }
    }

    fn add(&mut self, path: &[u8], kind: Kind, content: Content, meta: &Meta) -> usize {
        let default_mode = match kind {
            Kind::Dir => 0o755,
            Kind::Symlink => 0o777,
            _ => 0o644,
        };
        self.inodes.push(Seen {
            mode: kind.mode_bits() | meta.mode.unwrap_or(default_mode),
            uid: meta.uid.unwrap_or(0),
            gid: meta.gid.unwrap_or(0),
            mtime: meta.mtime.unwrap_or(self.now).min(self.max_time),
            content,
            first_name: Vec::new(),
            xattrs: meta.xattrs.iter().cloned().collect(),
        });
        self.names.insert(path.to_vec(), self.inodes.len() - 1);
        self.touch(path);
        self.inodes.len() - 1
    }

    fn set_bytes(&mut self, index: usize, bytes: Vec<u8>) {
        self.inodes[index].content = Content::File(digest(&bytes[..]));
        self.bytes.insert(index, bytes);
    }

    fn rewrite(&mut self, path: &[u8], bytes: Vec<u8>) {
        let index = self.names[path];
        self.inodes[index].mtime = self.now;
        self.set_bytes(index, bytes);
    }

    /// Makes an edit in the model.
    pub fn apply(&mut self, edit: &Edit) {
        match edit {
            Edit::Dir { path, meta } => drop(self.add(path, Kind::Dir, Content::Dir, meta)),
            Edit::File { path, content: New::Bytes(bytes), meta } => {
                let index = self.add(path, Kind::File, Content::Dir, meta);
                self.set_bytes(index, bytes.clone());
            }
            Edit::Symlink { path, target, meta } => {
                self.add(path, Kind::Symlink, Content::Symlink(target.clone()), meta);
            }
            Edit::Special { path, kind, device, meta } => {
                let (major, minor) = device.unwrap_or((0, 0));
                self.add(path, *kind, Content::Special(major, minor), meta);
            }
            Edit::HardLink { path, target } => {
                let index = self.names[target];
                self.names.insert(path.clone(), index);
                self.touch(path);
            }
            Edit::Attributes { path, meta } => {
                let index = self.names[path];
                let seen = &mut self.inodes[index];
                seen.mode = seen.mode & !0o7777 | meta.mode.unwrap_or(seen.mode & 0o7777);
                seen.uid = meta.uid.unwrap_or(seen.uid);
                seen.gid = meta.gid.unwrap_or(seen.gid);
                seen.mtime = meta.mtime.unwrap_or(seen.mtime).min(self.max_time);
                seen.xattrs.extend(meta.xattrs.iter().cloned());
            }
            Edit::RemoveXattr { path, name } => {
                let index = self.names[path];
                self.inodes[index].xattrs.remove(name);
            }
            Edit::Rewrite { path, content: New::Bytes(bytes) } => self.rewrite(path, bytes.clone()),
            Edit::Append { path, text } => {
                let bytes = [&self.bytes[&self.names[path]][..], text].concat();
                self.rewrite(path, bytes);
            }
            Edit::Replace { path, from, to } => {
                let bytes = replaced(&self.bytes[&self.names[path]], from, to);
                self.rewrite(path, bytes);
            }
            Edit::Remove { path } => self.remove(path),
            Edit::Rename { from, to } => self.rename(from, to),
            other => panic!("the model does not make {other:?}"),
        }
    }

    fn remove(&mut self, path: &[u8]) {
        let inside = [path, b"/"].concat();
        self.names.retain(|name, _| name != path && !name.starts_with(&inside));
        self.touch(path);
    }

    fn rename(&mut self, from: &[u8], to: &[u8]) {
        if self.names.get(to) == self.names.get(from) {
            return;
        }
        self.names.remove(to);
        let inside = [from, b"/"].concat();
        let moved: Vec<_> = self
            .names
            .iter()
            .filter(|(name, _)| *name == from || name.starts_with(&inside))
            .map(|(name, &index)| (name.clone(), index))
            .collect();
        for (name, index) in moved {
            self.names.remove(&name);
            self.names.insert([to, &name[from.len()..]].concat(), index);
        }
        self.touch(from);
        self.touch(to);
    }
}

/// Sorts as `look::kernel` walks: all names of a directory, then the last subdirectory
/// first.
fn walk_key(path: &[u8]) -> Vec<std::cmp::Reverse<Vec<u8>>> {
    parent(path).split(|&b| b == b'/').map(|part| std::cmp::Reverse(part.to_vec())).collect()
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(from) {
            out.extend(to);
            at += from.len();
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    out
}

fn content(random: &mut Random) -> Vec<u8> {
    let len = match random.below(40) {
        0 => 0,
        1 => 4096,
        2 => 3 << 20,
        3..=10 => random.below(200_000),
        _ => random.below(9000),
    };
    let pattern = random.bytes(97);
    (0..len).map(|at| pattern[at % 97].wrapping_add((at / 97) as u8)).collect()
}

/// An ACL with a named user, in the form of getxattr(2).
fn acl(random: &mut Random) -> Vec<u8> {
    let mut value = 2u32.to_le_bytes().to_vec();
    let named = random.below(100_000) as u32;
    for (tag, perm, id) in [
        (1u16, 6u16, u32::MAX),
        (2, 4, named),
        (4, 4, u32::MAX),
        (0x10, 6, u32::MAX),
        (0x20, 4, u32::MAX),
    ] {
        value.extend(tag.to_le_bytes());
        value.extend(perm.to_le_bytes());
        value.extend(id.to_le_bytes());
    }
    value
}

fn meta(random: &mut Random, mode_bits: usize) -> Meta {
    let mut xattrs = Vec::new();
    if random.chance(6) {
        let len = [1, 40, 200, 700][random.below(4)];
        xattrs.push((b"user.note".to_vec(), random.bytes(len)));
    }
    if random.chance(12) {
        let caps = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        xattrs.push((b"security.capability".to_vec(), caps.to_vec()));
    }
    let mode = random.below(mode_bits + 1) as u32;
    let mut meta = Meta { mode: Some(mode), ..Meta::default() };
    if random.chance(12) {
        // The group bits of the mode are the mask of an ACL.
        meta.mode = Some(0o664);
        xattrs.push((b"system.posix_acl_access".to_vec(), acl(random)));
    }
    if random.chance(2) {
        meta.uid = Some(random.below(5_000_000) as u32);
        meta.gid = Some(random.below(70_000) as u32);
    }
    if random.chance(4) {
        // Not between 2038 and 2106, which ext4-view 1.0 takes for damage.
        meta.mtime = Some([0, 1_500_000_000, 5_000_000_000][random.below(3)]);
    }
    meta.xattrs = xattrs;
    meta
}
