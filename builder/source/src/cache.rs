//! The cache of proven images, which any number of runs may share.
//!
//! Files of one image share the digest of what was published as their stem:
//!
//! | ending | what |
//! |---|---|
//! | `.image` | the image, unpacked; complete or absent |
//! | `.json` | what is known of it |
//! | `.part`, `.from` | a download under way, and which version it is of |
//! | `.lock` | held shared while the image is in use, alone while it is made |

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bootwright_disk::Sha256;
use serde::{Deserialize, Serialize};

use crate::unpack::{Packing, Trouble, unpack};
use crate::watch::Event;
use crate::{Digest, Error, Result, Watch};

/// Downloads that nobody went on with for so long are thrown away.
const STALE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const POLL: Duration = Duration::from_millis(100);

/// The cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    folder: PathBuf,
    limit: u64,
}

/// What is known of a cached image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What it was fetched as.
    pub name: String,
    /// Digest of the published file.
    pub digest: Digest,
    /// Digest of the image; another one if it was published compressed.
    pub image_sha256: String,
    /// Size of the image in bytes.
    pub size: u64,
    /// Whether it was published compressed.
    pub is_packed: bool,
}

/// An image of the cache, kept from being thrown away while this lives.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    pub(crate) sha256: Sha256,
    pub(crate) lock: File,
}

/// The file that an image is made of.
pub(crate) enum Origin<'a> {
    /// A file that is proven and stays where it is.
    File(&'a File),
    /// Something that writes a proven file to the path it is given.
    Download(&'a dyn Fn(&Path) -> Result<()>),
}

/// The files of one image.
struct Files {
    stem: PathBuf,
}

impl Files {
    fn with(&self, ending: &str) -> PathBuf {
        self.stem.with_extension(ending)
    }
}

impl Cache {
    /// A cache in `folder`, which is cut back to `limit` bytes after each addition.
    #[must_use]
    pub fn new(folder: PathBuf, limit: u64) -> Self {
        Self { folder, limit }
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn files(&self, digest: &Digest) -> Files {
        Files { stem: self.folder.join(digest.file_stem()) }
    }

    /// The image of what has `digest`, checked again; made from `origin` if it is not there.
    /// Without an origin it has to be there.
    ///
    /// # Errors
    /// [`Error::Offline`], and whatever making it fails with.
    pub(crate) fn obtain(
        &self,
        digest: &Digest,
        name: &str,
        origin: Option<&Origin<'_>>,
        watch: &Watch<'_>,
    ) -> Result<Held> {
        fs::create_dir_all(&self.folder)
            .map_err(|source| Error::io("making", &self.folder, source))?;
        let files = self.files(digest);
        let path = files.with("lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let lock = lock.map_err(|source| Error::io("opening", &path, source))?;
        let shared = |lock: &File| wait(|| lock.try_lock_shared(), &path, watch);
        shared(&lock)?;
        if let Some((record, sha256)) = self.check(&files, digest, watch)? {
            return Ok(hold(&files, &record, sha256, lock));
        }
        let Some(origin) = origin else {
            return Err(Error::Offline { what: name.to_owned() });
        };
        lock.unlock().map_err(|source| Error::io("unlocking", &path, source))?;
        wait(|| lock.try_lock(), &path, watch)?;
        // Another run may have made it meanwhile.
        let (record, sha256) = match self.check(&files, digest, watch)? {
            Some(found) => found,
            None => make(&files, digest, name, origin, watch)?,
        };
        // Nobody else can take it between the two: whoever holds it shared does no harm.
        shared(&lock)?;
        self.evict(&files);
        Ok(hold(&files, &record, sha256, lock))
    }

    /// Checks the image that is there, if any. One that is damaged is said to be, and counts
    /// as none.
    fn check(
        &self,
        files: &Files,
        digest: &Digest,
        watch: &Watch<'_>,
    ) -> Result<Option<(Record, Sha256)>> {
        let Some(record) = read_record(&files.with("json")) else {
            return Ok(None);
        };
        let path = files.with("image");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::io("opening", path, source)),
        };
        watch.tell(Event::Stage("verifying the base image"));
        let io = |source| Error::io("reading", &path, source);
        let measured = digest.measure(&file).map_err(io)?;
        // An image that was published as it is must have the published digest itself.
        let proven = record.is_packed || digest.found(&measured) == *digest;
        if !proven || measured.sha256.to_string() != record.image_sha256 {
            watch.note(&format!("{} in the cache was damaged; it is not used", record.name));
            return Ok(None);
        }
        let _ =
            File::open(files.with("json")).and_then(|file| file.set_modified(SystemTime::now()));
        Ok(Some((record, measured.sha256)))
    }

    /// Everything that is in the cache, by name.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn list(&self) -> Result<Vec<Record>> {
        let mut records: Vec<Record> =
            self.entries()?.into_iter().map(|(_, record, _)| record).collect();
        records.sort_by(|a, b| (&a.name, a.size).cmp(&(&b.name, b.size)));
        Ok(records)
    }

    /// Stems, records and times of last use.
    fn entries(&self) -> Result<Vec<(Files, Record, SystemTime)>> {
        let mut found = Vec::new();
        for path in self.paths()? {
            if path.extension().is_some_and(|ending| ending == "json")
                && path.with_extension("image").exists()
                && let Some(record) = read_record(&path)
            {
                let used = path.metadata().and_then(|meta| meta.modified());
                let files = Files { stem: path.with_extension("") };
                found.push((files, record, used.unwrap_or(SystemTime::UNIX_EPOCH)));
            }
        }
        Ok(found)
    }

    fn paths(&self) -> Result<Vec<PathBuf>> {
        let io = |source| Error::io("listing", &self.folder, source);
        match fs::read_dir(&self.folder) {
            Ok(entries) => entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<io::Result<_>>()
                .map_err(io),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(io(error)),
        }
    }

    /// Checks one image again. Gives whether it is what it was; damaged ones are removed.
    ///
    /// # Errors
    /// What reading it says.
    pub fn verify(&self, record: &Record, watch: &Watch<'_>) -> Result<bool> {
        match self.obtain(&record.digest, &record.name, None, watch) {
            Ok(_) => Ok(true),
            Err(Error::Offline { .. }) => {
                let files = self.files(&record.digest);
                let _ = fs::remove_file(files.with("json"));
                let _ = fs::remove_file(files.with("image"));
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Cuts the cache back: images that were not used for longest go first, ones in use and
    /// the one just added stay. What cannot be removed is left for the next time.
    fn evict(&self, keep: &Files) {
        let (Ok(mut entries), Ok(paths)) = (self.entries(), self.paths()) else {
            return;
        };
        let mut total: u64 = entries.iter().map(|(files, ..)| on_disk(&files.with("image"))).sum();
        entries.sort_by_key(|(_, _, used)| *used);
        for (files, _, _) in entries {
            if total <= self.limit {
                break;
            }
            if files.stem != keep.stem {
                total -= remove_unused(&files);
            }
        }
        for path in paths {
            let is_part =
                path.extension().is_some_and(|ending| ending == "part" || ending == "tmp");
            let age = path.metadata().and_then(|meta| meta.modified()).ok();
            let is_stale = age.and_then(|time| time.elapsed().ok()).is_some_and(|age| age > STALE);
            if is_part && is_stale {
                let _ = fs::remove_file(&path);
            }
        }
    }
}

/// Bytes that a file takes on the disk, which for one with holes is less than its size.
fn on_disk(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    path.metadata().map_or(0, |meta| meta.blocks() * 512)
}

fn remove_unused(files: &Files) -> u64 {
    let Ok(lock) = OpenOptions::new().write(true).open(files.with("lock")) else {
        return 0;
    };
    if lock.try_lock().is_err() {
        return 0;
    }
    let freed = on_disk(&files.with("image"));
    // The record first: an image without one is not there.
    let removed =
        fs::remove_file(files.with("json")).and_then(|()| fs::remove_file(files.with("image")));
    removed.map_or(0, |()| freed)
}

fn read_record(path: &Path) -> Option<Record> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn hold(files: &Files, record: &Record, sha256: Sha256, lock: File) -> Held {
    Held { path: files.with("image"), size: record.size, sha256, lock }
}

/// Takes a lock as soon as others let it go.
fn wait(
    mut attempt: impl FnMut() -> Result<(), TryLockError>,
    path: &Path,
    watch: &Watch<'_>,
) -> Result<()> {
    let mut is_told = false;
    loop {
        match attempt() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(source)) => return Err(Error::io("locking", path, source)),
            Err(TryLockError::WouldBlock) => {}
        }
        if !is_told {
            watch.note("another run is fetching this base image; waiting for it");
            is_told = true;
        }
        watch.check()?;
        std::thread::sleep(POLL);
    }
}

/// Makes an image: gets the published file, unpacks it if it is packed, gives it its name.
fn make(
    files: &Files,
    digest: &Digest,
    name: &str,
    origin: &Origin<'_>,
    watch: &Watch<'_>,
) -> Result<(Record, Sha256)> {
    let (image, part) = (files.with("image"), files.with("part"));
    // What is there is damaged, and in the way of another one.
    let _ = fs::remove_file(files.with("json"));
    let _ = fs::remove_file(&image);
    let is_packed = match origin {
        Origin::File(file) => {
            expand(files, file, name, watch)?;
            true
        }
        Origin::Download(write) => {
            write(&part)?;
            let io = |source| Error::io("opening", &part, source);
            let file = File::open(&part).map_err(io)?;
            match Packing::of(&file).map_err(io)? {
                None => {
                    let renamed = fs::rename(&part, &image);
                    renamed.map_err(|source| Error::io("naming", &image, source))?;
                    false
                }
                Some(_) => {
                    let outcome = expand(files, &file, name, watch);
                    let _ = fs::remove_file(&part);
                    outcome?;
                    true
                }
            }
        }
    };
    let io = |source| Error::io("reading back", &image, source);
    let (sha256, size) = Sha256::of_reader(File::open(&image).map_err(io)?).map_err(io)?;
    let (name, image_sha256) = (name.to_owned(), sha256.to_string());
    let record = Record { name, digest: *digest, image_sha256, size, is_packed };
    write_record(files, &record)?;
    Ok((record, sha256))
}

/// Unpacks into the image's place.
fn expand(files: &Files, file: &File, name: &str, watch: &Watch<'_>) -> Result<()> {
    let (image, temporary) = (files.with("image"), files.with("tmp"));
    watch.tell(Event::Stage("unpacking the base image"));
    let unpacked = expand_to(&temporary, file, name, watch).and_then(|()| {
        fs::rename(&temporary, &image).map_err(|source| Error::io("naming", &image, source))
    });
    if unpacked.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    unpacked
}

fn expand_to(path: &Path, file: &File, name: &str, watch: &Watch<'_>) -> Result<()> {
    let io = |source| Error::io("writing", path, source);
    let bad = |problem: String| Error::Unpack { name: name.to_owned(), problem };
    let packing = Packing::of(file).map_err(io)?;
    let packing = packing.ok_or_else(|| bad("it is not compressed".to_owned()))?;
    let mut out = File::create(path).map_err(io)?;
    unpack(file, packing, &mut out, watch).map_err(|trouble| match trouble {
        Trouble::Packed(problem) => bad(problem),
        Trouble::Output(source) => io(source),
        Trouble::Cancelled => Error::Cancelled,
    })?;
    out.sync_all().map_err(io)
}

/// Writes the record, with which the image is there.
fn write_record(files: &Files, record: &Record) -> Result<()> {
    let (path, temporary) = (files.with("json"), files.with("json-tmp"));
    let io = |source| Error::io("writing", &path, source);
    let text = serde_json::to_vec_pretty(record).map_err(|error| io(error.into()))?;
    fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, &path)).map_err(io)
}
