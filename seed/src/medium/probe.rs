//! Tells from the first bytes of a device which file system it holds and how it is labelled.
//!
//! Pure: bytes in, answer out. Sources: ECMA-119 8.4 and 8.5, the Joliet specification,
//! Microsoft's FAT specification, and blkid (`superblocks/iso9660.c`, `superblocks/vfat.c`),
//! whose answers cloud-init goes by.

use super::Filesystem;

/// How many bytes of a device [`sniff`] wants to see: the 32 KiB before the volume descriptors
/// of ISO 9660 and 16 descriptors.
pub const HEAD_LEN: usize = 64 * 1024;

/// What the first bytes of a device say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Superblock {
    /// The file system.
    pub filesystem: Filesystem,
    /// The labels it carries in its first bytes. ISO 9660: Joliet's first, if there is one, then
    /// that of the primary descriptor. FAT: the boot sector's, which blkid calls LABEL_FATBOOT;
    /// the label in the root directory lies further in (`read::identify` looks there).
    pub labels: Vec<String>,
}

/// Recognises ISO 9660 or FAT in `head`, the first [`HEAD_LEN`] bytes of a device or all of a
/// shorter one. `None` if it is neither.
#[must_use]
pub fn sniff(head: &[u8]) -> Option<Superblock> {
    iso9660(head).or_else(|| vfat(head))
}

const SECTOR: usize = 2048;
const FIRST_DESCRIPTOR: usize = 16;
const VOLUME_ID: std::ops::Range<usize> = 40..72;
const ESCAPES: std::ops::Range<usize> = 88..120;

fn iso9660(head: &[u8]) -> Option<Superblock> {
    let mut primary = None;
    let mut joliet = None;
    for sector in head.chunks_exact(SECTOR).skip(FIRST_DESCRIPTOR) {
        if &sector[1..6] != b"CD001" {
            break;
        }
        match sector[0] {
            1 if primary.is_none() => primary = Some(latin(&sector[VOLUME_ID])),
            2 if joliet.is_none() && is_joliet(&sector[ESCAPES]) => {
                joliet = Some(ucs2(&sector[VOLUME_ID]));
            }
            255 => break,
            _ => {}
        }
    }
    let primary = primary?;
    let mut labels: Vec<String> = joliet.into_iter().chain([primary]).collect();
    labels.dedup();
    labels.retain(|label| !label.is_empty());
    Some(Superblock { filesystem: Filesystem::Iso9660, labels })
}

/// The escape sequences of Joliet's three levels.
fn is_joliet(escapes: &[u8]) -> bool {
    [b"%/@", b"%/C", b"%/E"].iter().any(|level| escapes.starts_with(*level))
}

fn vfat(head: &[u8]) -> Option<Superblock> {
    let sector: &[u8; 512] = head.get(..512)?.try_into().ok()?;
    let geometry = hadris_fat_raw::parse_boot(sector).ok()?;
    // The extended boot record lies further in where FAT32's own fields come before it.
    let record = match geometry.kind() {
        hadris_fat_raw::FatKind::Fat32 => 66,
        _ => 38,
    };
    const WITH_LABEL: u8 = 0x29;
    let label = latin(&sector[record + 5..record + 16]);
    let named = sector[record] == WITH_LABEL && !label.is_empty() && label != "NO NAME";
    let labels = if named { vec![label] } else { Vec::new() };
    Some(Superblock { filesystem: Filesystem::Vfat, labels })
}

/// A label field of single bytes, without its padding.
fn latin(field: &[u8]) -> String {
    let text = String::from_utf8_lossy(field);
    text.trim_end_matches(['\0', ' ']).to_owned()
}

/// A label field of big-endian UCS-2, without its padding.
fn ucs2(field: &[u8]) -> String {
    let units: Vec<u16> =
        field.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    let text = String::from_utf16_lossy(&units);
    text.trim_end_matches(['\0', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(kind: u8, label: &[u8], escapes: &[u8]) -> Vec<u8> {
        let mut sector = vec![0; SECTOR];
        sector[0] = kind;
        sector[1..6].copy_from_slice(b"CD001");
        sector[VOLUME_ID].fill(b' ');
        sector[40..40 + label.len()].copy_from_slice(label);
        sector[88..88 + escapes.len()].copy_from_slice(escapes);
        sector
    }

    fn image(descriptors: &[Vec<u8>]) -> Vec<u8> {
        let mut head = vec![0; FIRST_DESCRIPTOR * SECTOR];
        head.extend(descriptors.concat());
        head
    }

    fn labels(head: &[u8]) -> Vec<String> {
        sniff(head).unwrap().labels
    }

    #[test]
    fn iso_labels() {
        let end = descriptor(255, b"", b"");
        let plain = image(&[descriptor(1, b"cidata", b""), end.clone()]);
        assert_eq!(labels(&plain), ["cidata"]);
        let joliet: Vec<u8> =
            format!("{:16}", "config-2").encode_utf16().flat_map(u16::to_be_bytes).collect();
        let both =
            image(&[descriptor(1, b"CONFIG_2", b""), descriptor(2, &joliet, b"%/E"), end.clone()]);
        assert_eq!(labels(&both), ["config-2", "CONFIG_2"]);
        let after_the_end = image(&[descriptor(1, b"", b""), end, descriptor(2, &joliet, b"%/E")]);
        assert_eq!(labels(&after_the_end), Vec::<String>::new());
    }

    #[test]
    fn boot_record_before_the_primary_descriptor() {
        let head = image(&[descriptor(0, b"EL TORITO", b""), descriptor(1, b"CIDATA", b"")]);
        assert_eq!(labels(&head), ["CIDATA"]);
    }

    #[test]
    fn neither() {
        assert_eq!(sniff(&[]), None);
        assert_eq!(sniff(&[0; HEAD_LEN]), None);
        assert_eq!(sniff(&[0xff; HEAD_LEN]), None);
        assert_eq!(sniff(&image(&[descriptor(2, b"cidata", b"")])), None);
        let mut mbr = vec![0; HEAD_LEN];
        mbr[510..512].copy_from_slice(&[0x55, 0xaa]);
        assert_eq!(sniff(&mbr), None);
    }
}
