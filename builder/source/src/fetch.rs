//! Brings a base image to this machine and proves it.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use bootwright_disk::Sha256;

use crate::{Error, Location, Result};

/// A base image on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256,
}

/// Gives the base at `location`, with its digest taken and compared.
///
/// # Errors
/// [`Error::Missing`], [`Error::Digest`], and what reading the file says.
pub fn fetch(location: &Location) -> Result<Base> {
    let Location::File { path, sha256: expected } = location;
    let io = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => Error::Missing { path: path.clone() },
        _ => Error::Io { path: path.clone(), source },
    };
    let (found, size) = Sha256::of_reader(File::open(path).map_err(io)?).map_err(io)?;
    match *expected {
        Some(expected) if expected != found => {
            Err(Error::Digest { path: path.clone(), found, expected })
        }
        _ => Ok(Base { path: path.clone(), size, sha256: found }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_proven_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("base.img");
        std::fs::write(&path, b"abc").unwrap();
        let right = Sha256::of(b"abc");
        let file = |sha256| Location::File { path: path.clone(), sha256 };
        let base = Base { path: path.clone(), size: 3, sha256: right };
        assert_eq!(fetch(&file(Some(right))).unwrap(), base);
        assert_eq!(fetch(&file(None)).unwrap(), base);
        let wrong = fetch(&file(Some(Sha256::of(b"x")))).unwrap_err().to_string();
        assert!(wrong.contains(&format!("its sha256 is {right}, expected 2d711642")), "{wrong}");
        let missing = Location::File { path: dir.path().join("none"), sha256: None };
        assert!(fetch(&missing).unwrap_err().to_string().contains("none does not exist"));
    }
}
