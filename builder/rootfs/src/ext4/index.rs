//! The index of a directory (Linux' Documentation/filesystems/ext4/directory.rst, "Hash Tree
//! Directories"): made when a directory outgrows its first block, as the kernel does.
//! libext2fs keeps an index but never begins one; without, every new name would search the
//! whole directory, here and later in the guest.

/// Bytes of an entry before its name.
const ENTRY: usize = 8;
/// Bytes of the entries `.` and `..`.
const DOT: usize = 12;
/// The entry without a name that holds a block's checksum.
const TAIL: [u8; 8] = [0, 0, 0, 0, 12, 0, 0, 0xde];
const TAIL_LEN: usize = 12;
/// Where the root of the index says what it is, and where its entries begin.
const ROOT_INFO: usize = 24;
const ROOT_ENTRIES: usize = 32;
const INDEX_ENTRY: usize = 8;
/// The checksum behind the entries of the index.
const INDEX_TAIL: usize = 8;

/// What the index depends on besides the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    /// Number of the hash function.
    pub(crate) hash: u8,
    /// Whether blocks have checksums, which the library fills in.
    pub(crate) checksummed: bool,
}

/// Splits the only block of a directory: gives its new first block, the root of an index,
/// and its second one, which holds the names. Nothing if the block is not sound.
pub(super) fn split(block: &[u8], style: Style) -> Option<(Vec<u8>, Vec<u8>)> {
    let entries = entries(block)?;
    let (dots, names) = entries.split_at_checked(2)?;
    if dots[0].1 != b"." || dots[1].1 != b".." {
        return None;
    }
    Some((root(block, style), leaf(block.len(), names, style)))
}

/// The first eight bytes and the name of each entry that is in use.
fn entries(block: &[u8]) -> Option<Vec<([u8; ENTRY], &[u8])>> {
    let mut entries = Vec::new();
    let mut at = 0;
    while at < block.len() {
        let head: [u8; ENTRY] = block.get(at..at + ENTRY)?.try_into().ok()?;
        let len = usize::from(u16::from_le_bytes([head[4], head[5]]));
        let name = block.get(at + ENTRY..at + ENTRY + usize::from(head[6]))?;
        if len < ENTRY || len % 4 != 0 || ENTRY + name.len() > len {
            return None;
        }
        if head[..4] != [0; 4] {
            entries.push((head, name));
        }
        at += len;
    }
    (at == block.len()).then_some(entries)
}

fn set16(bytes: &mut [u8], at: usize, value: usize) {
    bytes[at..at + 2].copy_from_slice(&(value as u16).to_le_bytes());
}

fn root(block: &[u8], style: Style) -> Vec<u8> {
    let mut root = vec![0; block.len()];
    // To those who know no index, `..` fills the rest of the block.
    root[..2 * DOT].copy_from_slice(&block[..2 * DOT]);
    set16(&mut root, 4, DOT);
    set16(&mut root, DOT + 4, block.len() - DOT);
    root[ROOT_INFO + 4] = style.hash;
    root[ROOT_INFO + 5] = (ROOT_ENTRIES - ROOT_INFO) as u8;
    let tail = if style.checksummed { INDEX_TAIL } else { 0 };
    set16(&mut root, ROOT_ENTRIES, (block.len() - ROOT_ENTRIES - tail) / INDEX_ENTRY);
    set16(&mut root, ROOT_ENTRIES + 2, 1);
    // The one entry, for all hashes: block 1.
    root[ROOT_ENTRIES + 4] = 1;
    root
}

fn leaf(size: usize, names: &[([u8; ENTRY], &[u8])], style: Style) -> Vec<u8> {
    let mut leaf = vec![0; size];
    let end = size - if style.checksummed { TAIL_LEN } else { 0 };
    let mut at = 0;
    for (index, (head, name)) in names.iter().enumerate() {
        let is_last = index + 1 == names.len();
        let len = if is_last { end - at } else { (ENTRY + name.len()).next_multiple_of(4) };
        leaf[at..at + ENTRY].copy_from_slice(head);
        leaf[at + ENTRY..at + ENTRY + name.len()].copy_from_slice(name);
        set16(&mut leaf, at + 4, len);
        at += len;
    }
    if names.is_empty() {
        set16(&mut leaf, 4, end);
    }
    if style.checksummed {
        leaf[end..end + TAIL.len()].copy_from_slice(&TAIL);
    }
    leaf
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: Style = Style { hash: 1, checksummed: true };

    /// A block with `.`, `..`, these names, and free space or a tail at the end.
    fn block(names: &[&str]) -> Vec<u8> {
        let mut block = Vec::new();
        for (at, name) in [".", ".."].iter().chain(names).enumerate() {
            let len = (ENTRY + name.len()).next_multiple_of(4);
            block.extend((at as u32 + 10).to_le_bytes());
            block.extend((len as u16).to_le_bytes());
            block.extend([name.len() as u8, 1]);
            block.extend(name.bytes());
            block.resize(block.len().next_multiple_of(4), 0);
        }
        let rest = 1024 - TAIL_LEN - block.len();
        block.extend([0, 0, 0, 0, rest as u8, (rest >> 8) as u8, 0, 0]);
        block.resize(1024 - TAIL_LEN, 0);
        block.extend(TAIL);
        block.resize(1024, 0);
        block
    }

    #[test]
    fn names_move_and_the_root_points_to_them() {
        let (root, leaf) = split(&block(&["first", "second name"]), STYLE).unwrap();
        let names: Vec<_> = entries(&leaf).unwrap().iter().map(|(_, name)| name.to_vec()).collect();
        assert_eq!(names, [&b"first"[..], b"second name"]);
        let dots = entries(&root).unwrap();
        assert_eq!((dots.len(), dots[1].1, dots[1].0[0]), (2, &b".."[..], 11));
        assert_eq!(&root[24..40], [0, 0, 0, 0, 1, 8, 0, 0, 123, 0, 1, 0, 1, 0, 0, 0]);
        let plain = Style { hash: 2, checksummed: false };
        let (root, leaf) = split(&block(&[]), plain).unwrap();
        assert_eq!((root[28], root[32], &leaf[..8]), (2, 124, &[0, 0, 0, 0, 0, 4, 0, 0][..]));
    }

    #[test]
    fn what_is_not_sound_is_left_alone() {
        let good = block(&["name"]);
        for at in 0..60 {
            for value in [0, 1, 3, 9, 0x7f, 0xff] {
                let mut block = good.clone();
                block[at] = value;
                if let Some((root, leaf)) = split(&block, STYLE) {
                    assert!(entries(&root).is_some() && entries(&leaf).is_some());
                }
            }
        }
        assert_eq!(split(&good[..1000], STYLE), None);
        let mut other = good;
        other[8] = b'x';
        assert_eq!(split(&other, STYLE), None);
    }
}
