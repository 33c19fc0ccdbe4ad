//! On-disk structure of a tar: the header of an entry (POSIX.1-1988 and -2001, and GNU's
//! way to write large sizes).

/// Bytes of a header, and the unit that entries are padded to.
pub(super) const BLOCK: u64 = 512;

const MAGIC_AT: usize = 257;
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    /// A regular file.
    File,
    /// Extended attributes of the entry that follows.
    Extended,
    /// Anything else.
    Other,
}

/// The header of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) kind: EntryKind,
}

/// Whether a file starts as a tar does.
pub(super) fn has_magic(block: &[u8]) -> bool {
    block.get(MAGIC_AT..MAGIC_AT + 5) == Some(b"ustar")
}

impl Header {
    /// Parses a block; nothing for one of zeros, which ends an archive.
    pub(super) fn parse(block: &[u8]) -> Result<Option<Self>, String> {
        if block.len() < BLOCK as usize {
            return Err("the archive ends inside of a header; fetch it again".to_owned());
        }
        if block.iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        if !has_magic(block) {
            return Err("this is no header of an entry; the archive is damaged".to_owned());
        }
        let sum: u64 = block.iter().map(|&byte| u64::from(byte)).sum();
        let own: u64 = block[CHECKSUM].iter().map(|&byte| u64::from(byte)).sum();
        // The checksum counts its own field as spaces.
        let computed = sum - own + 8 * u64::from(b' ');
        match number(&block[CHECKSUM]) {
            Some(stored) if stored == computed => {}
            _ => {
                return Err(format!(
                    "the header's checksum is not {computed:o}, as its bytes have; \
                     the archive is damaged: fetch it again"
                ));
            }
        }
        let size = number(&block[124..136])
            .ok_or_else(|| "the size of the entry is no number".to_owned())?;
        let name = text(&block[..100]);
        // GNU's variant uses the prefix's place for times.
        let prefix = match &block[MAGIC_AT..MAGIC_AT + 6] {
            b"ustar\0" => text(&block[345..500]),
            _ => String::new(),
        };
        let name = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        let kind = match block[156] {
            b'0' | 0 => EntryKind::File,
            b'x' => EntryKind::Extended,
            _ => EntryKind::Other,
        };
        Ok(Some(Self { name, size, kind }))
    }
}

/// A field of text, which ends at its first NUL.
fn text(field: &[u8]) -> String {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

/// A field of octal digits, or of a big-endian number after a byte 0x80.
fn number(field: &[u8]) -> Option<u64> {
    if field.first() == Some(&0x80) {
        let (high, low) = field[1..].split_at(field.len().saturating_sub(9));
        let value = low.iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
        return high.iter().all(|&byte| byte == 0).then_some(value);
    }
    let digits = text(field);
    u64::from_str_radix(digits.trim_matches(' '), 8).ok()
}

/// The `size` in extended attributes (POSIX.1-2001, "pax"), if it is there: records of
/// `LENGTH KEY=VALUE\n`.
pub(super) fn extended_size(records: &[u8]) -> Option<u64> {
    let lines = records.split(|&byte| byte == b'\n');
    lines
        .filter_map(|line| std::str::from_utf8(line).ok()?.split_once(' '))
        .filter_map(|(_, record)| record.strip_prefix("size="))
        .find_map(|value| value.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(size: &[u8], kind: u8) -> Vec<u8> {
        let mut block = vec![0; 512];
        block[..7].copy_from_slice(b"ova.xml");
        block[124..124 + size.len()].copy_from_slice(size);
        block[156] = kind;
        block[257..263].copy_from_slice(b"ustar\0");
        block[148..156].fill(b' ');
        let sum: u64 = block.iter().map(|&byte| u64::from(byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }

    #[test]
    fn sizes_are_octal_or_binary_or_extended() {
        let parsed = Header::parse(&header(b"00000001750\0", b'0')).unwrap().unwrap();
        let expected = Header { name: "ova.xml".into(), size: 1000, kind: EntryKind::File };
        assert_eq!(parsed, expected);
        let mut large = [0; 12];
        large[0] = 0x80;
        large[6] = 4;
        let parsed = Header::parse(&header(&large, b'0')).unwrap().unwrap();
        assert_eq!(parsed.size, 4 << 40);
        assert_eq!(extended_size(b"20 path=a name\n22 size=123456789012\n"), Some(123_456_789_012));
        assert_eq!(extended_size(b"\xff\xff\n"), None);
    }

    #[test]
    fn names_what_is_wrong() {
        assert_eq!(Header::parse(&[0; 512]), Ok(None));
        assert!(Header::parse(&[0; 100]).unwrap_err().contains("ends inside"));
        assert!(Header::parse(&[1; 512]).unwrap_err().contains("no header"));
        assert!(Header::parse(&header(b"xyz", b'0')).unwrap_err().contains("no number"));
        let mut bad = header(b"1", b'0');
        bad[0] = b'O';
        assert!(Header::parse(&bad).unwrap_err().contains("checksum"));
    }
}
