//! What a tree holds, as the kernel and ext4-view see it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::digest;

/// Everything that matters about one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Type and permission bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: i64,
    /// Digest of a file, target of a symlink, numbers of a device.
    pub content: Content,
    /// Which name the inode was first seen under: equal for hard links.
    pub first_name: Vec<u8>,
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    File([u8; 32]),
    Dir,
    Symlink(Vec<u8>),
    Special(u32, u32),
}

pub type Listing = BTreeMap<Vec<u8>, Seen>;

/// Lists what the kernel shows at a mount point.
pub fn kernel(root: &Path) -> Listing {
    let mut listing = Listing::new();
    let mut first_names = BTreeMap::new();
    let mut todo = vec![Vec::new()];
    while let Some(dir) = todo.pop() {
        let host = root.join(std::ffi::OsStr::from_bytes(dir.strip_prefix(b"/").unwrap_or(b"")));
        let mut names: Vec<_> = fs::read_dir(host)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_vec())
            .collect();
        names.sort();
        for name in names.into_iter().filter(|name| name != b"lost+found") {
            let path = [&dir[..], b"/", &name].concat();
            let seen = look(root, &path, &mut first_names);
            if seen.content == Content::Dir {
                todo.push(path.clone());
            }
            listing.insert(path, seen);
        }
    }
    listing
}

fn look(root: &Path, path: &[u8], first_names: &mut BTreeMap<u64, Vec<u8>>) -> Seen {
    let host = root.join(std::ffi::OsStr::from_bytes(&path[1..]));
    let stat = fs::symlink_metadata(&host).unwrap();
    let kind = stat.file_type();
    let content = if kind.is_file() {
        Content::File(digest(fs::File::open(&host).unwrap()))
    } else if kind.is_dir() {
        Content::Dir
    } else if kind.is_symlink() {
        Content::Symlink(fs::read_link(&host).unwrap().into_os_string().into_vec())
    } else {
        Content::Special(rustix::fs::major(stat.rdev()), rustix::fs::minor(stat.rdev()))
    };
    let first_name = match content {
        Content::Dir => path.to_vec(),
        _ => first_names.entry(stat.ino()).or_insert_with(|| path.to_vec()).clone(),
    };
    Seen {
        mode: stat.mode(),
        uid: stat.uid(),
        gid: stat.gid(),
        mtime: stat.mtime(),
        content,
        first_name,
        xattrs: xattrs(&host),
    }
}

fn xattrs(host: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut names = vec![0; 65536];
    let len = rustix::fs::llistxattr(host, &mut names).unwrap();
    let names = names[..len].split(|&byte| byte == 0).filter(|name| !name.is_empty());
    names
        .map(|name| {
            let mut value = vec![0; 65536];
            let len = rustix::fs::lgetxattr(host, name, &mut value).unwrap();
            (name.to_vec(), value[..len].to_vec())
        })
        .collect()
}

/// Compares a listing with what ext4-view reads from the same file system. It knows no
/// extended attributes, names no devices, and reads no inodes of 128 bytes.
pub fn agrees_with_ext4_view(image: &Path, listing: &Listing) {
    if super::run("dumpe2fs", &["-h", image.to_str().unwrap()])
        .contains("Inode size:	          128")
    {
        return;
    }
    let fs = ext4_view::Ext4::load_from_path(image).unwrap();
    let mut seen = 0;
    for (path, expected) in listing {
        let path_text = ext4_view::Path::new(path);
        let stat = fs.symlink_metadata(path_text).unwrap();
        let shown = String::from_utf8_lossy(path);
        assert_eq!(u32::from(stat.mode()), expected.mode & 0o7777, "mode of {shown}");
        assert_eq!((stat.uid(), stat.gid()), (expected.uid, expected.gid), "owner of {shown}");
        match &expected.content {
            Content::File(content) => {
                let read = fs.read(path_text).unwrap();
                assert!(digest(&read[..]) == *content, "content of {shown}");
            }
            Content::Symlink(target) => {
                assert!(fs.read_link(path_text).unwrap().as_ref() == &target[..], "{shown}");
            }
            Content::Dir => seen += known_names(&fs, path, listing),
            Content::Special(..) => {}
        }
    }
    seen += known_names(&fs, b"", listing);
    assert_eq!(seen, listing.len(), "the kernel sees names that ext4-view does not");
}

/// Whether a file system has inodes of 128 bytes.
pub fn has_small_inodes(image: &Path) -> bool {
    let text = super::run("dumpe2fs", &["-h", image.to_str().unwrap()]);
    let size = text.lines().find_map(|line| line.strip_prefix("Inode size:")).unwrap();
    size.trim() == "128"
}

/// Number of names in a directory, all of which must be in the listing.
fn known_names(fs: &ext4_view::Ext4, dir: &[u8], listing: &Listing) -> usize {
    let usual: [&[u8]; 3] = [b".", b"..", b"lost+found"];
    let mut count = 0;
    let path = if dir.is_empty() { b"/" } else { dir };
    for entry in fs.read_dir(ext4_view::Path::new(path)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if !usual.contains(&name.as_ref()) {
            let path = [dir, b"/", name.as_ref()].concat();
            assert!(listing.contains_key(&path), "only ext4-view sees {}", name.display());
            count += 1;
        }
    }
    count
}
