//! Brings a base image to this machine and proves it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use bootwright_disk::Sha256;

use crate::cache::{Cache, Held, Origin};
use crate::catalog::{self, Wanted};
use crate::config::Config;
use crate::download::{Request, download};
use crate::http::Client;
use crate::lock::{Entry, Lock};
use crate::unpack::Packing;
use crate::watch::Event;
use crate::{Digest, Error, Location, Result, Watch};

/// A base image on this machine.
#[derive(Debug)]
pub struct Base {
    /// What it is, such as `ubuntu:noble/20260101 (amd64 disk1)`; nothing for a file.
    pub name: Option<String>,
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256,
    /// Keeps a cached image in the cache.
    lock: Option<File>,
}

impl Base {
    /// Whether the image lies in the cache, where nobody removes it while this lives.
    #[must_use]
    pub fn is_cached(&self) -> bool {
        self.lock.is_some()
    }
}

/// The means to bring base images here.
#[derive(Debug)]
pub struct Store {
    /// Where catalogs are.
    pub config: Config,
    /// Where images are kept.
    pub cache: Cache,
    /// Whether the network must not be used.
    pub is_offline: bool,
}

impl Store {
    /// A store that keeps images in `folder`.
    #[must_use]
    pub fn new(config: Config, folder: &Path, is_offline: bool) -> Self {
        let cache = Cache::new(folder.to_owned(), config.cache_limit());
        Self { config, cache, is_offline }
    }

    /// Gives the base at `location`, proven. A name of a catalog is looked up in `lock`, and
    /// put there if it is not in it.
    ///
    /// # Errors
    /// Whatever is in the way of having the base, or of trusting it.
    pub fn fetch(&self, location: &Location, lock: &mut Lock, watch: &Watch<'_>) -> Result<Base> {
        match location {
            Location::File { path, sha256 } => self.file(path, *sha256, watch),
            Location::Url { url, sha256 } => self.url(url, *sha256, watch),
            Location::Catalog(wanted) => {
                let entry = match lock.find(wanted) {
                    Some(entry) => entry.clone(),
                    None => {
                        let entry = self.resolve(wanted, watch)?;
                        lock.put(entry.clone(), wanted);
                        entry
                    }
                };
                self.locked(wanted, &entry, watch)
            }
        }
    }

    /// What a name stands for now, by the catalog.
    ///
    /// # Errors
    /// A catalog that is not known, does not answer or is not to be trusted.
    pub fn resolve(&self, wanted: &Wanted, watch: &Watch<'_>) -> Result<Entry> {
        if self.is_offline {
            return Err(Error::Offline { what: format!("what {wanted} stands for") });
        }
        watch.tell(Event::Stage("looking the base image up"));
        catalog::resolve(wanted, &self.config, watch)
    }

    /// The image that a locked entry stands for.
    fn locked(&self, wanted: &Wanted, entry: &Entry, watch: &Watch<'_>) -> Result<Base> {
        let named = Wanted { serial: entry.serial.clone(), ..wanted.clone() };
        let catalog = self.config.catalog(wanted.distribution);
        let mirrors =
            catalog.as_ref().map(|catalog| catalog.mirrors.as_slice()).unwrap_or_default();
        let addresses = mirrors.iter().map(|mirror| catalog::address(mirror, &entry.path));
        let urls = addresses.collect::<Result<Vec<_>>>()?;
        let name = named.to_string();
        let request = Request {
            name: &name,
            urls: &urls,
            digest: entry.digest,
            size: entry.size,
            hint: "the catalog has moved on or the server is not to be trusted; \
                   `bootwright base update` takes what it publishes now",
        };
        self.cached(&request, watch).map_err(|error| match (error, catalog) {
            // Without a mirror there was no address to try.
            (Error::Http { .. }, Err(unconfigured)) => unconfigured,
            (error, _) => error,
        })
    }

    fn url(&self, url: &str, sha256: Sha256, watch: &Watch<'_>) -> Result<Base> {
        let request = Request {
            name: &crate::http::shown(url),
            urls: &[url.to_owned()],
            digest: Digest::Sha256(sha256),
            size: None,
            hint: "the file was replaced or the server is not to be trusted; correct `sha256:` \
                   in the profile only if you know why it changed",
        };
        self.cached(&request, watch)
    }

    fn cached(&self, request: &Request<'_>, watch: &Watch<'_>) -> Result<Base> {
        let write = |part: &Path| {
            let client = Client::new(&self.config.download)?;
            download(&client, request, part, watch)
        };
        let origin = Origin::Download(&write);
        let origin = (!self.is_offline).then_some(&origin);
        let held = self.cache.obtain(&request.digest, request.name, origin, watch)?;
        Ok(base(Some(request.name.to_owned()), held))
    }

    /// A file on this machine; unpacked into the cache if it is compressed.
    fn file(&self, path: &Path, expected: Option<Sha256>, watch: &Watch<'_>) -> Result<Base> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => Error::Missing { path: path.to_owned() },
            _ => Error::io("reading", path, source),
        };
        watch.tell(Event::Stage("verifying the base image"));
        let file = File::open(path).map_err(failed)?;
        let packing = Packing::of(&file).map_err(failed)?;
        let (found, size) = Sha256::of_reader(&file).map_err(failed)?;
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            return Err(Error::Digest {
                name: path.display().to_string(),
                found: Digest::Sha256(found).into(),
                expected: Digest::Sha256(expected).into(),
                hint: "fetch it again, or correct `sha256:` in the profile",
            });
        }
        if packing.is_none() {
            let path = path.to_owned();
            return Ok(Base { name: None, path, size, sha256: found, lock: None });
        }
        let name = path.display().to_string();
        let origin = Origin::File(&file);
        let held = self.cache.obtain(&Digest::Sha256(found), &name, Some(&origin), watch)?;
        Ok(base(None, held))
    }
}

fn base(name: Option<String>, held: Held) -> Base {
    let Held { path, size, sha256, lock } = held;
    Base { name, path, size, sha256, lock: Some(lock) }
}
