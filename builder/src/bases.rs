//! Base images for a project: this machine's catalog, the project's lock file, the cache.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bootwright_export::sink::{SinkOptions, write_file};
use bootwright_seed::yaml::decode::DecodeError;
use bootwright_source::catalog::Wanted;
use bootwright_source::config::Config;
use bootwright_source::lock::{Entry, Lock};
use bootwright_source::{Base, Event, Location, Store, Watch};
use serde::Deserialize;

use crate::exit::Unreadable;
use crate::progress::{Progress, Stage};
use crate::{interrupt, profile};

/// Names the catalog's configuration, if it is not in its usual place.
const CATALOG: &str = "BOOTWRIGHT_CATALOG";
/// The lock file's name.
const LOCK: &str = "bootwright.lock";

/// The store of this machine.
///
/// # Errors
/// A configuration that cannot be read.
pub fn store(is_offline: bool) -> Result<Store> {
    let folder = user_folder("XDG_CACHE_HOME", ".cache").join("bases");
    Ok(Store::new(config()?, &folder, is_offline))
}

/// The folder for this tool's files of one kind.
fn user_folder(variable: &str, below_home: &str) -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let folder = match (set(variable), set("HOME")) {
        (Some(folder), _) => PathBuf::from(folder),
        (None, Some(home)) => PathBuf::from(home).join(below_home),
        (None, None) => std::env::temp_dir(),
    };
    folder.join("bootwright")
}

fn config() -> Result<Config> {
    let given = std::env::var_os(CATALOG).map(PathBuf::from);
    let is_given = given.is_some();
    let file =
        given.unwrap_or_else(|| user_folder("XDG_CONFIG_HOME", ".config").join("catalog.yml"));
    let config = match read::<Config>("catalog's configuration", &file)? {
        Some(config) => config,
        None if is_given => {
            anyhow::bail!("{CATALOG} names {}, but there is no such file", file.display())
        }
        None => Config::default(),
    };
    Ok(Config { file, ..config })
}

/// Decodes a YAML file; nothing if it does not exist.
fn read<T: for<'de> Deserialize<'de>>(what: &'static str, path: &Path) -> Result<Option<T>> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        _ => {}
    }
    let bytes = Unreadable::read(what, path)?;
    let node = profile::parse(&path.display().to_string(), &bytes)?;
    Ok(Some(node.decode()?))
}

/// The bases of a project.
#[derive(Debug)]
pub struct Bases {
    store: Store,
    lock: Lock,
    file: PathBuf,
    progress: Progress,
}

impl Bases {
    /// The bases of the project that the profile at `path` belongs to.
    ///
    /// # Errors
    /// A configuration or lock file that cannot be read.
    pub fn open(path: &Path, is_offline: bool, progress: Progress) -> Result<Self> {
        let file = path.parent().unwrap_or(Path::new("")).join(LOCK);
        let lock: Lock = read("lock file", &file)?.unwrap_or_default();
        if !lock.is_known() {
            let problem = format!(
                "{} is of version {}, which a newer bootwright writes",
                file.display(),
                lock.version
            );
            return Err(DecodeError { at: None, problem }.into());
        }
        Ok(Self { store: store(is_offline)?, lock, file, progress })
    }

    /// Gives a base, proven. What a name of a catalog stands for is locked once it is.
    ///
    /// # Errors
    /// Whatever is in the way of having it, or of trusting it.
    pub fn fetch(&mut self, location: &Location) -> Result<Base> {
        let mut lock = self.lock.clone();
        let base = watched(self.progress, |watch| self.store.fetch(location, &mut lock, watch))?;
        self.keep(lock)?;
        Ok(base)
    }

    /// Locks what a name of a catalog stands for now. Gives what it stood for and stands for.
    ///
    /// # Errors
    /// A catalog that is not known, does not answer or is not to be trusted.
    pub fn update(&mut self, wanted: &Wanted) -> Result<(Option<Entry>, Entry)> {
        let new = watched(self.progress, |watch| self.store.resolve(wanted, watch))?;
        let old = self.lock.find(wanted).cloned();
        let mut lock = self.lock.clone();
        lock.put(new.clone(), wanted);
        self.keep(lock)?;
        Ok((old, new))
    }

    /// Writes the lock file, if it changes.
    fn keep(&mut self, lock: Lock) -> Result<()> {
        if lock == self.lock {
            return Ok(());
        }
        // A long digest stays on the line of its key.
        let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
        let text = format!(
            "# Which images the names of catalogs stand for here. Written by bootwright; commit it.\n{}",
            serde_saphyr::to_string_with_options(&lock, options)?
        );
        let options = SinkOptions { replace: true, ..SinkOptions::default() };
        write_file(&self.file, text.as_bytes(), options).context("writing the lock file")?;
        self.lock = lock;
        Ok(())
    }
}

/// Runs work with bases, whose progress is shown.
///
/// # Errors
/// Whatever the work fails with.
pub fn watched<T>(
    progress: Progress,
    work: impl FnOnce(&Watch<'_>) -> bootwright_source::Result<T>,
) -> Result<T> {
    let shown: RefCell<Option<(&'static str, bool, Stage)>> = RefCell::new(None);
    let tell = |event: Event<'_>| {
        let mut shown = shown.borrow_mut();
        match event {
            Event::Note(text) => progress.note(text),
            Event::Stage(name) => {
                // The old one goes before the new one comes.
                *shown = None;
                *shown = Some((name, false, progress.stage(name)));
            }
            Event::Bytes(done, total) => {
                if let (Some((name, false, _)), Some(total)) = (&*shown, total) {
                    let name = *name;
                    *shown = None;
                    *shown = Some((name, true, progress.bytes(name, total)));
                }
                if let Some((_, true, stage)) = &*shown {
                    stage.at(done);
                }
            }
        }
    };
    Ok(work(&Watch { tell: &tell, cancel: interrupt::flag() })?)
}
