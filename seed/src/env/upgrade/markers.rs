//! Where the secrets of a template end up.

use super::super::key_path::KeyPath;
use super::super::template::marker;
use crate::yaml::tree::{Node, Value};

/// The values of a template that hold secrets, rendered with markers.
pub(super) struct Markers(Vec<(KeyPath, String)>);

impl Markers {
    pub(super) fn of(dry: &Node) -> Self {
        let mut found = Vec::new();
        collect(&KeyPath::default(), dry, &mut found);
        Self(found)
    }

    /// The secrets that are at or below one of the paths.
    pub(super) fn below(&self, paths: &[KeyPath]) -> Vec<usize> {
        let at = self.0.iter().filter(|(path, _)| paths.iter().any(|above| above.contains(path)));
        let mut indices: Vec<usize> =
            at.flat_map(|(_, text)| marker::all(text)).map(|marker| marker.index).collect();
        indices.sort_unstable();
        indices.dedup();
        indices
    }

    /// The values that hold a secret.
    pub(super) fn of_call(&self, index: usize) -> impl Iterator<Item = (&KeyPath, &str)> {
        let holds = move |text: &str| marker::all(text).iter().any(|marker| marker.index == index);
        self.0.iter().filter(move |(_, text)| holds(text)).map(|(path, text)| (path, text.as_str()))
    }

    /// The paths of the values that hold one of these secrets.
    pub(super) fn of_calls(&self, indices: &[usize]) -> Vec<KeyPath> {
        let holds =
            |text: &str| marker::all(text).iter().any(|marker| indices.contains(&marker.index));
        self.0.iter().filter(|(_, text)| holds(text)).map(|(path, _)| path.clone()).collect()
    }

    /// Whether a secret is used in values only, and an env has all of these.
    pub(super) fn all_in(&self, index: usize, env: &Node) -> bool {
        let mut paths = self.of_call(index).map(|(path, _)| path).peekable();
        let has = |path: &KeyPath| path.of(env).is_some_and(|node| node.value != Value::Null);
        paths.peek().is_some() && paths.all(has)
    }

    /// Whether the value at a path is a secret and nothing else.
    pub(super) fn is_secret(&self, path: &KeyPath) -> bool {
        self.0.iter().any(|(known, text)| known == path && marker::exact(text).is_some())
    }
}

fn collect(path: &KeyPath, node: &Node, found: &mut Vec<(KeyPath, String)>) {
    match &node.value {
        Value::Null => {}
        Value::Scalar { text, .. } => {
            if marker::first(text).is_some() {
                found.push((path.clone(), text.clone()));
            }
        }
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(&path.index(index), item, found);
            }
        }
        Value::Map(entries) => {
            for (key, node) in entries {
                collect(&path.key(&key.name), node, found);
            }
        }
    }
}
