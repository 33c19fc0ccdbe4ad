//! YAML as a tree that remembers where everything stands.
//!
//! For documents that people write and programs merge: a profile and those it extends, an
//! env and its layers. Scalars keep the text they were written with, so that a version
//! `2.10` stays one and is no number.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::YamlError;

/// Where something stands.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as errors are to name it.
    pub file: Arc<str>,
    /// Line, counted from 1.
    pub line: u64,
    /// Column in characters, counted from 1.
    pub column: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Where it stands.
    pub at: Place,
}

/// The kinds of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// Text, with or without quotes.
    Scalar {
        /// The text, quotes and escapes resolved.
        text: String,
        /// Whether it was written without quotes, so that it may be a number or a truth.
        plain: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order written; no key stands twice.
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its text.
    pub name: String,
    /// Where it stands.
    pub at: Place,
}

impl Value {
    /// What it is, for messages.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Scalar { .. } => "a single value",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

impl Node {
    /// Parses a document that errors call `file`.
    ///
    /// # Errors
    /// Whatever is no YAML, with its place.
    pub fn parse(file: &str, text: &str) -> Result<Self, (Arc<str>, YamlError)> {
        let file: Arc<str> = file.into();
        match super::parse::<Spanned<Raw>>(text) {
            Ok(raw) => Ok(Reader { file, text }.node(raw)),
            Err(error) => Err((file, error)),
        }
    }

    /// The value of a key, if this is a mapping that has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => {
                entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
            }
            _ => None,
        }
    }

    /// The text of a single value, quoted or not.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Takes a key with its value out of a mapping.
    pub fn take(&mut self, name: &str) -> Option<Self> {
        let Value::Map(entries) = &mut self.value else {
            return None;
        };
        let index = entries.iter().position(|(key, _)| key.name == name)?;
        Some(entries.remove(index).1)
    }
}

/// What the library makes of a value, before its text is looked up.
enum Raw {
    Null,
    Text(String),
    /// A plain scalar that the library takes for a number or a truth.
    Typed,
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<RawKey>, Spanned<Raw>)>),
}

/// A key; numbers and truths keep the text they were written with too.
struct RawKey(Option<String>);

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

impl<'de> Deserialize<'de> for RawKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Raw::deserialize(deserializer)? {
            Raw::Text(text) => Ok(Self(Some(text))),
            Raw::Typed | Raw::Null => Ok(Self(None)),
            Raw::List(_) | Raw::Map(_) => {
                Err(serde::de::Error::custom("a key is a list or a mapping; expected text"))
            }
        }
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

/// Gives raw values their text and place.
struct Reader<'a> {
    file: Arc<str>,
    text: &'a str,
}

impl Reader<'_> {
    fn place<T>(&self, spanned: &Spanned<T>) -> Place {
        let at = spanned.referenced;
        Place { file: Arc::clone(&self.file), line: at.line(), column: at.column() }
    }

    /// The text of a scalar as it was written; that of an alias where it is defined.
    fn written<T>(&self, spanned: &Spanned<T>) -> &str {
        let span = spanned.defined.span();
        let range = span.byte_offset().zip(span.byte_len());
        let slice = range.and_then(|(start, len)| {
            let (start, len) = (usize::try_from(start).ok()?, usize::try_from(len).ok()?);
            self.text.get(start..start.checked_add(len)?)
        });
        slice.unwrap_or_default().trim()
    }

    fn node(&self, raw: Spanned<Raw>) -> Node {
        let at = self.place(&raw);
        let written = self.written(&raw).to_owned();
        let value = match raw.value {
            Raw::Null => Value::Null,
            Raw::Typed => Value::Scalar { text: written, plain: true },
            Raw::Text(text) => {
                let plain = written == text;
                Value::Scalar { text, plain }
            }
            Raw::List(items) => {
                Value::List(items.into_iter().map(|item| self.node(item)).collect())
            }
            Raw::Map(entries) => {
                let entries =
                    entries.into_iter().map(|(key, node)| (self.key(key), self.node(node)));
                Value::Map(entries.collect())
            }
        };
        Node { value, at }
    }

    fn key(&self, key: Spanned<RawKey>) -> Key {
        let at = self.place(&key);
        let written = self.written(&key).to_owned();
        Key { name: key.value.0.unwrap_or(written), at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Node {
        Node::parse("p.yml", text).unwrap()
    }

    fn text(node: &Node, key: &str) -> (String, bool) {
        match &node.get(key).unwrap().value {
            Value::Scalar { text, plain } => (text.clone(), *plain),
            other => panic!("{key}: {other:?}"),
        }
    }

    #[test]
    fn scalars_keep_their_text() {
        let node = parse(
            "version: 2.10 # comment\nmode: 0440\nyes: no\nhex: 0x1F\nbig: 20GiB\n\
             time: 06:30\nquoted: \"a\\nb\"\nblock: |\n  x: y\n  z\nsingle: '1'\n",
        );
        assert_eq!(text(&node, "version"), ("2.10".into(), true));
        assert_eq!(text(&node, "mode"), ("0440".into(), true));
        assert_eq!(text(&node, "yes"), ("no".into(), true));
        assert_eq!(text(&node, "hex"), ("0x1F".into(), true));
        assert_eq!(text(&node, "big"), ("20GiB".into(), true));
        assert_eq!(text(&node, "time"), ("06:30".into(), true));
        assert_eq!(text(&node, "quoted"), ("a\nb".into(), false));
        assert_eq!(text(&node, "block"), ("x: y\nz\n".into(), false));
        assert_eq!(text(&node, "single"), ("1".into(), false));
    }

    #[test]
    fn everything_has_a_place() {
        let node = parse("a:\n  - b\n  - {c: d}\n");
        let Value::List(items) = &node.get("a").unwrap().value else { panic!() };
        assert_eq!(items[0].at.to_string(), "p.yml:2:5");
        assert_eq!(items[1].get("c").unwrap().at.to_string(), "p.yml:3:9");
        let Value::Map(entries) = &node.value else { panic!() };
        assert_eq!(entries[0].0.at.to_string(), "p.yml:1:1");
    }

    #[test]
    fn anchors_aliases_and_merge_keys_work() {
        let node = parse("base: &b\n  v: 1.50\n  w: 2\nmore:\n  <<: *b\n  w: 3\nalias: *b\n");
        assert_eq!(text(node.get("more").unwrap(), "v"), ("1.50".into(), true));
        assert_eq!(text(node.get("more").unwrap(), "w"), ("3".into(), true));
        assert_eq!(text(node.get("alias").unwrap(), "v"), ("1.50".into(), true));
    }

    #[test]
    fn nothing_is_null_and_errors_have_a_place() {
        let node = parse("a: ~\nb:\nc: null\nd: ''\n");
        for key in ["a", "b", "c"] {
            assert_eq!(node.get(key).unwrap().value, Value::Null);
        }
        assert_eq!(text(&node, "d"), (String::new(), false));
        let (file, error) = Node::parse("p.yml", "a: 1\na: 2\n").unwrap_err();
        assert_eq!((&*file, error.line, error.column), ("p.yml", 2, 1));
        assert_eq!(parse("").value, Value::Null);
    }
}
