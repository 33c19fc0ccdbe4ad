//! Compressed images: xz, gzip, zstd and zip, with the disk as it is or alone in a tar.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom, Write};

use crate::Watch;
use crate::watch::Event;

/// More than any disk image that somebody would publish compressed.
const MAX_LEN: u64 = 1 << 40;
const CHUNK: usize = 256 << 10;
const TAR_HEAD: usize = 512;

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Xz,
    Gzip,
    Zstd,
    Zip,
}

impl Packing {
    /// Tells by the first bytes; nothing if the file is none of these.
    pub(crate) fn of(mut file: &File) -> io::Result<Option<Self>> {
        let mut head = Vec::new();
        file.seek(SeekFrom::Start(0))?;
        file.take(6).read_to_end(&mut head)?;
        file.seek(SeekFrom::Start(0))?;
        let known: [(&[u8], Self); 4] = [
            (b"\xfd7zXZ\0", Self::Xz),
            (b"\x1f\x8b", Self::Gzip),
            (b"\x28\xb5\x2f\xfd", Self::Zstd),
            (b"PK\x03\x04", Self::Zip),
        ];
        Ok(known.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, packing)| *packing))
    }
}

/// Why nothing was unpacked.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The packed file is damaged or not what it should be.
    Packed(String),
    /// The output could not be written.
    Output(io::Error),
    /// The user wants to stop.
    Cancelled,
}

/// Unpacks the one disk in `file` into `out`, where zeros become holes.
pub(crate) fn unpack(
    file: &File,
    packing: Packing,
    out: &mut File,
    watch: &Watch<'_>,
) -> Result<(), Trouble> {
    let broken = |error: io::Error| Trouble::Packed(error.to_string());
    let total = file.metadata().map_err(broken)?.len();
    let counted = Counted { inner: file, watch, total, done: 0 };
    let input = BufReader::with_capacity(CHUNK, counted);
    match packing {
        Packing::Xz => disk(liblzma::bufread::XzDecoder::new_multi_decoder(input), out, watch),
        Packing::Gzip => disk(flate2::bufread::MultiGzDecoder::new(input), out, watch),
        Packing::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(input).map_err(broken)?;
            disk(decoder, out, watch)
        }
        Packing::Zip => zipped(file, out, watch),
    }
}

/// Copies the disk out of a decompressed stream: the stream itself, or the only file in it
/// if it is a tar.
fn disk(mut stream: impl Read, out: &mut File, watch: &Watch<'_>) -> Result<(), Trouble> {
    let mut head = Vec::with_capacity(TAR_HEAD);
    (&mut stream).take(TAR_HEAD as u64).read_to_end(&mut head).map_err(packed)?;
    let is_tar = head.get(257..262) == Some(b"ustar");
    let mut whole = Cursor::new(head).chain(stream);
    if !is_tar {
        return copy(&mut whole, out, watch);
    }
    let mut archive = tar::Archive::new(&mut whole);
    let mut only: Option<String> = None;
    for entry in archive.entries().map_err(packed)? {
        let mut entry = entry.map_err(packed)?;
        let kind = entry.header().entry_type();
        if !kind.is_file() && !kind.is_gnu_sparse() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if let Some(first) = only {
            return Err(several(&first, &name));
        }
        copy(&mut entry, out, watch)?;
        only = Some(name);
    }
    only.map(drop).ok_or_else(|| Trouble::Packed("the archive holds no file".to_owned()))
}

fn zipped(file: &File, out: &mut File, watch: &Watch<'_>) -> Result<(), Trouble> {
    let damaged = |error: zip::result::ZipError| Trouble::Packed(error.to_string());
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
    let mut only: Option<(usize, String)> = None;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(damaged)?;
        match (entry.is_file(), &only) {
            (false, _) => {}
            (true, Some((_, first))) => {
                return Err(several(first, &String::from_utf8_lossy(entry.name_raw())));
            }
            (true, None) => {
                only = Some((index, String::from_utf8_lossy(entry.name_raw()).into_owned()))
            }
        }
    }
    match only {
        None => Err(Trouble::Packed("the archive holds no file".to_owned())),
        Some((index, _)) => copy(&mut archive.by_index(index).map_err(damaged)?, out, watch),
    }
}

fn several(first: &str, second: &str) -> Trouble {
    Trouble::Packed(format!(
        "the archive holds more than one file ({first}, {second}), so which is the disk?"
    ))
}

fn packed(error: io::Error) -> Trouble {
    Trouble::Packed(error.to_string())
}

fn copy(input: &mut impl Read, out: &mut File, watch: &Watch<'_>) -> Result<(), Trouble> {
    let mut buf = vec![0; CHUNK];
    let mut len = 0u64;
    loop {
        watch.check().map_err(|_| Trouble::Cancelled)?;
        let read = match input.read(&mut buf) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(packed(error)),
        };
        if read == 0 {
            return out.set_len(len).map_err(Trouble::Output);
        }
        len += read as u64;
        if len > MAX_LEN {
            return Err(Trouble::Packed(format!("it unpacks to more than {MAX_LEN} bytes")));
        }
        let data = &buf[..read];
        if data.iter().all(|&byte| byte == 0) {
            out.seek(SeekFrom::Start(len)).map_err(Trouble::Output)?;
        } else {
            out.write_all(data).map_err(Trouble::Output)?;
        }
    }
}

/// Tells how much of the packed file is read.
struct Counted<'a> {
    inner: &'a File,
    watch: &'a Watch<'a>,
    total: u64,
    done: u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf)?;
        self.done += read as u64;
        self.watch.tell(Event::Bytes(self.done, Some(self.total)));
        Ok(read)
    }
}
