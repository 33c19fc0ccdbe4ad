//! The disk of an OVA or XVA as a view over the archive: nothing is unpacked.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::layout::{BLOCK, EntryKind, Header, extended_size, has_magic};
use crate::view::{Extent, ExtentKind, View, Window, check_range, read_by_block, read_vec};
use crate::{Error, Format, Image, Result, open_view};

/// Bytes of a chunk of a disk in an XVA.
const CHUNK: u64 = 1 << 20;
/// Extended attributes of an entry are smaller than this.
const MAX_EXTENDED: u64 = 64 << 10;

/// The archives that hold disks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// An OVA, with the name of its disk.
    Ova {
        /// The member that is the disk.
        disk: String,
    },
    /// An XVA.
    Xva,
}

impl Kind {
    /// The archive's usual name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ova { .. } => "ova",
            Self::Xva => "xva",
        }
    }
}

/// A disk in an archive.
pub struct Archived {
    /// What archive it is.
    pub kind: Kind,
    /// The disk in it. That of an XVA is raw, in chunks.
    pub image: Image,
    /// The file of that image, as it lies in the archive.
    pub file: Arc<dyn View>,
}

impl std::fmt::Debug for Archived {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archived").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// A file in an archive.
struct Entry {
    name: String,
    offset: u64,
    size: u64,
}

/// Opens the disk in the OVA or XVA that `file` is; nothing if it is neither.
///
/// # Errors
/// [`Error::Malformed`] for a damaged archive, [`Error::Unsupported`] for one that holds
/// more or less than one disk, and what the disk's reader refuses.
pub fn open(file: &Arc<dyn View>) -> Result<Option<Archived>> {
    let head = read_vec(file, 0, file.size().min(BLOCK))?;
    if !has_magic(&head) {
        return Ok(None);
    }
    let first = Header::parse(&head).ok().flatten().map(|header| header.name);
    let first = first.unwrap_or_default();
    if first == "ova.xml" {
        let view: Arc<dyn View> = Arc::new(Xva::new(Arc::clone(file), &entries(file)?)?);
        let image = open_view(Arc::clone(&view), Some(Format::Raw))?;
        return Ok(Some(Archived { kind: Kind::Xva, image, file: view }));
    }
    if !first.to_ascii_lowercase().ends_with(".ovf") {
        return Ok(None);
    }
    let disk = only_disk(entries(file)?)?;
    let window: Arc<dyn View> = Arc::new(Window::new(Arc::clone(file), disk.offset, disk.size)?);
    let image = open_view(Arc::clone(&window), None)?;
    Ok(Some(Archived { kind: Kind::Ova { disk: disk.name }, image, file: window }))
}

/// The regular files of an archive.
fn entries(file: &dyn View) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let (mut at, mut extended) = (0, None);
    while at < file.size() {
        let block = read_vec(file, at, BLOCK.min(file.size() - at))?;
        let bad = |problem| Error::malformed("tar", "header", at, problem);
        let Some(header) = Header::parse(&block).map_err(bad)? else {
            break;
        };
        let size = extended.take().unwrap_or(header.size);
        let offset = at + BLOCK;
        let end = offset.checked_add(size).filter(|&end| end <= file.size());
        let Some(end) = end else {
            let end = offset.saturating_add(size);
            return Err(Error::truncated("tar", ("entry", at), end, file.size()));
        };
        match header.kind {
            EntryKind::File => entries.push(Entry { name: header.name, offset, size }),
            EntryKind::Extended if size <= MAX_EXTENDED => {
                extended = extended_size(&read_vec(file, offset, size)?);
            }
            EntryKind::Extended | EntryKind::Other => {}
        }
        at = end.next_multiple_of(BLOCK);
    }
    Ok(entries)
}

/// The one disk of an OVA.
fn only_disk(entries: Vec<Entry>) -> Result<Entry> {
    let is_disk = |entry: &Entry| {
        let name = entry.name.to_ascii_lowercase();
        [".vmdk", ".vhd", ".vhdx", ".img"].iter().any(|ending| name.ends_with(ending))
    };
    let mut disks: Vec<Entry> = entries.into_iter().filter(is_disk).collect();
    match (disks.pop(), disks.len()) {
        (Some(disk), 0) => Ok(disk),
        (_, others) => Err(Error::Unsupported {
            format: "ova",
            feature: format!("an archive with {} disks", if others == 0 { 0 } else { others + 1 }),
            hint: "unpack it with tar and give the disk that is meant",
        }),
    }
}

/// The disk of an XVA.
struct Xva {
    file: Arc<dyn View>,
    /// Offsets in the file of the chunks that are there.
    chunks: BTreeMap<u64, u64>,
    size: u64,
}

impl Xva {
    fn new(file: Arc<dyn View>, entries: &[Entry]) -> Result<Self> {
        let mut chunks = BTreeMap::new();
        let (mut disk, mut size) = (None, 0);
        for entry in entries {
            let Some((folder, number)) = chunk_name(&entry.name) else {
                continue;
            };
            if *disk.get_or_insert(folder) != folder {
                return Err(Error::Unsupported {
                    format: "xva",
                    feature: "an archive with more than one disk".to_owned(),
                    hint: "export the machine with the one disk that is meant",
                });
            }
            if entry.size > CHUNK || size % CHUNK != 0 || number * CHUNK < size {
                let problem = format!(
                    "chunk {number} has {} bytes after a disk of {size}; expected ascending \
                     chunks of {CHUNK} bytes",
                    entry.size
                );
                return Err(Error::malformed("xva", "chunk", entry.offset, problem));
            }
            size = number * CHUNK + entry.size;
            chunks.insert(number, entry.offset);
        }
        if chunks.is_empty() {
            return Err(Error::Unsupported {
                format: "xva",
                feature: "an archive without a disk".to_owned(),
                hint: "export the machine with its disk",
            });
        }
        Ok(Self { file, chunks, size })
    }
}

/// The folder of a disk and the number of a chunk, from a name such as `Ref:4/00000012`.
fn chunk_name(name: &str) -> Option<(&str, u64)> {
    let (folder, number) = name.rsplit_once('/')?;
    let is_number = number.len() >= 8 && number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.parse().ok().filter(|_| is_number)?;
    (number < u64::MAX / CHUNK).then_some((folder, number))
}

impl View for Xva {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        check_range(self.size, offset, buf.len() as u64)?;
        read_by_block(offset, buf, CHUNK, |at, part| match self.chunks.get(&(at / CHUNK)) {
            Some(chunk) => self.file.read_at(chunk + at % CHUNK, part),
            None => {
                part.fill(0);
                Ok(())
            }
        })
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        check_range(self.size, offset, 1)?;
        let index = offset / CHUNK;
        let next = self.chunks.range(index..).next().map(|(&next, _)| next);
        let (kind, end) = match next {
            Some(next) if next == index => (ExtentKind::Data, index + 1),
            Some(next) => (ExtentKind::Hole, next),
            None => (ExtentKind::Hole, self.size.div_ceil(CHUNK)),
        };
        Ok(Extent { kind, end: (end * CHUNK).min(self.size) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_told_by_their_names() {
        assert_eq!(chunk_name("Ref:4/00000012"), Some(("Ref:4", 12)));
        assert_eq!(chunk_name("Ref:4/00000012.xxhash"), None);
        assert_eq!(chunk_name("Ref:4/99999999999999999999"), None);
        assert_eq!(chunk_name("ova.xml"), None);
    }
}
