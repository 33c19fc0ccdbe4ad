//! Where this machine finds catalogs, and how it downloads and keeps images.

use std::path::PathBuf;

use serde::Deserialize;

use crate::catalog::Distribution;
use crate::http::DownloadOptions;
use crate::{Error, Result};

/// The configuration, `catalog.yml`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Ubuntu's images.
    pub ubuntu: Catalog,
    /// Debian's images.
    pub debian: Catalog,
    /// Alpine's images.
    pub alpine: Catalog,
    /// Downloads.
    pub download: DownloadOptions,
    /// Size to which the cache is cut back, in GiB; 20 if not given.
    pub cache_gib: Option<u32>,
    /// The file this comes from, for messages.
    #[serde(skip)]
    pub file: PathBuf,
}

/// Where one distribution's images are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Catalog {
    /// Addresses, tried in order.
    pub mirrors: Vec<String>,
    /// How images are found there (Ubuntu).
    pub layout: Layout,
    /// File with the keys that sign (Ubuntu).
    pub keyring: Option<PathBuf>,
    /// Fingerprints of keys to trust instead of the distribution's.
    pub fingerprints: Vec<String>,
}

/// How Ubuntu's images are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// By simplestreams, as on the server of releases.
    #[default]
    Streams,
    /// By folders `RELEASE/SERIAL`, as on the server of daily builds.
    Folders,
}

const CACHE_GIB: u32 = 20;

impl Config {
    /// The catalog of a distribution.
    ///
    /// # Errors
    /// [`Error::Unconfigured`] if no mirror of it is known.
    pub fn catalog(&self, distribution: Distribution) -> Result<&Catalog> {
        let catalog = match distribution {
            Distribution::Ubuntu => &self.ubuntu,
            Distribution::Debian => &self.debian,
            Distribution::Alpine => &self.alpine,
        };
        match catalog.mirrors.is_empty() {
            false => Ok(catalog),
            true => Err(self.unconfigured(distribution)),
        }
    }

    pub(crate) fn unconfigured(&self, distribution: Distribution) -> Error {
        let name = distribution.name();
        let problem = format!(
            "no mirror with {name} images is known here; write `{name}: {{mirrors: [ADDRESS]}}` \
             into {} (docs/bases.md)",
            self.file.display()
        );
        Error::Unconfigured { problem }
    }

    pub(crate) fn cache_limit(&self) -> u64 {
        u64::from(self.cache_gib.unwrap_or(CACHE_GIB)) << 30
    }
}
