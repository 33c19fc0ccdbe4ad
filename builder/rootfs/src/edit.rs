//! The closed set of edits.
//!
//! Paths are absolute paths of the image, as bytes. Symlinks on the way to the last part
//! are followed inside the image; the last part itself is followed only where the edit says
//! so. Missing parent directories are made, 0755 and root's.

use crate::content::Content;
use crate::fs::Xattrs;
use crate::node::Kind;

/// Attributes that an edit gives to what it makes. What is `None` gets a default: owner
/// root, mode 0755 for directories and 0644 for others, the tree's time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Meta {
    /// The twelve permission bits.
    pub mode: Option<u32>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Time of the content, in seconds since 1970.
    pub mtime: Option<i64>,
    /// Extended attributes; ACLs in the form that getxattr(2) gives.
    pub xattrs: Xattrs,
}

/// One change of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Makes a directory. One that is there, or a symlink to one, is kept and gets what
    /// `meta` sets.
    Dir {
        /// Where.
        path: Vec<u8>,
        /// Attributes.
        meta: Meta,
    },
    /// Makes a file, in place of whatever but a directory is there.
    File {
        /// Where.
        path: Vec<u8>,
        /// What it holds.
        content: Content,
        /// Attributes.
        meta: Meta,
    },
    /// Makes a symlink, in place of whatever but a directory is there.
    Symlink {
        /// Where.
        path: Vec<u8>,
        /// What it points to.
        target: Vec<u8>,
        /// Attributes; the mode of a symlink is always 0777.
        meta: Meta,
    },
    /// Gives a file another name, in place of whatever but a directory is there.
    HardLink {
        /// The new name.
        path: Vec<u8>,
        /// The name it has; followed.
        target: Vec<u8>,
    },
    /// Makes a device, pipe or socket, in place of whatever but a directory is there.
    Special {
        /// Where.
        path: Vec<u8>,
        /// Which of these.
        kind: Kind,
        /// Major and minor number, for devices.
        device: Option<(u32, u32)>,
        /// Attributes.
        meta: Meta,
    },
    /// Sets what `meta` sets and leaves the rest. Followed.
    Attributes {
        /// Which file.
        path: Vec<u8>,
        /// New attributes; extended ones are added to those that are there.
        meta: Meta,
    },
    /// Removes an extended attribute, if it is there. Followed.
    RemoveXattr {
        /// Which file.
        path: Vec<u8>,
        /// Name of the attribute, such as `security.capability`.
        name: Vec<u8>,
    },
    /// Gives an existing file new content; its attributes, owner and other names stay.
    /// Followed.
    Rewrite {
        /// Which file.
        path: Vec<u8>,
        /// What it holds from now on.
        content: Content,
    },
    /// Adds text at the end of a file, or makes one with it. Followed.
    Append {
        /// Which file.
        path: Vec<u8>,
        /// What is added.
        text: Vec<u8>,
    },
    /// Replaces every occurrence of a text in a file. That there is none is an error.
    /// Followed.
    Replace {
        /// Which file.
        path: Vec<u8>,
        /// What is looked for.
        from: Vec<u8>,
        /// What takes its place.
        to: Vec<u8>,
    },
    /// Removes a file, or a directory with everything in it. That there is none is fine.
    Remove {
        /// Which.
        path: Vec<u8>,
    },
    /// Moves a file or directory within its file system, in place of whatever but a
    /// directory is there.
    Rename {
        /// The old name.
        from: Vec<u8>,
        /// The new one.
        to: Vec<u8>,
    },
}

impl Edit {
    /// The path that the edit changes, for messages and plans.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        match self {
            Self::Dir { path, .. }
            | Self::File { path, .. }
            | Self::Symlink { path, .. }
            | Self::HardLink { path, .. }
            | Self::Special { path, .. }
            | Self::Attributes { path, .. }
            | Self::RemoveXattr { path, .. }
            | Self::Rewrite { path, .. }
            | Self::Append { path, .. }
            | Self::Replace { path, .. }
            | Self::Remove { path }
            | Self::Rename { from: path, .. } => path,
        }
    }

    /// A file with text and a mode, owned by root: the edit most steps make.
    #[must_use]
    pub fn text(path: &str, text: impl Into<Vec<u8>>, mode: u32) -> Self {
        Self::File {
            path: path.as_bytes().to_vec(),
            content: Content::Bytes(text.into()),
            meta: Meta { mode: Some(mode), ..Meta::default() },
        }
    }

    /// A symlink owned by root.
    #[must_use]
    pub fn symlink(path: &str, target: &str) -> Self {
        Self::Symlink {
            path: path.as_bytes().to_vec(),
            target: target.as_bytes().to_vec(),
            meta: Meta::default(),
        }
    }

    /// A removal.
    #[must_use]
    pub fn remove(path: &str) -> Self {
        Self::Remove { path: path.as_bytes().to_vec() }
    }
}
