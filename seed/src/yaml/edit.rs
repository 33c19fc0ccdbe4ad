//! Edits of a YAML text that leave everything else as it is: comments, order, quotes.
//!
//! An edit works on lines and is proven afterwards: the text is parsed again, and unless it
//! says what was meant and nothing else changed, the edit is refused and the text stays.

mod extent;
mod insert;

use std::fmt;

use super::emit;
use super::tree::{Node, Value};
use crate::env::key_path::{KeyPath, Step};

use extent::Lines;
pub use insert::Block;

/// A YAML text under edit.
#[derive(Clone)]
pub struct Editor {
    file: String,
    text: String,
    tree: Node,
}

/// An edit that is not possible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{file}:{line}: `{path}` cannot be changed here automatically: {problem}; change it by hand"
)]
pub struct EditError {
    /// The file.
    pub file: String,
    /// The line.
    pub line: u64,
    /// What was to be changed.
    pub path: KeyPath,
    /// Why not.
    pub problem: &'static str,
}

/// Shows no content.
impl fmt::Debug for Editor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Editor").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Editor {
    /// Starts to edit a text and its tree.
    #[must_use]
    pub fn new(file: &str, text: &str, tree: &Node) -> Self {
        Self { file: file.to_owned(), text: text.to_owned(), tree: tree.clone() }
    }

    /// The text as it is now.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The tree as it is now.
    #[must_use]
    pub fn tree(&self) -> &Node {
        &self.tree
    }

    /// Sets the value at a path, which is made if it is not there.
    ///
    /// # Errors
    /// See [`EditError`].
    pub fn set(&mut self, path: &KeyPath, value: &Node) -> Result<(), EditError> {
        match path.of(&self.tree) {
            Some(old) if same(old, value) => Ok(()),
            Some(_) => self.replace(path, value),
            None => self.insert(path, &Block::of_value(value)),
        }
    }

    /// Replaces the value at a path that is there.
    fn replace(&mut self, path: &KeyPath, value: &Node) -> Result<(), EditError> {
        let lines = Lines::new(&self.text);
        let replaced = match self.entry(path) {
            Some((key_line, key_column, old)) if lines.starts_line(key_line, key_column) => {
                lines.replace_entry(key_line, key_column, old, value)
            }
            _ => match path.of(&self.tree) {
                Some(old) if old.text().is_some() => lines.replace_inline(old, &emit::flow(value)),
                _ => None,
            },
        };
        let text = replaced
            .ok_or_else(|| self.error(path, "it is written in a form that is not understood"))?;
        self.accept(path, text, value)
    }

    /// Line and column (both from 0) of the key at a path, and its value.
    fn entry(&self, path: &KeyPath) -> Option<(usize, usize, &Node)> {
        let (parent, last) = path.split_last()?;
        let (Step::Key(name), Value::Map(entries)) = (last, &parent.of(&self.tree)?.value) else {
            return None;
        };
        let (key, node) = entries.iter().find(|(key, _)| key.name == *name)?;
        Some((index(key.at.line), index(key.at.column), node))
    }

    /// Takes a changed text if it holds `value` at `path` and is as before everywhere else.
    fn accept(&mut self, path: &KeyPath, text: String, value: &Node) -> Result<(), EditError> {
        let Ok(tree) = Node::parse(&self.file, &text) else {
            return Err(self.error(path, "the result would not be YAML"));
        };
        let proven = path.of(&tree).is_some_and(|found| same(found, value))
            && same_but(&KeyPath::default(), &self.tree, &tree, path);
        if !proven {
            return Err(self.error(path, "the result would say something else"));
        }
        self.text = text;
        self.tree = tree;
        Ok(())
    }

    fn error(&self, path: &KeyPath, problem: &'static str) -> EditError {
        let mut known = path.clone();
        while known.of(&self.tree).is_none() && known.0.pop().is_some() {}
        let line = known.of(&self.tree).map_or(1, |node| node.at.line);
        EditError { file: self.file.clone(), line, path: path.clone(), problem }
    }
}

/// A position counted from 1 as one counted from 0.
fn index(position: u64) -> usize {
    usize::try_from(position.saturating_sub(1)).unwrap_or(usize::MAX)
}

/// Whether two trees say the same, wherever they stand and however they are written.
#[must_use]
pub fn same(a: &Node, b: &Node) -> bool {
    match (&a.value, &b.value) {
        (Value::Null, Value::Null) => true,
        (Value::Scalar { text: a, .. }, Value::Scalar { text: b, .. }) => a == b,
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Map(a), Value::Map(b)) => {
            let has = |(key, node): &(super::tree::Key, Node)| {
                b.iter().any(|(other, value)| other.name == key.name && same(node, value))
            };
            a.len() == b.len() && a.iter().all(has)
        }
        _ => false,
    }
}

/// Whether `new` is `old` but for what is at or below `path`, and for the keys on the way there.
fn same_but(here: &KeyPath, old: &Node, new: &Node, path: &KeyPath) -> bool {
    if here == path {
        return true;
    }
    if !here.contains(path) {
        return same(old, new);
    }
    match (&old.value, &new.value) {
        (Value::Map(old), Value::Map(new)) => {
            let on_the_way = |name: &str| here.key(name).contains(path);
            let added = new.iter().all(|(key, _)| {
                old.iter().any(|(known, _)| known.name == key.name) || on_the_way(&key.name)
            });
            added
                && old.iter().all(|(key, value)| {
                    let found = new.iter().find(|(known, _)| known.name == key.name);
                    found.is_some_and(|(_, new)| same_but(&here.key(&key.name), value, new, path))
                })
        }
        (Value::List(old), Value::List(new)) => {
            let mut pairs = old.iter().zip(new).enumerate();
            old.len() == new.len()
                && pairs.all(|(i, (old, new))| same_but(&here.index(i), old, new, path))
        }
        // A key without a value becomes a mapping.
        (Value::Null, Value::Map(_)) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
