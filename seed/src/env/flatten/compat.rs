//! flatyaml's own rules, oddities included, for scripts that were written against it.
//!
//! What differs from the strict rules: YAML 1.1 types, values stripped of white space and
//! quoted only if they are text, an index `_LEN` after a doubled separator below a list at the
//! top, a separator after the name of a value at the top, the later of two equal names, keys
//! that are missing reported and passed over, and no check of names.

use std::collections::BTreeMap;

use crate::yaml::tree::{Node, Value};

use super::{FlattenError, yaml11};

/// How a line is put together.
#[derive(Debug, Clone)]
pub struct Style {
    /// In front of every name.
    pub prefix: String,
    /// At the end of every line.
    pub postfix: String,
    /// Between the parts of a name.
    pub combine: String,
    /// Between name and value.
    pub assign: String,
}

impl Default for Style {
    fn default() -> Self {
        let text = |text: &str| text.to_owned();
        Self {
            prefix: String::new(),
            postfix: String::new(),
            combine: text("_"),
            assign: text("="),
        }
    }
}

/// What flattening gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    /// The lines.
    pub text: String,
    /// Keys that the document does not have.
    pub missing: Vec<String>,
}

/// Flattens the trees below `keys`; `.` is the whole document.
///
/// # Errors
/// What made the original end with an error: keys that are no text, a document that is no
/// mapping.
pub fn flatten(tree: &Node, keys: &[&str], style: &Style) -> Result<Lines, FlattenError> {
    let mut lines = Lines { text: String::new(), missing: Vec::new() };
    for &key in keys {
        let (node, start) = match key {
            "." => (tree, String::new()),
            _ => match top(tree, key)? {
                Some(node) => (node, key.to_uppercase() + &style.combine),
                None => {
                    lines.missing.push(key.to_owned());
                    continue;
                }
            },
        };
        let mut names = BTreeMap::new();
        collect(node, &mut Vec::new(), style, &mut names)?;
        // Two names that differ in case alone are two lines, as they were there.
        for (name, value) in names {
            lines.text += &style.prefix;
            lines.text += &(start.clone() + &name.to_uppercase());
            lines.text += &style.assign;
            lines.text += &value;
            lines.text += &style.postfix;
            lines.text.push('\n');
        }
    }
    Ok(lines)
}

fn top<'a>(tree: &'a Node, key: &str) -> Result<Option<&'a Node>, FlattenError> {
    match &tree.value {
        Value::Map(_) => Ok(tree.get(key)),
        other => Err(FlattenError::NoMapping { at: tree.at.clone(), found: other.describe() }),
    }
}

fn collect(
    node: &Node,
    path: &mut Vec<String>,
    style: &Style,
    names: &mut BTreeMap<String, String>,
) -> Result<(), FlattenError> {
    let mut child = |part: String, node: &Node| {
        path.push(part);
        let done = collect(node, path, style, names);
        path.pop();
        done
    };
    match &node.value {
        Value::Map(entries) => {
            for (key, value) in entries {
                // Keys are joined as text there; a number is none.
                if !matches!(yaml11::python_text(&key.name), Ok(None)) {
                    return Err(FlattenError::KeyNotText { at: key.at.clone() });
                }
                child(key.name.clone(), value)?;
            }
        }
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                child(index.to_string(), item)?;
            }
            path.push("len".to_owned());
            // A list at the top of a selected key has no name of its own to join to.
            let at_top = path.len() == 1;
            let name =
                if at_top { format!("{}len", style.combine) } else { path.join(&style.combine) };
            path.pop();
            names.insert(name, items.len().to_string());
        }
        Value::Null => {
            names.insert(path.join(&style.combine), String::new());
        }
        Value::Scalar { text, plain } => {
            names.insert(path.join(&style.combine), scalar(node, text, *plain)?);
        }
    }
    Ok(())
}

fn scalar(node: &Node, text: &str, plain: bool) -> Result<String, FlattenError> {
    let typed = if plain { yaml11::python_text(text) } else { Ok(None) };
    match typed {
        Ok(Some(typed)) => Ok(typed),
        Ok(None) => Ok(quote(text.trim_matches(python_space))),
        Err(problem) => Err(FlattenError::Value { at: node.at.clone(), problem }),
    }
}

/// What Python's `strip` removes and Rust's notion of white space lacks: four separators.
fn python_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// Python's `shlex.quote`.
fn quote(text: &str) -> String {
    let bare = |b: u8| b.is_ascii_alphanumeric() || b"@%+=:,./-_".contains(&b);
    if !text.is_empty() && text.bytes().all(bare) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\"'\"'"))
}
