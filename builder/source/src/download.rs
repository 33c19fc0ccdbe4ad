//! Downloads that go on where they broke off.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ureq::Body;
use ureq::http::{HeaderMap, Response, StatusCode, header};

use crate::http::{Client, Failure, Rest, shown};
use crate::watch::Event;
use crate::{Digest, Error, Result, Watch};

const CHUNK: usize = 256 << 10;

/// A file to download.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// How people call it.
    pub(crate) name: &'a str,
    /// Where it is; tried in order.
    pub(crate) urls: &'a [String],
    /// The digest it must have.
    pub(crate) digest: Digest,
    /// Its size, if that is known.
    pub(crate) size: Option<u64>,
    /// What to do when the digest is another one.
    pub(crate) hint: &'static str,
}

/// The file under way. What is there of it stays for the next run, with a note beside it of
/// what the server called this version.
struct Part {
    path: PathBuf,
    file: File,
    len: u64,
    /// Address and validator of the bytes that are there.
    from: Option<(String, String)>,
    /// Whether all of it came in this run.
    is_fresh: bool,
}

/// Why a transfer ended early.
enum Broken {
    Http(Failure),
    Local(Error),
}

/// Downloads a file to `part`, which afterwards has the wanted digest.
///
/// # Errors
/// [`Error::Http`] when all addresses failed, [`Error::Digest`], and what writing says.
pub(crate) fn download(
    client: &Client,
    request: &Request<'_>,
    part: &Path,
    watch: &Watch<'_>,
) -> Result<()> {
    watch.tell(Event::Stage("downloading the base image"));
    let mut part = Part::open(part)?;
    let outcome = fetch(client, request, &mut part, watch);
    match outcome {
        // Neither bytes that are wrong nor ones that fill the disk are of use later.
        Err(Error::Digest { .. } | Error::Full { .. }) => part.remove(),
        Ok(()) => drop(std::fs::remove_file(part.note())),
        Err(_) => {}
    }
    outcome
}

fn fetch(client: &Client, request: &Request<'_>, part: &mut Part, watch: &Watch<'_>) -> Result<()> {
    let mut trouble = None;
    for url in request.urls {
        match transfer(client, url, request, part, watch) {
            Ok(()) => return prove(client, url, request, part, watch),
            Err(error @ Error::Http { .. }) => {
                if request.urls.len() > 1 {
                    watch.note(&error.to_string());
                }
                trouble = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    Err(trouble.unwrap_or_else(|| Error::Http {
        url: request.name.to_owned(),
        problem: "no address of it is known".to_owned(),
    }))
}

/// Compares digests. What was resumed may be put together from two versions, so it gets one
/// more chance, from the start.
fn prove(
    client: &Client,
    url: &str,
    request: &Request<'_>,
    part: &mut Part,
    watch: &Watch<'_>,
) -> Result<()> {
    match part.digest(request)? {
        found if found == request.digest => return Ok(()),
        found if part.is_fresh => return Err(wrong(request, url, found)),
        _ => {}
    }
    watch.note("what was left of an earlier download is of no use; starting over");
    part.restart()?;
    transfer(client, url, request, part, watch)?;
    match part.digest(request)? {
        found if found == request.digest => Ok(()),
        found => Err(wrong(request, url, found)),
    }
}

fn wrong(request: &Request<'_>, url: &str, found: Digest) -> Error {
    let name = format!("{} from {}", request.name, shown(url));
    let (found, expected) = (found.into(), request.digest.into());
    Error::Digest { name, found, expected, hint: request.hint }
}

/// Gets all bytes from one address, in as many tries as it takes while some progress.
fn transfer(
    client: &Client,
    url: &str,
    request: &Request<'_>,
    part: &mut Part,
    watch: &Watch<'_>,
) -> Result<()> {
    let mut tries = 0;
    loop {
        watch.check()?;
        if request.size.is_some_and(|size| part.len == size) {
            return Ok(());
        }
        let before = part.len;
        let failure = match attempt(client, url, request, part, watch) {
            Ok(()) => return Ok(()),
            Err(Broken::Local(error)) => return Err(error),
            Err(Broken::Http(failure)) => failure,
        };
        tries = if part.len > before { 1 } else { tries + 1 };
        if !failure.is_passing || tries >= client.options.attempts {
            return Err(failure.at(url));
        }
        watch.note(&format!("{}; trying again", failure.problem));
        client.pause(tries, watch);
    }
}

fn attempt(
    client: &Client,
    url: &str,
    request: &Request<'_>,
    part: &mut Part,
    watch: &Watch<'_>,
) -> std::result::Result<(), Broken> {
    let validator = part.validator(url);
    let rest = Rest { from: part.len, validator: validator.as_deref() };
    let response = match client.get(url, rest) {
        Ok(response) => response,
        // Such as 416: nothing is left to be had. From the start it may be.
        Err(failure) if part.len > 0 && !failure.is_passing => {
            part.restart().map_err(Broken::Local)?;
            client.get(url, Rest::default()).map_err(Broken::Http)?
        }
        Err(failure) => return Err(Broken::Http(failure)),
    };
    if !continues(&response, part.len) {
        if part.len > 0 {
            watch.note("the server starts over");
        }
        part.restart().map_err(Broken::Local)?;
    }
    part.remember(url, response.headers()).map_err(Broken::Local)?;
    let left = response.body().content_length();
    let total = left.map(|left| part.len + left).or(request.size);
    receive(response.into_body(), part, total, watch)?;
    match total {
        Some(total) if part.len < total => {
            let problem = format!("the transfer broke off after {} of {total} bytes", part.len);
            Err(Broken::Http(Failure { problem, is_passing: true }))
        }
        _ => Ok(()),
    }
}

/// Whether an answer goes on exactly where the file ends.
fn continues(response: &Response<Body>, len: u64) -> bool {
    let range = response.headers().get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let start = range
        .and_then(|range| range.strip_prefix("bytes "))
        .and_then(|range| range.split_once('-'))
        .and_then(|(start, _)| start.parse::<u64>().ok());
    response.status() == StatusCode::PARTIAL_CONTENT && start == Some(len)
}

fn receive(
    body: Body,
    part: &mut Part,
    total: Option<u64>,
    watch: &Watch<'_>,
) -> std::result::Result<(), Broken> {
    let mut reader = body.into_with_config().limit(u64::MAX).reader();
    let mut buf = vec![0; CHUNK];
    loop {
        watch.check().map_err(Broken::Local)?;
        let read = match reader.read(&mut buf) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                let problem = if is_timeout(&error) {
                    format!("the server stalls after {} bytes", part.len)
                } else {
                    format!("the transfer broke off after {} bytes: {error}", part.len)
                };
                return Err(Broken::Http(Failure { problem, is_passing: true }));
            }
        };
        part.append(&buf[..read]).map_err(Broken::Local)?;
        if total.is_some_and(|total| part.len > total) {
            let problem = "the server sends more than it announced".to_owned();
            return Err(Broken::Http(Failure::lasting(problem)));
        }
        watch.tell(Event::Bytes(part.len, total));
    }
}

fn is_timeout(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
    error.kind() == io::ErrorKind::TimedOut || matches!(inner, Some(ureq::Error::Timeout(_)))
}

impl Part {
    fn open(path: &Path) -> Result<Self> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|source| Error::io("opening", path, source))?;
        let len = file.metadata().map_err(|source| Error::io("opening", path, source))?.len();
        let mut part = Self { path: path.to_owned(), file, len, from: None, is_fresh: len == 0 };
        if let Ok(note) = std::fs::read_to_string(part.note()) {
            part.from = note
                .split_once('\n')
                .map(|(url, validator)| (url.to_owned(), validator.trim_end().to_owned()));
        }
        Ok(part)
    }

    fn note(&self) -> PathBuf {
        self.path.with_extension("from")
    }

    /// What the server at `url` called the version of which bytes are there.
    fn validator(&self, url: &str) -> Option<String> {
        self.from
            .as_ref()
            .filter(|(from, _)| *from == shown(url))
            .map(|(_, validator)| validator.clone())
    }

    /// Notes what the server calls this version: a strong entity tag, or a date.
    fn remember(&mut self, url: &str, headers: &HeaderMap) -> Result<()> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let tag = text(header::ETAG).filter(|tag| tag.starts_with('"'));
        let Some(validator) = tag.or_else(|| text(header::LAST_MODIFIED)) else {
            self.from = None;
            let _ = std::fs::remove_file(self.note());
            return Ok(());
        };
        let url = shown(url);
        self.from = Some((url.clone(), validator.to_owned()));
        let note = self.note();
        std::fs::write(&note, format!("{url}\n{validator}\n"))
            .map_err(|source| Error::io("writing", note, source))
    }

    fn append(&mut self, data: &[u8]) -> Result<()> {
        let written =
            self.file.seek(SeekFrom::Start(self.len)).and_then(|_| self.file.write_all(data));
        written.map_err(|source| Error::io("writing", &self.path, source))?;
        self.len += data.len() as u64;
        Ok(())
    }

    fn restart(&mut self) -> Result<()> {
        self.file.set_len(0).map_err(|source| Error::io("writing", &self.path, source))?;
        (self.len, self.from, self.is_fresh) = (0, None, true);
        Ok(())
    }

    /// The digest of the bytes as they are on the disk.
    fn digest(&mut self, request: &Request<'_>) -> Result<Digest> {
        let io = |source| Error::io("reading back", &self.path, source);
        self.file.sync_all().map_err(io)?;
        (&self.file).seek(SeekFrom::Start(0)).map_err(io)?;
        Ok(request.digest.found(&request.digest.measure(&self.file).map_err(io)?))
    }

    fn remove(&self) {
        let _ = std::fs::remove_file(&self.path);
        let _ = std::fs::remove_file(self.note());
    }
}
