//! What a profile wants of its records: data, read strictly.

use serde::Deserialize;

use crate::env::KeyPath;
use crate::yaml::decode::DecodeError;
use crate::yaml::tree::{Node, Place};
use crate::yaml::{self, YamlError};

/// A policy.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The key with the domain.
    pub domain: KeyPath,
    /// The key with the machine's name; the domain if there is none.
    #[serde(default)]
    pub host: Option<KeyPath>,
    /// The preference of the MX record; no such record if it is not given.
    #[serde(default)]
    pub mx: Option<u16>,
    /// The SPF record.
    #[serde(default)]
    pub spf: Option<String>,
    /// The DMARC record.
    #[serde(default)]
    pub dmarc: Option<String>,
    /// The DKIM record.
    #[serde(default)]
    pub dkim: Option<Dkim>,
    /// Times to live; the zone's own where none is given.
    #[serde(default)]
    pub ttl: Ttl,
}

/// Where the key of a DKIM record is, and how it is announced.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dkim {
    /// The key of the env with the private key.
    pub key: KeyPath,
    /// The selector.
    pub selector: Selector,
    /// Whether to say `s=email`: good for mail alone.
    #[serde(default)]
    pub email_only: bool,
}

/// A DKIM selector: labels joined by dots.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Selector(String);

impl TryFrom<String> for Selector {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if crate::env::format::is_domain(&text) {
            return Ok(Self(text));
        }
        Err(format!("`{text}` is no selector; use letters, digits and inner hyphens"))
    }
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Times to live, in seconds.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ttl {
    /// Of A, AAAA and PTR.
    #[serde(default)]
    pub address: Option<u32>,
    /// Of MX.
    #[serde(default)]
    pub mx: Option<u32>,
    /// Of SPF, DMARC and DKIM.
    #[serde(default)]
    pub text: Option<u32>,
}

/// The policies that come with the tool.
const SHIPPED: [(&str, &str); 2] = [
    ("ecs", include_str!("../../../../profiles/dns/ecs.yml")),
    ("listserv", include_str!("../../../../profiles/dns/listserv.yml")),
];

impl Policy {
    /// The text of the shipped policy of a name.
    #[must_use]
    pub fn shipped(name: &str) -> Option<&'static str> {
        SHIPPED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// Reads a policy that errors call `file`.
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
}
