//! An env back from its paper or its archive.

use std::collections::BTreeSet;
use std::io::Read;

use flate2::read::GzDecoder;
use image::GrayImage;

use super::package::openpgp::{self, OpenPgpError};
use super::paper::code::{AssembleError, assemble};
use super::paper::extract::{self, ExtractError};
use super::paper::scan::{self, Effort, Found, PictureError};

/// Largest env in an archive, and the most that is unpacked to find it.
const MAX_ENV: u64 = crate::userdata::MAX_SIZE;
const MAX_ARCHIVE: u64 = 512 << 20;
/// First bytes of an encrypted message: a packet with its session key, encrypted to a key or
/// to a passphrase, with a header in the new or the old form (RFC 9580 4.2).
const SESSION_KEY: [u8; 8] = [0xc1, 0xc3, 0x84, 0x85, 0x86, 0x8c, 0x8d, 0x8e];

/// Why an env does not come back. No message quotes what was read.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// A file that is none of the kinds.
    #[error("{0} is no PDF, PNG or JPEG, and no archive")]
    Kind(String),
    /// A picture that cannot be read.
    #[error("{file}: {source}")]
    Picture {
        /// The file.
        file: String,
        /// Why not.
        source: PictureError,
    },
    /// A PDF that cannot be read.
    #[error("{file}: {source}")]
    Pdf {
        /// The file.
        file: String,
        /// Why not.
        source: ExtractError,
    },
    /// The codes do not give an env.
    #[error("{problem}{}", seen_only(.unread))]
    Codes {
        /// Why.
        problem: AssembleError,
        /// Files with codes that could not be read, and how many.
        unread: Vec<(String, usize)>,
    },
    /// The archive cannot be opened.
    #[error(transparent)]
    OpenPgp(#[from] OpenPgpError),
    /// The archive is open, but there is no env in it.
    #[error("{0} holds no archive with one env (a .yml file) in it, or is damaged")]
    Archive(String),
    /// Several archives, or an archive beside pages.
    #[error("give one archive, or the pages of one print")]
    Several,
    /// An archive without the key to it.
    #[error("{0} is encrypted; give the secret key of a recipient with --key")]
    NoKey(String),
}

/// The sentence about codes that were seen but not read.
fn seen_only(files: &[(String, usize)]) -> String {
    let listed = files.iter().map(|(file, count)| match count {
        1 => format!("; a code on {file} could not be read"),
        _ => format!("; {count} codes on {file} could not be read"),
    });
    let listed: String = listed.collect();
    match listed.is_empty() {
        true => listed,
        false => listed + " (scan it again, with more dots per inch or more light)",
    }
}

/// A file that was given.
#[derive(Debug)]
pub struct Input {
    /// Its name, for errors.
    pub file: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// The secret key to an archive.
#[derive(Debug)]
pub struct SecretKey {
    /// The file, for errors.
    pub file: String,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// Its passphrase; empty if it has none.
    pub passphrase: String,
}

/// The env in these files: pages in any order, as PDF or pictures, or one archive.
///
/// # Errors
/// See [`RecoverError`].
pub fn recover(inputs: &[Input], key: Option<&SecretKey>) -> Result<Vec<u8>, RecoverError> {
    let archives = inputs.iter().filter(|input| kind(&input.bytes) == Kind::OpenPgp).count();
    match (archives, inputs) {
        (1, [input]) => {
            let key = key.ok_or_else(|| RecoverError::NoKey(input.file.clone()))?;
            let packed = openpgp::decrypt(
                (&input.file, &input.bytes),
                (&key.file, &key.bytes),
                &key.passphrase,
            )?;
            unpack(&input.file, &packed)
        }
        (0, _) => pages(inputs),
        _ => Err(RecoverError::Several),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Pdf,
    Picture,
    OpenPgp,
    Unknown,
}

fn kind(bytes: &[u8]) -> Kind {
    // Scanners put other things in front of a PDF's header; readers look at the first KiB.
    let head = bytes.get(..bytes.len().min(1024)).unwrap_or_default();
    if head.windows(5).any(|window| window == b"%PDF-") {
        Kind::Pdf
    } else if head.starts_with(b"\x89PNG\r\n\x1a\n") || head.starts_with(b"\xff\xd8\xff") {
        Kind::Picture
    } else if head.starts_with(b"-----BEGIN PGP MESSAGE-----")
        || head.first().is_some_and(|tag| SESSION_KEY.contains(tag))
    {
        Kind::OpenPgp
    } else {
        Kind::Unknown
    }
}

fn pages(inputs: &[Input]) -> Result<Vec<u8>, RecoverError> {
    let mut pictures = Vec::new();
    for input in inputs {
        pictures.push((input.file.as_str(), open(input)?));
    }
    let mut texts = BTreeSet::new();
    let mut unread = Vec::new();
    let mut outcome = Err(AssembleError::None);
    for effort in [Effort::Quick, Effort::Thorough] {
        unread.clear();
        for (file, pictures) in &pictures {
            let found = look(pictures, effort);
            texts.extend(found.texts);
            if found.unreadable > 0 {
                unread.push(((*file).to_owned(), found.unreadable));
            }
        }
        outcome = assemble(texts.iter().map(String::as_str));
        if outcome.is_ok() {
            break;
        }
    }
    outcome.map_err(|problem| RecoverError::Codes { problem, unread })
}

/// The pictures in a file.
fn open(input: &Input) -> Result<Vec<GrayImage>, RecoverError> {
    let file = || input.file.clone();
    match kind(&input.bytes) {
        Kind::Pdf => extract::pictures(&input.bytes)
            .map_err(|source| RecoverError::Pdf { file: file(), source }),
        Kind::Picture => scan::picture(&input.bytes)
            .map(|picture| vec![picture])
            .map_err(|source| RecoverError::Picture { file: file(), source }),
        Kind::OpenPgp | Kind::Unknown => Err(RecoverError::Kind(file())),
    }
}

/// All codes in pictures.
fn look(pictures: &[GrayImage], effort: Effort) -> Found {
    let mut all = Found::default();
    for picture in pictures {
        let found = scan::codes(picture, effort);
        all.texts.extend(found.texts);
        all.unreadable += found.unreadable;
    }
    all
}

/// The env in an archive: its only YAML file.
fn unpack(file: &str, packed: &[u8]) -> Result<Vec<u8>, RecoverError> {
    let bad = || RecoverError::Archive(file.to_owned());
    let mut archive = tar::Archive::new(GzDecoder::new(packed).take(MAX_ARCHIVE));
    let mut env = None;
    for entry in archive.entries().map_err(|_| bad())? {
        let entry = entry.map_err(|_| bad())?;
        let yaml = entry.path().is_ok_and(|path| {
            path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml")
        });
        if !yaml {
            continue;
        }
        let mut data = Vec::new();
        entry.take(MAX_ENV + 1).read_to_end(&mut data).map_err(|_| bad())?;
        if data.len() as u64 > MAX_ENV || env.replace(data).is_some() {
            return Err(bad());
        }
    }
    env.ok_or_else(bad)
}
