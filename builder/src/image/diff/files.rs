//! Which files of two images differ. Both trees are walked side by side, by name.

use anyhow::{Context, Result, ensure};
use bootwright_rootfs::{Found, Kind, Tree, Xattrs};
use serde::Serialize;

use crate::interrupt;

/// Bytes of two files compared at once.
const PIECE: usize = 1 << 20;

/// The differences of two trees.
#[derive(Debug, Default, Serialize)]
pub struct FileDiff {
    pub changes: Vec<Change>,
}

/// One file that differs.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum Change {
    /// Only the second image has it.
    Added { path: String },
    /// Only the first image has it.
    Removed { path: String },
    /// Both have it.
    Changed { path: String, fields: Vec<Field> },
}

/// What differs of a file.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    pub field: &'static str,
    /// What it is in either image; nothing for content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<(String, String)>,
}

/// The trees that are compared.
struct Walk<'a> {
    a: &'a mut Tree,
    b: &'a mut Tree,
    changes: Vec<Change>,
}

/// Compares two trees.
///
/// # Errors
/// What reading them says.
pub fn files(a: &mut Tree, b: &mut Tree) -> Result<FileDiff> {
    let root = |tree: &mut Tree| tree.look(b"/", true)?.context("there is no root directory");
    let roots = (root(a)?, root(b)?);
    let mut walk = Walk { a, b, changes: Vec::new() };
    walk.compare(&roots.0, &roots.1)?;
    let mut todo = vec![roots];
    // Directories deeper down come first, so that the list is sorted by path in the end.
    while let Some((a, b)) = todo.pop() {
        ensure!(!interrupt::is_set(), "interrupted");
        let (mut old, mut new) = (
            walk.a.children(&a)?.into_iter().peekable(),
            walk.b.children(&b)?.into_iter().peekable(),
        );
        let mut below = Vec::new();
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => break,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(old), Some(new)) => old.name().cmp(new.name()),
            };
            let first = if order.is_le() { old.next() } else { None };
            let second = if order.is_ge() { new.next() } else { None };
            below.extend(walk.pair(first, second)?);
        }
        todo.extend(below.into_iter().rev());
    }
    let mut changes = walk.changes;
    changes.sort_by(|a, b| a.path().cmp(b.path()));
    Ok(FileDiff { changes })
}

impl Change {
    /// The path of the file.
    pub fn path(&self) -> &str {
        match self {
            Self::Added { path } | Self::Removed { path } | Self::Changed { path, .. } => path,
        }
    }
}

fn text(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

impl Walk<'_> {
    /// Compares files of one name; gives the directories to compare next.
    fn pair(&mut self, a: Option<Found>, b: Option<Found>) -> Result<Option<(Found, Found)>> {
        match (a, b) {
            (Some(a), Some(b)) => {
                self.compare(&a, &b)?;
                if a.attr.kind == Kind::Dir && b.attr.kind == Kind::Dir {
                    return Ok(Some((a, b)));
                }
                // What was below a directory that is none any more is gone, and vice versa.
                self.only_below(&a, true)?;
                self.only_below(&b, false)?;
            }
            (Some(a), None) => {
                self.changes.push(Change::Removed { path: text(&a.path) });
                self.only_below(&a, true)?;
            }
            (None, Some(b)) => {
                self.changes.push(Change::Added { path: text(&b.path) });
                self.only_below(&b, false)?;
            }
            (None, None) => {}
        }
        Ok(None)
    }

    /// Lists what is below a directory that only one image has.
    fn only_below(&mut self, dir: &Found, is_first: bool) -> Result<()> {
        let mut todo = vec![dir.clone()];
        while let Some(dir) = todo.pop() {
            let tree = if is_first { &mut *self.a } else { &mut *self.b };
            for file in tree.children(&dir)? {
                let path = text(&file.path);
                self.changes.push(match is_first {
                    true => Change::Removed { path },
                    false => Change::Added { path },
                });
                todo.push(file);
            }
        }
        Ok(())
    }

    fn compare(&mut self, a: &Found, b: &Found) -> Result<()> {
        let mut fields = Vec::new();
        let mut field = |name, old: String, new: String| {
            if old != new {
                fields.push(Field { field: name, values: Some((old, new)) });
            }
        };
        let kind = |file: &Found| file.attr.kind.name().to_owned();
        field("kind", kind(a), kind(b));
        field("mode", format!("{:04o}", a.attr.mode), format!("{:04o}", b.attr.mode));
        let owner = |file: &Found| format!("{}:{}", file.attr.uid, file.attr.gid);
        field("owner", owner(a), owner(b));
        let device = |file: &Found| match file.attr.device {
            Some((major, minor)) => format!("{major}:{minor}"),
            None => String::new(),
        };
        field("device", device(a), device(b));
        field("target", text(&self.a.target_of(a)?), text(&self.b.target_of(b)?));
        let (old, new) = (self.a.xattrs_of(a)?, self.b.xattrs_of(b)?);
        if sorted(&old) != sorted(&new) {
            field("xattr", show_xattrs(&old), show_xattrs(&new));
        }
        if a.attr.kind == Kind::File && b.attr.kind == Kind::File && !self.same_content(a, b)? {
            fields.push(Field { field: "content", values: None });
        }
        if !fields.is_empty() {
            self.changes.push(Change::Changed { path: text(&a.path), fields });
        }
        Ok(())
    }

    fn same_content(&mut self, a: &Found, b: &Found) -> Result<bool> {
        if a.attr.size != b.attr.size {
            return Ok(false);
        }
        let len = PIECE.min(a.attr.size.min(PIECE as u64) as usize);
        let (mut first, mut second) = (vec![0; len], vec![0; len]);
        let mut at = 0;
        while at < a.attr.size {
            let read = self.a.read_at(a, at, &mut first)?;
            let other = self.b.read_at(b, at, &mut second)?;
            if first[..read] != second[..other] {
                return Ok(false);
            }
            if read == 0 {
                break;
            }
            at += read as u64;
        }
        Ok(true)
    }
}

fn sorted(xattrs: &Xattrs) -> Vec<&(Vec<u8>, Vec<u8>)> {
    let mut sorted: Vec<_> = xattrs.iter().collect();
    sorted.sort();
    sorted
}

/// Attributes with their values in hexadecimal.
fn show_xattrs(xattrs: &Xattrs) -> String {
    let one = |(name, value): &&(Vec<u8>, Vec<u8>)| {
        let digits: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}=0x{digits}", text(name))
    };
    sorted(xattrs).iter().map(one).collect::<Vec<_>>().join(" ")
}
