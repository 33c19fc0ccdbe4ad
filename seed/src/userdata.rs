//! Checks a user-data document: the env of a machine.
//!
//! What passes here is UTF-8, at most [`MAX_SIZE`] bytes, says `#cloud-config` on its first line
//! and holds one YAML mapping with at least one key, no key twice at any depth. The same check
//! runs before a seed is written and before the agent activates one.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::yaml::{self, YamlError};

/// Largest user-data, in bytes. cloud-init sets no limit for its NoCloud source, so this one
/// is ours: it bounds what the agent reads into memory early at boot.
pub const MAX_SIZE: u64 = 16 * 1024 * 1024;

/// The first line of a user-data document.
pub const HEADER: &str = "#cloud-config";

/// A user-data document that cannot be used: where and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {problem}")]
pub struct UserDataError {
    /// The name the caller gave the document.
    pub file: String,
    /// Line, counted from 1.
    pub line: u64,
    /// Column in characters, counted from 1.
    pub column: u64,
    /// What is wrong there and what to do.
    pub problem: Problem,
}

/// What can be wrong with a user-data document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// More bytes than [`MAX_SIZE`].
    TooLarge(u64),
    /// Nothing in it at all.
    Empty,
    /// A gzip stream, which cloud-init would unpack.
    Compressed,
    /// A UTF-8 byte order mark first. cloud-init does not take the text after it for a
    /// cloud-config, so neither is it accepted here.
    ByteOrderMark,
    /// Another first line than [`HEADER`].
    NoHeader,
    /// Nothing but comments after the header.
    NoKeys,
    /// Not UTF-8, not YAML or not one mapping; the reason.
    Yaml(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(size) => write!(
                f,
                "the file has {size} bytes, more than the limit of {MAX_SIZE}; move large content out of it"
            ),
            Self::Empty => write!(f, "the file is empty; its first line must be `{HEADER}`"),
            Self::Compressed => f.write_str("the file is gzip-compressed; unpack it first"),
            Self::ByteOrderMark => f.write_str(
                "the file starts with a byte order mark, which hides the header from cloud-init; save it as UTF-8 without one",
            ),
            Self::NoHeader => write!(f, "the first line must be `{HEADER}`, with nothing before it"),
            Self::NoKeys => f.write_str("no key after the header; an env needs at least one"),
            Self::Yaml(reason) => f.write_str(reason),
        }
    }
}

/// Checks `bytes`, which errors call `file`. Gives the text back on success.
///
/// The header may be followed by blanks on its line and the lines may end in CR LF, as cloud-init
/// allows; unlike there, blanks before it and other spellings (`#Cloud-Config`) are refused.
///
/// # Errors
///
/// The first [`Problem`] found, with its position. It never quotes a value of the document.
pub fn check<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str, UserDataError> {
    let error =
        |line, column, problem| UserDataError { file: file.to_owned(), line, column, problem };
    let located = |e: YamlError| error(e.line.max(1), e.column.max(1), Problem::Yaml(e.reason));
    if let Some(problem) = unreadable(bytes) {
        return Err(error(1, 1, problem));
    }
    let text = yaml::decode(bytes).map_err(located)?;
    if text.lines().next().map(str::trim_end) != Some(HEADER) {
        return Err(error(1, 1, Problem::NoHeader));
    }
    match yaml::parse::<Document>(text).map_err(located)? {
        Document { keys: 0 } => Err(error(1, 1, Problem::NoKeys)),
        Document { .. } => Ok(text),
    }
}

/// What rules `bytes` out before they are looked at as text.
fn unreadable(bytes: &[u8]) -> Option<Problem> {
    let size = bytes.len() as u64;
    if size > MAX_SIZE {
        Some(Problem::TooLarge(size))
    } else if bytes.is_empty() {
        Some(Problem::Empty)
    } else if bytes.starts_with(&[0x1f, 0x8b]) {
        Some(Problem::Compressed)
    } else if bytes.starts_with("\u{feff}".as_bytes()) {
        Some(Problem::ByteOrderMark)
    } else {
        None
    }
}

/// The top-level mapping, walked through so that every nested mapping is checked, and dropped.
struct Document {
    keys: usize,
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Walk).map(|keys| Self { keys })
    }
}

/// Any node below the top level.
struct Node;

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Walk).map(|_| Self)
    }
}

/// Visits a node and all below it; the value is the number of keys of a mapping, else 0.
struct Walk;

impl<'de> Visitor<'de> for Walk {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<usize, A::Error> {
        let mut keys = 0;
        while map.next_entry::<Node, Node>()?.is_some() {
            keys += 1;
        }
        Ok(keys)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<usize, A::Error> {
        while seq.next_element::<Node>()?.is_some() {}
        Ok(0)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_none<E>(self) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_unit<E>(self) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_bool<E>(self, _: bool) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_i64<E>(self, _: i64) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_u64<E>(self, _: u64) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_i128<E>(self, _: i128) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_u128<E>(self, _: u128) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_f64<E>(self, _: f64) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_str<E>(self, _: &str) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<usize, E> {
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(bytes: &[u8]) -> String {
        check("env.yml", bytes).unwrap_err().to_string()
    }

    #[test]
    fn accepts_what_cloud_init_takes_for_a_cloud_config() {
        for text in [
            "#cloud-config\na: 1\n",
            "#cloud-config \t\r\na: 1\r\n",
            "#cloud-config\n# a comment\nappliance:\n  domain: x.test\n  list: [1, 2.5, ~, yes]\n",
            "#cloud-config\nx: &x {a: 1}\ny: {<<: *x, b: 2}\nz: !!binary //8=\nf: 1e999\n",
            "#cloud-config\n11: integer key\n? [complex]\n: key\ntagged: !vault |\n  $ANSIBLE_VAULT\n",
        ] {
            assert_eq!(check("env.yml", text.as_bytes()), Ok(text));
        }
    }

    #[test]
    fn header() {
        let expected =
            "env.yml:1:1: the first line must be `#cloud-config`, with nothing before it";
        for text in [
            "a: 1\n",
            "\n#cloud-config\na: 1\n",
            " #cloud-config\na: 1",
            "#cloud-config-archive\n- a\n",
            "#Cloud-Config\na: 1\n",
            "#!/bin/sh\n",
        ] {
            assert_eq!(problem(text.as_bytes()), expected, "{text:?}");
        }
        assert_eq!(
            problem(b""),
            "env.yml:1:1: the file is empty; its first line must be `#cloud-config`"
        );
        assert!(problem("\u{feff}#cloud-config\na: 1\n".as_bytes()).contains("byte order mark"));
    }

    #[test]
    fn encoding() {
        assert_eq!(
            problem(b"#cloud-config\nname: caf\xe9\n"),
            "env.yml:2:10: not UTF-8 text; save the file as UTF-8"
        );
        assert!(problem(&[0x1f, 0x8b, 8, 0]).contains("gzip"));
        let large = vec![b'#'; MAX_SIZE as usize + 1];
        assert_eq!(
            problem(&large),
            "env.yml:1:1: the file has 16777217 bytes, more than the limit of 16777216; move large content out of it"
        );
    }

    #[test]
    fn yaml_errors_carry_the_line() {
        assert_eq!(
            problem(b"#cloud-config\na:\n  b: 1\n  c: 2\n  b: 3\n"),
            "env.yml:5:3: the key `b` stands twice in one mapping"
        );
        assert_eq!(problem(b"#cloud-config\n- a\n"), "env.yml:2:1: expected a mapping");
        assert_eq!(
            problem(b"#cloud-config\n# nothing\n"),
            "env.yml:1:1: no key after the header; an env needs at least one"
        );
        assert!(problem(b"#cloud-config\na: [1, 2\nb: 3\n").starts_with("env.yml:3:2: "));
        assert!(problem(b"#cloud-config\na: 1\n--- \nb: 2\n").contains("second document"));
        let deep = format!("#cloud-config\na: {}\n", "[".repeat(100_000));
        assert!(check("env.yml", deep.as_bytes()).is_err());
    }
}
