//! Adds keys to mappings.

use super::super::emit;
use super::super::tree::{Key, Node, Value};
use super::extent::Lines;
use super::{EditError, Editor, index};
use crate::env::key_path::{KeyPath, Step};

/// What is added under a key: a value, and its lines if it comes with some.
#[derive(Clone)]
pub struct Block {
    value: Node,
    /// Lines with the key and the comments above it, and the indent of the key in them.
    written: Option<(String, usize)>,
}

impl Block {
    /// A value that is written anew.
    #[must_use]
    pub fn of_value(value: &Node) -> Self {
        Self { value: value.clone(), written: None }
    }

    /// The value at a path of another text, with its lines and the comments above it.
    #[must_use]
    pub fn of_text(text: &str, tree: &Node, path: &KeyPath) -> Option<Self> {
        let value = path.of(tree)?.clone();
        let (parent, last) = path.split_last()?;
        let parent = parent.of(tree)?;
        let lines = Lines::new(text);
        let (Step::Key(name), Value::Map(entries)) = (last, &parent.value) else {
            return Some(Self { value, written: None });
        };
        let (key, node) = entries.iter().find(|(key, _)| key.name == *name)?;
        let (line, column) = (index(key.at.line), index(key.at.column));
        if lines.indent(line) != Some(column) {
            return Some(Self { value, written: None });
        }
        let mut first = line;
        let above = |line: usize| lines.is_comment(line) && lines.indent(line) == Some(column);
        // The header is no comment of the first key.
        while first > 1 && above(first - 1) {
            first -= 1;
        }
        let last = lines.last_of_entry(line, column, node);
        let written = (first..=last).map(|line| lines.get(line)).collect();
        Some(Self { value, written: Some((written, column)) })
    }

    /// The lines, with the key at another indent.
    fn lines(&self, name: &str, indent: usize) -> String {
        let Some((written, column)) = &self.written else {
            return format!(
                "{:indent$}{}:{}",
                "",
                emit::scalar(name),
                emit::value(&self.value, indent)
            );
        };
        let mut out = String::new();
        for line in written.split_inclusive('\n') {
            let text = line.trim_end_matches(['\n', '\r']);
            let blanks = text.len() - text.trim_start_matches(' ').len();
            if !text.trim().is_empty() {
                out += &" ".repeat((blanks + indent).saturating_sub(*column));
                out += text.trim_start_matches(' ');
            }
            out.push('\n');
        }
        out
    }

    /// This block below further keys.
    fn below(&self, names: &[&str]) -> Node {
        let at = &self.value.at;
        names.iter().rev().fold(self.value.clone(), |value, name| {
            let key = Key { name: (*name).to_owned(), at: at.clone() };
            Node { value: Value::Map(vec![(key, value)]), at: at.clone() }
        })
    }
}

impl Editor {
    /// Adds a key that is not there, with the mappings on the way to it.
    ///
    /// # Errors
    /// See [`EditError`].
    pub fn insert(&mut self, path: &KeyPath, block: &Block) -> Result<(), EditError> {
        let mut parent = path.clone();
        let mut missing = Vec::new();
        while parent.of(&self.tree).is_none() || missing.is_empty() {
            match parent.0.pop() {
                Some(Step::Key(name)) => missing.insert(0, name),
                Some(Step::Index(_)) | None => {
                    return Err(self.error(path, "there is no such entry in the list"));
                }
            }
        }
        let names: Vec<&str> = missing.iter().map(String::as_str).collect();
        let Some((first, below)) = names.split_first() else {
            return Err(self.error(path, "it is there already"));
        };
        let whole = block.below(below);
        let block = if below.is_empty() { block.clone() } else { Block::of_value(&whole) };
        let target = parent.key(first);
        let text = self.with_entry(&parent, first, &block);
        let text = text.ok_or_else(|| self.error(path, "what it belongs to is no mapping"))?;
        self.accept(&target, text, &whole)
    }

    /// The text with an entry added to the mapping at `parent`.
    fn with_entry(&self, parent: &KeyPath, name: &str, block: &Block) -> Option<String> {
        let lines = Lines::new(&self.text);
        let node = parent.of(&self.tree)?;
        let (line, indent) = match &node.value {
            Value::Map(_) if lines.is_flow(node) => return flow_entry(&lines, node, name, block),
            Value::Map(entries) => {
                let last = entries.iter().map(|(key, node)| {
                    lines.last_of_entry(index(key.at.line), index(key.at.column), node)
                });
                let column = entries.first().map(|(key, _)| index(key.at.column));
                (last.max()?, column?)
            }
            Value::Null if parent.0.is_empty() => (lines.len().checked_sub(1)?, 0),
            Value::Null => {
                let (line, column, _) = self.entry(parent)?;
                (line, column + self.step())
            }
            _ => return None,
        };
        let before: String = (0..=line).map(|line| lines.get(line)).collect();
        let after: String = (line + 1..lines.len()).map(|line| lines.get(line)).collect();
        let end = if before.ends_with('\n') { "" } else { "\n" };
        let mut added = block.lines(name, indent);
        if self.text.contains("\r\n") {
            added = added.replace('\n', "\r\n");
        }
        Some(format!("{before}{end}{added}{after}"))
    }

    /// By how much this text indents.
    fn step(&self) -> usize {
        let Value::Map(entries) = &self.tree.value else {
            return 2;
        };
        let inner = entries.iter().find_map(|(_, node)| match &node.value {
            Value::Map(entries) => entries.first().map(|(key, _)| index(key.at.column)),
            _ => None,
        });
        inner.filter(|step| (1..=8).contains(step)).unwrap_or(2)
    }
}

/// The text with an entry added to a mapping in braces.
fn flow_entry(lines: &Lines<'_>, node: &Node, name: &str, block: &Block) -> Option<String> {
    let Value::Map(entries) = &node.value else {
        return None;
    };
    let (line, end) = lines.end_inline(node)?;
    let text = lines.get(line);
    let (inside, rest) = (text.get(..end - 1)?.trim_end(), text.get(end..)?);
    let comma = if entries.is_empty() || inside.ends_with(',') { "" } else { ", " };
    let before: String = (0..line).map(|line| lines.get(line)).collect();
    let after: String = (line + 1..lines.len()).map(|line| lines.get(line)).collect();
    let value = emit::flow(&block.value);
    Some(format!("{before}{inside}{comma}{}: {value}}}{rest}{after}", emit::scalar(name)))
}
