//! Why a seed cannot be made.

use std::sync::Arc;

use super::MAX_INSTANCE_ID;
use crate::sealed::SealedError;
use crate::userdata::UserDataError;
use crate::yaml::YamlError;
use crate::yaml::decode::DecodeError;

/// Why a seed cannot be made of what was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// The env is not usable.
    #[error(transparent)]
    UserData(#[from] UserDataError),
    /// Not a host name by RFC 1123.
    #[error(
        "`{0}` is not a host name; use labels of letters, digits and inner hyphens, joined by dots"
    )]
    Hostname(String),
    /// Not usable as a directory name by cloud-init.
    #[error(
        "`{0}` is not an instance-id; use at most {MAX_INSTANCE_ID} letters, digits, `.`, `_` and `-`, no dot first"
    )]
    InstanceId(String),
    /// A document to add, or a network configuration, that is no YAML.
    #[error("{file}: {source}")]
    Yaml {
        /// The name the caller gave the file.
        file: String,
        /// Where and why.
        source: YamlError,
    },
    /// A document that does not fit, with its place.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A file with another encoding than UTF-8, or with nothing in it.
    #[error("{file}: {what}")]
    File {
        /// The name the caller gave the file.
        file: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A part of a static address.
    #[error("--static: `{part}`, expected {expected}")]
    Static {
        /// The part.
        part: String,
        /// What it has to be.
        expected: &'static str,
    },
    /// Encryption failed.
    #[error(transparent)]
    Sealed(#[from] SealedError),
}

impl CreateError {
    /// What [`crate::yaml::tree::Node::parse`] gives.
    pub(crate) fn yaml((file, source): (Arc<str>, YamlError)) -> Self {
        Self::Yaml { file: file.to_string(), source }
    }
}
