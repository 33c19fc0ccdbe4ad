//! Extended attributes as ext4 stores them, in an inode or in a block (Linux'
//! Documentation/filesystems/ext4/attributes.rst): bytes to attributes and back.
//!
//! A base may hold anything here, so this is not left to libext2fs, which trusts the last
//! byte or two of what it reads.

use super::acl;
use crate::fs::Xattrs;

/// Length of the header of a block of attributes.
const HEADER: usize = 32;
const BLOCK_MAGIC: u32 = 0xea02_0000;
/// Length of an entry before its name.
const ENTRY: usize = 16;
/// The zeros that end the entries.
const END: usize = 4;
const MAX_NAME: usize = 255;

const ACL_ACCESS: u8 = 2;
const ACL_DEFAULT: u8 = 3;
/// The names that Linux knows, and the number that stands for the first part of each.
const PREFIXES: [(u8, &[u8]); 6] = [
    (1, b"user."),
    (ACL_ACCESS, b"system.posix_acl_access"),
    (ACL_DEFAULT, b"system.posix_acl_default"),
    (4, b"trusted."),
    (6, b"security."),
    (7, b"system."),
];

/// One attribute, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stored {
    /// Stands for the first part of the name.
    index: u8,
    /// Shorter names come first.
    name_len: usize,
    /// The rest of the name.
    name: Vec<u8>,
    value: Vec<u8>,
}

impl Stored {
    /// What an attribute looks like on disk, or why there is no such attribute.
    pub(super) fn new(name: &[u8], value: &[u8]) -> Result<Self, String> {
        let known = PREFIXES.iter().find(|(_, prefix)| name.starts_with(prefix));
        let Some((index, rest)) = known.map(|&(index, prefix)| (index, &name[prefix.len()..]))
        else {
            return Err("Linux knows attributes of user., trusted. and security., and \
                        system.posix_acl_access and _default"
                .to_owned());
        };
        let is_acl = matches!(index, ACL_ACCESS | ACL_DEFAULT);
        if rest.is_empty() != is_acl || rest.len() > MAX_NAME || rest.contains(&0) || index == 7 {
            return Err("the name is not a valid one".to_owned());
        }
        let value = match is_acl {
            true => acl::to_disk(value)
                .ok_or("the value is not an ACL in the form that getxattr(2) gives")?,
            false => value.to_vec(),
        };
        Ok(Self { index, name_len: rest.len(), name: rest.to_vec(), value })
    }

    /// Whether it has this name.
    pub(super) fn is_named(&self, name: &[u8]) -> bool {
        self.full_name().as_deref() == Some(name)
    }

    /// The name as people write it; nothing for attributes that Linux does not know.
    fn full_name(&self) -> Option<Vec<u8>> {
        let prefix = PREFIXES.iter().find(|(index, _)| *index == self.index)?.1;
        Some([prefix, &self.name].concat())
    }

    /// Bytes of its entry and its value, each filled up to a multiple of four.
    fn sizes(&self) -> (usize, usize) {
        ((ENTRY + self.name.len()).next_multiple_of(4), self.value.len().next_multiple_of(4))
    }

    /// As ext4 hashes a name and its value.
    fn hash(&self) -> u32 {
        let name = self.name.iter().fold(0u32, |hash, &byte| hash.rotate_left(5) ^ u32::from(byte));
        self.value.chunks(4).fold(name, |hash, chunk| {
            let mut word = [0; 4];
            word[..chunk.len()].copy_from_slice(chunk);
            hash.rotate_left(16) ^ u32::from_le_bytes(word)
        })
    }
}

/// Names and values for the rest of the world, sorted, ACLs in the form of getxattr(2).
pub(super) fn shown(all: Vec<Stored>) -> Xattrs {
    let mut shown: Xattrs = all
        .into_iter()
        .filter_map(|one| {
            let name = one.full_name()?;
            let value = match one.index {
                ACL_ACCESS | ACL_DEFAULT => acl::from_disk(&one.value)?,
                _ => one.value,
            };
            Some((name, value))
        })
        .collect();
    shown.sort();
    shown
}

/// Reads the attributes of an inode (`area` without the magic number).
pub(super) fn parse_inode(area: &[u8]) -> Result<Vec<Stored>, String> {
    parse(area, area)
}

/// Reads the attributes of a block.
pub(super) fn parse_block(block: &[u8]) -> Result<Vec<Stored>, String> {
    match (le32(block, 0), le32(block, 8), block.get(HEADER..)) {
        (Some(BLOCK_MAGIC), Some(1), Some(entries)) => parse(entries, block),
        _ => Err("a block of extended attributes has no valid header".to_owned()),
    }
}

/// How many inodes share a block of attributes.
pub(super) fn references(block: &[u8]) -> u32 {
    le32(block, 4).unwrap_or(0)
}

fn le16(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?).into())
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Reads entries; their values lie in `values`.
fn parse(mut entries: &[u8], values: &[u8]) -> Result<Vec<Stored>, String> {
    let mut all = Vec::new();
    while le32(entries, 0).is_some_and(|word| word != 0) {
        let one = parse_one(entries, values)
            .ok_or("an extended attribute reaches out of where it is stored")?;
        entries = entries.get(one.sizes().0..).unwrap_or_default();
        all.push(one);
    }
    Ok(all)
}

fn parse_one(entry: &[u8], values: &[u8]) -> Option<Stored> {
    let name_len = usize::from(*entry.first()?);
    let (offset, inode, len) = (le16(entry, 2)?, le32(entry, 4)?, le32(entry, 8)? as usize);
    let name = entry.get(ENTRY..ENTRY + name_len)?.to_vec();
    let value = match len {
        0 => Vec::new(),
        _ => values.get(offset..offset.checked_add(len)?)?.to_vec(),
    };
    (inode == 0).then_some(Stored { index: entry[1], name_len, name, value })
}

/// Splits attributes into those that fit into `room` bytes of an inode and the rest.
pub(super) fn split(mut all: Vec<Stored>, room: usize) -> (Vec<Stored>, Vec<Stored>) {
    all.sort();
    let mut left = room.saturating_sub(END);
    all.into_iter().partition(|one| {
        let (entry, value) = one.sizes();
        let fits = entry + value <= left;
        left -= if fits { entry + value } else { 0 };
        fits
    })
}

/// Whether attributes fit into a block.
pub(super) fn fit_block(all: &[Stored], block_size: usize) -> bool {
    let sizes = all.iter().map(|one| one.sizes().0 + one.sizes().1);
    HEADER + sizes.sum::<usize>() + END <= block_size
}

/// Writes attributes that fit into an inode.
pub(super) fn write_inode(all: &[Stored], area: &mut [u8]) {
    area.fill(0);
    write(all, area, 0, false);
}

/// A block of attributes that fit into it, used by one inode.
pub(super) fn write_block(all: &[Stored], block_size: usize) -> Vec<u8> {
    let mut block = vec![0; block_size];
    block[..4].copy_from_slice(&BLOCK_MAGIC.to_le_bytes());
    block[4..8].copy_from_slice(&1u32.to_le_bytes());
    block[8..12].copy_from_slice(&1u32.to_le_bytes());
    write(all, &mut block[HEADER..], HEADER, true);
    block
}

/// Writes entries from the start and their values from the end; offsets count from `base`
/// bytes before the area.
fn write(all: &[Stored], area: &mut [u8], base: usize, hashed: bool) {
    let (mut at, mut end) = (0, area.len());
    for one in all {
        let (entry_size, value_size) = one.sizes();
        end -= value_size;
        area[end..end + one.value.len()].copy_from_slice(&one.value);
        let entry = &mut area[at..at + entry_size];
        entry[0] = one.name.len() as u8;
        entry[1] = one.index;
        let offset = if one.value.is_empty() { 0 } else { base + end };
        entry[2..4].copy_from_slice(&(offset as u16).to_le_bytes());
        entry[8..12].copy_from_slice(&(one.value.len() as u32).to_le_bytes());
        let hash = if hashed { one.hash() } else { 0 };
        entry[12..16].copy_from_slice(&hash.to_le_bytes());
        entry[ENTRY..ENTRY + one.name.len()].copy_from_slice(&one.name);
        at += entry_size;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<Stored> {
        let all: [(&[u8], &[u8]); 4] = [
            (b"user.note", b"hello"),
            (b"security.capability", &[1, 0, 0, 2]),
            (b"user.a", b""),
            (b"user.b", &[7; 300]),
        ];
        let mut all = all.map(|(name, value)| Stored::new(name, value).unwrap()).to_vec();
        all.sort();
        all
    }

    #[test]
    fn what_is_written_is_read_again() {
        let block = write_block(&some(), 1024);
        assert_eq!(parse_block(&block).unwrap(), some());
        let (inside, outside) = split(some(), 92);
        assert_eq!((inside.len(), outside.len()), (3, 1));
        let mut area = vec![0xff; 92];
        write_inode(&inside, &mut area);
        assert_eq!(parse_inode(&area).unwrap(), inside);
        assert!(fit_block(&some(), 1024) && !fit_block(&some(), 400));
    }

    #[test]
    fn damage_is_an_error_and_no_more() {
        let block = write_block(&some(), 1024);
        for at in 0..block.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut block = block.clone();
                block[at] = value;
                // Whatever it is taken for, it can be shown and sorted.
                let _ = parse_block(&block).map(shown);
            }
            let _ = parse_block(&block[..at]);
            let _ = parse_inode(&block[at..]);
        }
        let mut long = block;
        long[HEADER + 8] = 0xff;
        long[HEADER + 10] = 0xff;
        assert!(parse_block(&long).unwrap_err().contains("reaches out"));
    }

    #[test]
    fn names_are_those_that_linux_knows() {
        for bad in ["capability", "user.", "system.foo", "system.posix_acl_accessx", "foo.bar"] {
            assert!(Stored::new(bad.as_bytes(), b"").is_err(), "{bad}");
        }
        let acl = Stored::new(b"system.posix_acl_access", b"rwx").unwrap_err();
        assert!(acl.contains("getxattr(2)"), "{acl}");
    }
}
