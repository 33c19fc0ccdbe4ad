//! Where a base image comes from.

use std::path::{Path, PathBuf};

use bootwright_disk::Sha256;

use crate::{Error, Result};

/// A place a base image can come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A disk image on this machine.
    File {
        /// Its path.
        path: PathBuf,
        /// The digest it must have.
        sha256: Option<Sha256>,
    },
}

impl Location {
    /// Parses `file:PATH` or a path that starts with `/` or `.`; relative paths count from
    /// `folder`.
    ///
    /// # Errors
    /// [`Error::Location`] for anything else.
    pub fn parse(text: &str, sha256: Option<Sha256>, folder: &Path) -> Result<Self> {
        let path = match text.strip_prefix("file:") {
            Some(path) if !path.is_empty() => path,
            None if text.starts_with(['/', '.']) => text,
            _ => {
                return Err(Error::Location {
                    text: text.to_owned(),
                    expected: "give file:PATH, with a path from the profile's folder",
                });
            }
        };
        Ok(Self::File { path: folder.join(path), sha256 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_count_from_the_profile() {
        let parse = |text| Location::parse(text, None, Path::new("/profiles"));
        let file = |path: &str| Location::File { path: path.into(), sha256: None };
        assert_eq!(parse("file:base.img").unwrap(), file("/profiles/base.img"));
        assert_eq!(parse("./base.img").unwrap(), file("/profiles/./base.img"));
        assert_eq!(parse("/srv/base.img").unwrap(), file("/srv/base.img"));
        for bad in ["", "file:", "ubuntu:noble", "base.img"] {
            let error = parse(bad).unwrap_err().to_string();
            assert!(error.contains("give file:PATH"), "{error}");
        }
    }
}
