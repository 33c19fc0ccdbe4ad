//! Layers: an env that is put together from a default, an environment and a host, each value
//! with the file and line that it comes from.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::key_path::{KeyPath, Step};
use crate::yaml::decode::{DecodeError, unknown};
use crate::yaml::tree::{Key, Node, Place, Value};
use crate::yaml::{self, YamlError};

/// How a layer goes over those below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Merge {
    /// Mappings merge at every level, lists and single values replace, `~` deletes.
    #[default]
    Deep,
    /// Top-level keys replace each other as a whole, as in Ansible's variables.
    Shallow,
}

/// A layer.
#[derive(Debug, Clone)]
pub struct Layer {
    /// What it is: `default`, an environment, a host.
    pub name: String,
    /// What it says.
    pub tree: Node,
}

impl Layer {
    /// Reads a layer from a file that errors call `file`. It needs no `#cloud-config`.
    ///
    /// # Errors
    /// Text that is no YAML mapping, with its place.
    pub fn parse(name: &str, file: &str, bytes: &[u8]) -> Result<Self, DecodeError> {
        let bad = |error: YamlError| DecodeError {
            at: Some(Place { file: file.into(), line: error.line, column: error.column }),
            problem: error.reason,
        };
        let text = yaml::decode(bytes).map_err(bad)?;
        let mut tree = Node::parse(file, text).map_err(|(_, error)| bad(error))?;
        match tree.value {
            Value::Map(_) => {}
            Value::Null => tree.value = Value::Map(Vec::new()),
            ref other => {
                let problem = format!("{}, expected a mapping: this is no layer", other.describe());
                return Err(DecodeError::new(&tree.at, problem));
            }
        }
        Ok(Self { name: name.to_owned(), tree })
    }
}

/// Merges layers, the first one lowest.
#[must_use]
pub fn merge(layers: &[Layer], how: Merge) -> Option<Node> {
    let mut trees = layers.iter().map(|layer| layer.tree.clone());
    let lowest = trees.next()?;
    Some(trees.fold(lowest, |base, over| merge_nodes(base, over, how)))
}

fn merge_nodes(base: Node, over: Node, how: Merge) -> Node {
    let at = over.at;
    let value = match (base.value, over.value) {
        (Value::Map(base), Value::Map(over)) => Value::Map(merge_maps(base, over, how)),
        (_, value) => value,
    };
    Node { value, at }
}

fn merge_maps(base: Vec<(Key, Node)>, over: Vec<(Key, Node)>, how: Merge) -> Vec<(Key, Node)> {
    let mut merged = base;
    for (key, node) in over {
        let index = merged.iter().position(|(known, _)| known.name == key.name);
        match (index, how) {
            (None, _) => merged.push((key, node)),
            (Some(index), Merge::Deep) if node.value == Value::Null => drop(merged.remove(index)),
            (Some(index), Merge::Deep) => {
                let (_, old) = merged.remove(index);
                merged.insert(index, (key, merge_nodes(old, node, how)));
            }
            (Some(index), Merge::Shallow) => {
                if let Some(entry) = merged.get_mut(index) {
                    *entry = (key, node);
                }
            }
        }
    }
    merged
}

/// What one layer says of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The layer's name.
    pub layer: &'a str,
    /// Its value.
    pub node: &'a Node,
    /// Whether it is, or is part of, what comes out.
    pub counts: bool,
}

/// What each layer says of a key, the lowest first.
///
/// # Errors
/// A key that no layer has, with a suggestion.
pub fn explain<'a>(
    layers: &'a [Layer],
    how: Merge,
    path: &KeyPath,
) -> Result<Vec<Origin<'a>>, String> {
    let found: Vec<(usize, &Layer, &Node)> = layers
        .iter()
        .enumerate()
        .filter_map(|(index, layer)| path.of(&layer.tree).map(|node| (index, layer, node)))
        .collect();
    if found.is_empty() {
        return Err(missing(layers, path));
    }
    let merged = merge(layers, how);
    let outcome = merged.as_ref().and_then(|tree| path.of(tree));
    let counts = |node: &Node| outcome.is_some_and(|outcome| takes_part(outcome, node));
    let origin = |(_, layer, node): (usize, &'a Layer, &'a Node)| Origin {
        layer: &layer.name,
        node,
        counts: counts(node),
    };
    Ok(found.into_iter().map(origin).collect())
}

/// Whether a value of a layer, or something in it, is in what came out.
fn takes_part(outcome: &Node, node: &Node) -> bool {
    if outcome.at == node.at {
        return true;
    }
    match (&outcome.value, &node.value) {
        (Value::Map(entries), Value::Map(_)) => entries
            .iter()
            .any(|(key, value)| node.get(&key.name).is_some_and(|node| takes_part(value, node))),
        _ => false,
    }
}

/// The message for a key that is in no layer: how far its path goes, and what is there.
fn missing(layers: &[Layer], path: &KeyPath) -> String {
    let mut above = KeyPath::default();
    for step in &path.0 {
        let next = match step {
            Step::Key(name) => above.key(name),
            Step::Index(index) => above.index(*index),
        };
        if !layers.iter().any(|layer| next.of(&layer.tree).is_some()) {
            let mut names = BTreeSet::new();
            for node in layers.iter().filter_map(|layer| above.of(&layer.tree)) {
                if let Value::Map(entries) = &node.value {
                    names.extend(entries.iter().map(|(key, _)| key.name.as_str()));
                }
            }
            let names: Vec<&str> = names.into_iter().collect();
            return match step {
                Step::Key(name) if !names.is_empty() => unknown("key", name, &names),
                _ => format!("no layer has a value at `{next}`"),
            };
        }
        above = next;
    }
    format!("no layer has a value at `{path}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers() -> Vec<Layer> {
        let layer = |name: &str, text: &str| {
            Layer::parse(name, &format!("{name}.yml"), text.as_bytes()).unwrap()
        };
        vec![
            layer("default", "---\ndb: {host: a, port: 1, list: [1, 2]}\nregion: x\nold: 1\n"),
            layer("prod", "db: {host: b, list: [3]}\nold: ~\n"),
            layer("host", "#cloud-config\nregion: y\n"),
        ]
    }

    fn text(node: &Node, path: &str) -> Option<String> {
        let node = path.parse::<KeyPath>().unwrap().of(node)?;
        node.text().map(|text| format!("{text} {}", node.at))
    }

    #[test]
    fn b68_a_nested_mapping_is_merged_and_not_replaced() {
        let merged = merge(&layers(), Merge::Deep).unwrap();
        assert_eq!(text(&merged, "db.port").unwrap(), "1 default.yml:2:21");
        assert_eq!(text(&merged, "db.host").unwrap(), "b prod.yml:1:12");
        assert_eq!(text(&merged, "db.list[0]").unwrap(), "3 prod.yml:1:22");
        assert_eq!(text(&merged, "region").unwrap(), "y host.yml:2:9");
        assert_eq!((text(&merged, "db.list[1]"), text(&merged, "old")), (None, None));
    }

    #[test]
    fn shallow_is_there_for_those_who_rely_on_it() {
        let merged = merge(&layers(), Merge::Shallow).unwrap();
        assert_eq!(text(&merged, "db.port"), None);
        assert_eq!(text(&merged, "db.host").unwrap(), "b prod.yml:1:12");
        assert_eq!(merged.get("old").unwrap().value, Value::Null);
        assert!(merge(&[], Merge::Deep).is_none());
    }

    #[test]
    fn every_layer_is_explained() {
        let layers = layers();
        let said = |path: &str, how| {
            let origins = explain(&layers, how, &path.parse().unwrap()).unwrap();
            let one = |origin: &Origin<'_>| (origin.layer.to_owned(), origin.counts);
            origins.iter().map(one).collect::<Vec<_>>()
        };
        let pair = |name: &str, counts| (name.to_owned(), counts);
        assert_eq!(said("db.host", Merge::Deep), [pair("default", false), pair("prod", true)]);
        assert_eq!(said("db", Merge::Deep), [pair("default", true), pair("prod", true)]);
        assert_eq!(said("db.port", Merge::Shallow), [pair("default", false)]);
        let error = explain(&layers, Merge::Deep, &"db.prot".parse().unwrap()).unwrap_err();
        assert_eq!(error, "unknown key `prot`; did you mean `port`?");
        assert!(
            explain(&layers, Merge::Deep, &"db.list[9]".parse().unwrap())
                .unwrap_err()
                .contains("db.list[9]")
        );
    }

    #[test]
    fn a_layer_is_a_mapping() {
        assert!(
            Layer::parse("d", "d.yml", b"- a\n").unwrap_err().to_string().contains("d.yml:1:1")
        );
        assert!(Layer::parse("d", "d.yml", b"# nothing\n").is_ok());
    }
}
