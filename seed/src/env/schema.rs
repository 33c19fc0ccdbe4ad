//! The schema of an env: which keys there are and what may stand under them.
//!
//! A YAML file itself, read strictly; docs/env.md explains every key of it.

mod decode;

use regex_lite::Regex;
use serde::Deserialize;

use super::format::Format;
use super::key_path::{KeyPath, Step};
use crate::yaml::decode::DecodeError;
use crate::yaml::tree::{Node, Place};
use crate::yaml::{self, YamlError};

pub use decode::Keys;

/// A schema.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// What the env is for, in a sentence.
    #[serde(default)]
    pub help: Option<String>,
    /// The key that binds an env to its domain, such as `appliance.domain`.
    #[serde(default)]
    pub domain: Option<KeyPath>,
    /// Whether cloud-init's own top-level keys may stand beside these.
    #[serde(default)]
    pub cloud_init: bool,
    /// Texts that somebody still has to replace, beside those that are known anyway.
    #[serde(default)]
    pub placeholders: Vec<Pattern>,
    /// The top-level keys.
    #[serde(default)]
    pub keys: Keys,
    /// What other top-level keys hold; without it there may be none.
    #[serde(default)]
    pub others: Option<Box<Key>>,
}

/// What may stand under one key. A type alone may be written as its name.
#[derive(Debug, Clone, Default)]
pub struct Key {
    /// The type; told from `keys`, `others` and `items` if it is not given.
    pub kind: Kind,
    /// Whether it has to be there, with a value.
    pub required: bool,
    /// Whether its value is a secret; what is generated or looks like one is, if not given.
    pub secret: Option<bool>,
    /// The call that makes a value, such as `base64(39)`.
    pub generated: Option<String>,
    /// Why the key should not be used any more and what to use.
    pub deprecated: Option<String>,
    /// What the whole text has to match.
    pub pattern: Option<Pattern>,
    /// The named format that a text has to have.
    pub format: Option<Format>,
    /// The texts or numbers that are allowed; all others are not.
    pub values: Vec<String>,
    /// Smallest number, shortest text, least entries.
    pub min: Option<i64>,
    /// Largest number, longest text, most entries.
    pub max: Option<i64>,
    /// What the key is for.
    pub help: Option<String>,
    /// A value to show as an example.
    pub example: Option<String>,
    /// What programs assume when the key is not there.
    pub default: Option<String>,
    /// The keys of a mapping.
    pub keys: Keys,
    /// What other keys of the mapping hold; without it there may be none.
    pub others: Option<Box<Key>>,
    /// What a list holds.
    pub items: Option<Box<Key>>,
}

/// The types of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Text. An unquoted number or truth is none.
    #[default]
    Text,
    /// `true` or `false`, unquoted.
    Bool,
    /// A whole number, unquoted.
    Int,
    /// A number, unquoted.
    Number,
    /// A list.
    List,
    /// A mapping.
    Map,
    /// Anything.
    Any,
}

/// A regular expression that a whole text has to match.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// Compiles an expression.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        match Regex::new(&format!("^(?:{text})$")) {
            Ok(regex) => Ok(Self { text: text.to_owned(), regex }),
            Err(error) => Err(format!("no regular expression: {error}")),
        }
    }

    /// Whether the whole of `text` matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// The expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Schema {
    /// Reads a schema that errors call `file`.
    ///
    /// # Errors
    /// Whatever is no YAML, and unknown and mistyped keys, with their place.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, DecodeError> {
        let bad = |error: YamlError| DecodeError {
            at: Some(Place { file: file.into(), line: error.line, column: error.column }),
            problem: error.reason,
        };
        let text = yaml::decode(bytes).map_err(bad)?;
        Node::parse(file, text).map_err(|(_, error)| bad(error))?.decode()
    }

    /// What the schema says of the value at a path.
    #[must_use]
    pub fn key(&self, path: &KeyPath) -> Option<&Key> {
        let (first, rest) = path.0.split_first()?;
        let Step::Key(name) = first else {
            return None;
        };
        let top = self.keys.get(name).or(self.others.as_deref())?;
        rest.iter().try_fold(top, |key, step| match step {
            Step::Key(name) => key.keys.get(name).or(key.others.as_deref()),
            Step::Index(_) => key.items.as_deref(),
        })
    }
}

impl Key {
    /// Whether its value is a secret, as far as the schema tells.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        let by_format = self.format.is_some_and(Format::is_secret);
        self.secret.unwrap_or(self.generated.is_some() || by_format)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Schema, String> {
        Schema::parse("s.yml", text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_type_alone_is_its_name() {
        let schema = parse("keys:\n  a: bool\n  b: {keys: {c: {}, d: {items: int}}}\n").unwrap();
        let kind = |path: &str| schema.key(&path.parse().unwrap()).map(|key| key.kind);
        assert_eq!(kind("a"), Some(Kind::Bool));
        assert_eq!(kind("b"), Some(Kind::Map));
        assert_eq!(kind("b.c"), Some(Kind::Text));
        assert_eq!(kind("b.d"), Some(Kind::List));
        assert_eq!(kind("b.d[3]"), Some(Kind::Int));
        assert_eq!((kind("x"), kind("b.x"), kind("a.x")), (None, None, None));
    }

    #[test]
    fn mistakes_in_a_schema_are_named() {
        for (text, expected) in [
            ("kyes: {}\n", "s.yml:1:1: unknown key `kyes`; did you mean `keys`?"),
            ("keys:\n  a: txet\n", "s.yml:2:6: unknown value `txet`; did you mean `text`?"),
            (
                "keys:\n  a: {requird: true}\n",
                "s.yml:2:7: unknown key `requird`; did you mean `required`?",
            ),
            ("keys:\n  a: {required: yes}\n", "s.yml:2:17: `yes`, expected true or false"),
            (
                "keys:\n  a: {format: domian}\n",
                "s.yml:2:15: unknown value `domian`; did you mean `domain`?",
            ),
            (
                "keys:\n  a: {type: int, keys: {}}\n",
                "s.yml:2:6: `keys` is for a mapping, but the type is int",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), expected);
        }
        assert!(
            parse("keys: {a: {pattern: '['}}\n").unwrap_err().contains("no regular expression")
        );
        assert!(parse("domain: a..b\n").unwrap_err().contains("is no key"));
    }

    #[test]
    fn patterns_match_the_whole_text() {
        let pattern = Pattern::new("a|b").unwrap();
        assert!(pattern.matches("a") && !pattern.matches("ab") && !pattern.matches("a\n"));
    }
}
