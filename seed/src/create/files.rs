//! The files of a medium: what a seed says, in the shape of a kind.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Value as Json, json};

use super::Seed;
use super::merge::merge;
use crate::medium::Kind;
use crate::yaml::emit::document;
use crate::yaml::tree::{Key, Node, Place, Value};

/// The files of a medium, ready to be written.
#[derive(Debug, Clone)]
pub struct SeedFiles {
    /// The kind, which decides the label.
    pub kind: Kind,
    /// The files, no two at one path.
    pub files: Vec<SeedFile>,
}

/// One file of a medium. Its `Debug` form shows the size, not the content.
#[derive(Clone)]
pub struct SeedFile {
    /// Path on the medium, parts joined by `/`.
    pub path: Cow<'static, str>,
    /// The content.
    pub content: Vec<u8>,
}

impl fmt::Debug for SeedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.path, self.content.len())
    }
}

impl Seed {
    /// The files of a medium of this kind.
    #[must_use]
    pub fn files(&self, kind: Kind) -> SeedFiles {
        let meta_data = match kind {
            Kind::Cidata => document(&self.meta_data(kind)),
            Kind::Config2 => format!("{}\n", json_of(&self.meta_data(kind))),
        };
        let file = |path, content: Vec<u8>| SeedFile { path: Cow::Borrowed(path), content };
        let mut files = vec![
            file(kind.meta_data(), meta_data.into_bytes()),
            file(kind.user_data(), self.user_data.clone()),
        ];
        if let Some(vendor) = &self.vendor_data {
            files.push(match kind {
                Kind::Cidata => file("vendor-data", vendor.clone().into_bytes()),
                // cloud-init takes what stands under this key as its vendor-data.
                Kind::Config2 => {
                    let wrapped = format!("{}\n", json!({"cloud-init": vendor}));
                    file("openstack/latest/vendor_data.json", wrapped.into_bytes())
                }
            });
        }
        if let Some(network) = &self.network {
            files.push(file(network.path, network.content.clone().into_bytes()));
        }
        files.extend(self.more.iter().cloned());
        SeedFiles { kind, files }
    }

    /// The meta-data as a tree, in the words of the kind.
    fn meta_data(&self, kind: Kind) -> Node {
        let [id, hostname, keys] = match kind {
            Kind::Cidata => ["instance-id", "local-hostname", "public-keys"],
            Kind::Config2 => ["uuid", "hostname", "public_keys"],
        };
        let mut entries = vec![(key(id), text(&self.instance_id()))];
        if let Some(name) = &self.hostname {
            entries.push((key(hostname), text(name)));
        }
        if !self.public_keys.is_empty() {
            let lines = self.public_keys.iter().map(|key| text(key.line()));
            let value = match kind {
                Kind::Cidata => Value::List(lines.collect()),
                Kind::Config2 => Value::Map(
                    lines.enumerate().map(|(i, line)| (key(&format!("key-{i}")), line)).collect(),
                ),
            };
            entries.push((key(keys), node(value)));
        }
        let mut tree = node(Value::Map(entries));
        if let Some(more) = &self.meta_data {
            merge(&mut tree, more.clone());
        }
        tree
    }
}

fn place() -> Place {
    Place { file: "meta-data".into(), line: 1, column: 1 }
}

pub(super) fn node(value: Value) -> Node {
    Node { value, at: place() }
}

pub(super) fn key(name: &str) -> Key {
    Key { name: name.to_owned(), at: place() }
}

/// A quoted scalar: no YAML parser takes it for a number.
pub(super) fn text(text: &str) -> Node {
    node(Value::Scalar { text: text.to_owned(), plain: false })
}

/// A tree as JSON, by the rules of YAML 1.2's core schema.
pub(crate) fn json_of(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::List(items) => items.iter().map(json_of).collect(),
        Value::Map(entries) => {
            entries.iter().map(|(key, value)| (key.name.clone(), json_of(value))).collect()
        }
        Value::Scalar { text, plain: true } => match text.as_str() {
            "true" => true.into(),
            "false" => false.into(),
            // What JSON takes for a number as well; `0600` and `+1` it does not.
            text => serde_json::from_str::<serde_json::Number>(text)
                .map_or_else(|_| text.into(), Json::Number),
        },
        Value::Scalar { text, .. } => text.as_str().into(),
    }
}
