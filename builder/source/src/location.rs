//! Where a base image comes from.

use std::path::{Path, PathBuf};

use bootwright_disk::Sha256;

use crate::catalog::Wanted;
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
    /// A disk image on a server.
    Url {
        /// Its address.
        url: String,
        /// The digest it must have.
        sha256: Sha256,
    },
    /// An image that a distribution publishes.
    Catalog(Wanted),
}

/// What is said of a base besides its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Details<'a> {
    /// The digest that a file or download must have.
    pub sha256: Option<Sha256>,
    /// The architecture of an image of a catalog.
    pub arch: Option<&'a str>,
    /// The variant of an image of a catalog.
    pub variant: Option<&'a str>,
}

impl Location {
    /// Parses `file:PATH` or a path that starts with `/` or `.`, an address that starts with
    /// `https://` or `http://`, or the name of an image in a catalog such as `ubuntu:noble`.
    /// Relative paths count from `folder`.
    ///
    /// # Errors
    /// [`Error::Location`] for anything else, and for details that do not go with the place.
    pub fn parse(text: &str, details: &Details<'_>, folder: &Path) -> Result<Self> {
        let refuse = |expected: &str| {
            Err(Error::Location { text: text.to_owned(), expected: expected.to_owned() })
        };
        let Details { sha256, arch, variant } = *details;
        let is_url = text.starts_with("https://") || text.starts_with("http://");
        let path = match text.strip_prefix("file:") {
            Some("") => return refuse("give file:PATH, with a path from the profile's folder"),
            Some(path) => Some(path),
            None => text.starts_with(['/', '.']).then_some(text),
        };
        if path.is_none() && !is_url {
            return match sha256 {
                None => Wanted::parse(text, arch, variant).map(Self::Catalog),
                Some(_) => {
                    refuse("an image of a catalog is pinned by bootwright.lock; leave `sha256` out")
                }
            };
        }
        if arch.is_some() || variant.is_some() {
            return refuse("`arch` and `variant` choose among the images of a catalog alone");
        }
        match (path, sha256) {
            (Some(path), sha256) => Ok(Self::File { path: folder.join(path), sha256 }),
            (None, Some(sha256)) => Ok(Self::Url { url: text.to_owned(), sha256 }),
            (None, None) => refuse("a download needs its digest: {url: ADDRESS, sha256: DIGEST}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_count_from_the_profile() {
        let parse = |text| Location::parse(text, &Details::default(), Path::new("/profiles"));
        let file = |path: &str| Location::File { path: path.into(), sha256: None };
        assert_eq!(parse("file:base.img").unwrap(), file("/profiles/base.img"));
        assert_eq!(parse("./base.img").unwrap(), file("/profiles/./base.img"));
        assert_eq!(parse("/srv/base.img").unwrap(), file("/srv/base.img"));
        for bad in ["", "file:", "base.img"] {
            let error = parse(bad).unwrap_err().to_string();
            assert!(error.contains("give file:PATH"), "{error}");
        }
    }

    #[test]
    fn details_go_with_their_places() {
        let sha256 = Some(Sha256::of(b""));
        let parse = |text, details: &Details<'_>| Location::parse(text, details, Path::new(""));
        let refused = |text, details: &Details<'_>, reason: &str| {
            let error = parse(text, details).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        };
        let digest = Details { sha256, ..Details::default() };
        let variant = Details { variant: Some("uefi1"), ..Details::default() };
        assert!(matches!(parse("https://h/x", &digest), Ok(Location::Url { .. })));
        assert!(matches!(parse("ubuntu:xenial", &variant), Ok(Location::Catalog(_))));
        refused("https://h/x", &Details::default(), "needs its digest");
        refused("ubuntu:noble", &digest, "leave `sha256` out");
        refused("file:x", &variant, "of a catalog alone");
    }
}
