//! Strict YAML with positions, for documents that may hold secrets.
//!
//! One document, no key twice in a mapping, bounded expansion of aliases. An error gives line,
//! column and a reason; the reason may name a key but never quotes a value, because what is
//! parsed here is configuration full of passwords and what is reported ends up on consoles.

pub mod decode;
pub mod tree;

use serde::Deserialize;
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};

/// Why a text is not the YAML that was asked for, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {reason}")]
pub struct YamlError {
    /// Line, counted from 1; 0 if the position is unknown.
    pub line: u64,
    /// Column in characters, counted from 1; 0 if the position is unknown.
    pub column: u64,
    /// What is wrong there, in words that hold no value of the document.
    pub reason: String,
}

/// Parses the one document in `text`.
///
/// # Errors
///
/// Whatever is not well-formed YAML 1.2, holds a key twice or more than one document, expands
/// beyond the budget (250,000 nodes, 64 levels) or does not have the shape of `T`.
pub fn parse<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, YamlError> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::Error,
        // An unquoted password such as 1e999 is a float to YAML; nothing here computes with it.
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        // `!!binary` need not decode to UTF-8: cloud-init takes any bytes.
        ignore_binary_tag_for_string: true,
        // A snippet would quote the lines around the error, values included.
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| describe(&error))
}

/// The text in `bytes`.
///
/// # Errors
///
/// The position of the first byte that is not UTF-8.
pub fn decode(bytes: &[u8]) -> Result<&str, YamlError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let last_line = before.rsplit('\n').next().unwrap_or_default();
        YamlError {
            line: before.matches('\n').count() as u64 + 1,
            column: last_line.chars().count() as u64 + 1,
            reason: "not UTF-8 text; save the file as UTF-8".to_owned(),
        }
    })
}

/// Turns the library's error into ours, keeping values of the document out of it.
fn describe(error: &serde_saphyr::Error) -> YamlError {
    let error = error.without_snippet();
    let location = error.location();
    YamlError {
        line: location.map_or(0, |at| at.line()),
        column: location.map_or(0, |at| at.column()),
        reason: reason(error),
    }
}

fn reason(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error;
    match error {
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key `{}` stands twice in one mapping", printable(key))
        }
        Error::DuplicateMappingKey { key: None, .. } => {
            "a key stands twice in one mapping".to_owned()
        }
        Error::MultipleDocuments { .. } => "a second document starts here".to_owned(),
        Error::Unexpected { expected, .. } => match *expected {
            "mapping start" => "expected a mapping".to_owned(),
            "sequence start" => "expected a list".to_owned(),
            other => format!("expected {other}"),
        },
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => {
            format!("expected {expected}")
        }
        Error::SerdeMissingField { field, .. } => format!("the key `{field}` is missing"),
        Error::SerdeUnknownField { field, expected, .. } => {
            format!("unknown key `{}`; known are {}", printable(field), list(expected))
        }
        Error::SerdeUnknownVariant { expected, .. } => {
            format!("expected one of {}", list(expected))
        }
        Error::SerdeInvalidLength { len, expected, .. } => {
            format!("{len} entries, expected {expected}")
        }
        // The scanner's messages name characters and constructs, never scalars.
        Error::ExternalMessage { msg, .. } => printable(msg),
        // Messages of this project's own `Deserialize` implementations.
        Error::Message { msg, .. } => printable(msg),
        Error::Eof { .. } => "unexpected end of the document".to_owned(),
        Error::UnknownAnchor { .. } => "an alias without an anchor".to_owned(),
        Error::AliasError { error, .. } => reason(error),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "the document is too large or nested too deeply once its aliases are expanded"
                .to_owned()
        }
        _ => "not a well-formed YAML value".to_owned(),
    }
}

/// `text` without characters that could drive a terminal, cut to a sane length.
fn printable(text: &str) -> String {
    const LONGEST: usize = 200;
    text.chars().take(LONGEST).map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn list(names: &[&str]) -> String {
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn error(text: &str) -> YamlError {
        parse::<BTreeMap<String, String>>(text).unwrap_err()
    }

    #[test]
    fn positions_and_reasons() {
        assert_eq!(
            error("a: 1\nb: 2\na: 3\n").to_string(),
            "line 3, column 1: the key `a` stands twice in one mapping"
        );
        assert_eq!(
            error("a: 1\n---\nb: 2\n").to_string(),
            "line 3, column 1: a second document starts here"
        );
        assert_eq!(error("a: *x\n").reason, "an alias without an anchor");
        assert_eq!(error("a:\n\tb: 1\n").line, 2);
    }

    #[test]
    fn values_never_reach_the_error() {
        for text in [
            "hunter2\n",
            "a: \"hunter2\n",
            "a: *hunter2\n",
            "a: !!int hunter2\n",
            "a: b: hunter2\n",
            "a: [hunter2, {}]\n",
            "- hunter2\n",
        ] {
            let error = error(text);
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("hunter2"), "{text:?} gave {shown}");
        }
    }

    #[test]
    fn alias_bomb_ends_in_an_error() {
        let mut text = "a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for (from, to) in "abcdefghi".chars().zip("bcdefghij".chars()) {
            text += &format!("{to}: &{to} [{}]\n", vec![format!("*{from}"); 10].join(","));
        }
        let error = parse::<BTreeMap<String, serde::de::IgnoredAny>>(&text).unwrap_err();
        assert!(error.reason.contains("too large"), "{error}");
    }

    #[test]
    fn shape_errors_name_the_known_keys() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[allow(dead_code, reason = "only its shape matters here")]
        struct Shape {
            wait: u32,
            name: Option<String>,
        }
        let error = parse::<Shape>("wait: 1\nnmae: x\n").unwrap_err();
        assert_eq!(error.to_string(), "line 2, column 1: unknown key `nmae`; known are wait, name");
        let error = parse::<Shape>("name: x\n").unwrap_err();
        assert_eq!(error.reason, "the key `wait` is missing");
    }
}
