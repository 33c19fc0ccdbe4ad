//! `bootwright.lock`: the exact images that names of a catalog stand for in a project.

use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::catalog::Wanted;

/// Version of the file's shape.
const VERSION: u32 = 1;

/// The lock file of a folder with profiles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Version of the shape.
    pub version: u32,
    /// One entry for each name, architecture and variant.
    pub bases: Vec<Entry>,
}

/// A locked image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The name, such as `ubuntu:noble`.
    pub base: String,
    /// The architecture.
    pub arch: String,
    /// The variant.
    pub variant: String,
    /// The build, where the catalog names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The image's place below a mirror of its catalog.
    pub path: String,
    /// Its published digest.
    pub digest: Digest,
    /// Its size, where it is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Fingerprint of the key that signed the digest; none if nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}

impl Default for Lock {
    fn default() -> Self {
        Self { version: VERSION, bases: Vec::new() }
    }
}

impl Lock {
    /// Whether this version of the tool understands the file.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.version == VERSION
    }

    /// The entry for what is wanted.
    #[must_use]
    pub fn find(&self, wanted: &Wanted) -> Option<&Entry> {
        self.bases.iter().find(|entry| wanted.is_met_by(entry))
    }

    /// Puts an entry in, in place of the one that stands for the same. A name with a serial
    /// and the same without one are not the same: two profiles may want both. Entries are
    /// sorted, so that the file differs little between two versions of a project.
    pub fn put(&mut self, entry: Entry, wanted: &Wanted) {
        let is_same = |old: &Entry| {
            let key =
                |entry: &Entry| (entry.base.clone(), entry.arch.clone(), entry.variant.clone());
            key(old) == key(&entry) && (wanted.serial.is_none() || old.serial == entry.serial)
        };
        self.bases.retain(|old| !is_same(old));
        self.bases.push(entry);
        self.bases.sort_by(|a, b| {
            let key = |entry: &Entry| {
                let Entry { base, arch, variant, serial, .. } = entry.clone();
                (base, arch, variant, serial)
            };
            key(a).cmp(&key(b))
        });
    }
}
