//! Paths to a value of an env: `appliance.extra.files[0].path`.
//!
//! A key that holds a dot, a bracket or a quote stands in double quotes: `a."b.c"`.

use std::fmt;
use std::str::FromStr;

use crate::yaml::tree::{Node, Value};

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Into a mapping.
    Key(String),
    /// Into a list, counted from 0.
    Index(usize),
}

/// A path; without steps it is the whole document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct KeyPath(pub Vec<Step>);

/// A text that is no path, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is no key: {problem}; write it like appliance.domain or extra.files[0].path")]
pub struct PathError {
    path: String,
    problem: &'static str,
}

impl KeyPath {
    /// This path with a key added.
    #[must_use]
    pub fn key(&self, name: &str) -> Self {
        self.with(Step::Key(name.to_owned()))
    }

    /// This path with an index added.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// The path without its last step, and that step.
    #[must_use]
    pub fn split_last(&self) -> Option<(Self, &Step)> {
        self.0.split_last().map(|(last, rest)| (Self(rest.to_vec()), last))
    }

    /// Whether `other` is this path or lies below it.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// The value at this path.
    #[must_use]
    pub fn of<'a>(&self, tree: &'a Node) -> Option<&'a Node> {
        self.0.iter().try_fold(tree, |node, step| match (step, &node.value) {
            (Step::Key(name), Value::Map(_)) => node.get(name),
            (Step::Index(index), Value::List(items)) => items.get(*index),
            _ => None,
        })
    }

    /// The name of the last key.
    #[must_use]
    pub fn last_key(&self) -> Option<&str> {
        self.0.iter().rev().find_map(|step| match step {
            Step::Key(name) => Some(name.as_str()),
            Step::Index(_) => None,
        })
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(number) => write!(f, "[{number}]")?,
                Step::Key(name) => {
                    let dot = if index == 0 { "" } else { "." };
                    if name.is_empty() || name.contains(['.', '[', ']', '"']) {
                        write!(f, "{dot}\"{}\"", name.replace('"', "\"\""))?;
                    } else {
                        write!(f, "{dot}{name}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl FromStr for KeyPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let error = |problem| PathError { path: text.to_owned(), problem };
        let mut steps = Vec::new();
        let mut rest = text;
        loop {
            if let Some(quoted) = rest.strip_prefix('"') {
                let (name, after) =
                    unquote(quoted).ok_or_else(|| error("a quote is not closed"))?;
                steps.push(Step::Key(name));
                rest = after;
            } else {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                let (name, after) = rest.split_at(end);
                if name.is_empty() {
                    return Err(error("a name is empty"));
                }
                steps.push(Step::Key(name.to_owned()));
                rest = after;
            }
            while let Some(inner) = rest.strip_prefix('[') {
                let (number, after) =
                    inner.split_once(']').ok_or_else(|| error("a bracket is not closed"))?;
                let number = number.parse().map_err(|_| error("an index is no number"))?;
                steps.push(Step::Index(number));
                rest = after;
            }
            match rest.strip_prefix('.') {
                Some(after) => rest = after,
                None if rest.is_empty() => return Ok(Self(steps)),
                None => return Err(error("a dot is missing")),
            }
        }
    }
}

/// A name up to its closing quote, and what follows it. Two quotes stand for one.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"')?;
        name += before;
        match after.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_as_they_are_read() {
        for text in ["a", "a.b", "a[0]", "a.b[10][2].c", "a.\"b.c\"", "\"say \"\"x\"\"\".b"] {
            let path: KeyPath = text.parse().unwrap();
            assert_eq!(path.to_string(), text);
        }
        for text in ["", ".", "a.", "a..b", "a[", "a[x]", "a[0]b", "\"a", "[0]"] {
            assert!(text.parse::<KeyPath>().is_err(), "{text}");
        }
    }

    #[test]
    fn paths_find_values() {
        let tree = Node::parse("t", "a:\n  - b: 1\n  - c: 2\n").unwrap();
        let at = |text: &str| text.parse::<KeyPath>().unwrap().of(&tree).cloned();
        assert_eq!(at("a[1].c").unwrap().at.to_string(), "t:3:8");
        for missing in ["a[2]", "a.b", "b", "a[0].c", "a[0].b.x"] {
            assert_eq!(at(missing), None, "{missing}");
        }
    }
}
