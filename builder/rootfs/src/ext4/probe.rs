//! The ext4 super block, as far as finding, naming and refusing a file system needs it
//! (Linux' Documentation/filesystems/ext4/super.rst).

use uuid::Uuid;

use super::index::Style;
use crate::{Error, Result};

/// Where the super block lies in the partition, and how long it is.
pub(crate) const OFFSET: u64 = 1024;
pub(crate) const LEN: u64 = 1024;

const MAGIC: u16 = 0xef53;
const CHECKSUM_AT: usize = 0x3fc;
const COMPAT_XATTR: u32 = 0x8;
const COMPAT_SPARSE_SUPER2: u32 = 0x200;
const COMPAT_DIR_INDEX: u32 = 0x20;
const RO_COMPAT_METADATA_CSUM: u32 = 0x400;
const INCOMPAT_RECOVER: u32 = 0x4;
const INCOMPAT_EXTENTS: u32 = 0x40;
const INCOMPAT_64BIT: u32 = 0x80;
const RO_COMPAT_ORPHAN_PRESENT: u32 = 0x1_0000;
const STATE_CLEAN: u16 = 1;
const STATE_ERRORS: u16 = 2;

/// Blocks and inodes that an image's file system may have, so that its bitmaps (one bit
/// each) fit into memory: with blocks of 4 KiB, 4 TiB.
pub(crate) const MAX_COUNT: u64 = 1 << 30;
/// The smallest group that mke2fs makes.
const MIN_GROUP: u64 = 256;
/// Length of a group descriptor with the feature 64bit.
const DESCRIPTOR: u64 = 64;

/// Features that libext2fs can open but does not keep consistent in an edit.
const REFUSED_INCOMPAT: [(u32, &str); 6] = [
    (0x8, "is a journal device"),
    (0x400, "keeps large attributes in inodes (ea_inode)"),
    (0x8000, "keeps small files in inodes (inline_data)"),
    (0x1_0000, "is encrypted (encrypt)"),
    (0x2_0000, "folds the case of names (casefold)"),
    (0x100, "protects against double mounts (mmp)"),
];
/// Those of them that stand in the way of reading, too.
const UNREADABLE_INCOMPAT: u32 = 0x8 | 0x400 | 0x8000 | 0x1_0000;
const REFUSED_RO_COMPAT: [(u32, &str); 7] = [
    (0x100, "keeps quotas (quota)"),
    (0x200, "allocates in clusters (bigalloc)"),
    (0x1000, "is marked as not to be changed (read-only)"),
    (0x2000, "keeps project quotas (project)"),
    (0x4000, "shares blocks between files (shared_blocks)"),
    (0x8000, "holds verity files (verity)"),
    (0x80, "has snapshots (has_snapshot)"),
];

/// What the super block says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Super {
    pub(crate) label: String,
    pub(crate) uuid: Uuid,
    pub(crate) block_size: u64,
    pub(crate) first_block: u64,
    pub(crate) blocks: u64,
    pub(crate) inode_size: u64,
    /// Time of the last write, in seconds since 1970.
    pub(crate) written: i64,
    pub(crate) has_extents: bool,
    pub(crate) has_xattrs: bool,
    /// How directories are indexed, if they are.
    pub(crate) index: Option<Style>,
    inodes: u64,
    blocks_per_group: u64,
    inodes_per_group: u64,
    descriptor_size: u64,
    compat: u32,
    incompat: u32,
    ro_compat: u32,
    state: u16,
    last_orphan: u32,
}

fn le16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn le32(bytes: &[u8], at: usize) -> u32 {
    u32::from(le16(bytes, at)) | u32::from(le16(bytes, at + 2)) << 16
}

/// The checksum that a super block has and the one it should have (CRC-32C of all before
/// it); nothing if the file system has none.
pub(crate) fn checksum(bytes: &[u8]) -> Option<(u32, u32)> {
    let covered = bytes.get(..CHECKSUM_AT)?;
    let has_one = le32(bytes, 0x64) & RO_COMPAT_METADATA_CSUM != 0;
    // The kernel starts with all ones and leaves out the inversion at the end.
    has_one.then(|| (le32(bytes, CHECKSUM_AT), !crc32c::crc32c(covered)))
}

/// How the directories of a file system are indexed.
fn index_style(bytes: &[u8]) -> Option<Style> {
    let hash = bytes[0xfc];
    // Other numbers are not stored; blocks of 64 KiB write lengths in a way of their own.
    let is_known = hash <= 2 && le32(bytes, 0x18) < 6;
    let checksummed = le32(bytes, 0x64) & RO_COMPAT_METADATA_CSUM != 0;
    (le32(bytes, 0x5c) & COMPAT_DIR_INDEX != 0 && is_known).then_some(Style { hash, checksummed })
}

impl Super {
    /// Parses the [`LEN`] bytes at [`OFFSET`]; nothing if they are no super block.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let log_block_size =
            if bytes.len() >= LEN as usize { le32(bytes, 0x18) } else { return None };
        if le16(bytes, 0x38) != MAGIC || log_block_size > 6 {
            return None;
        }
        let incompat = le32(bytes, 0x60);
        let high = if incompat & INCOMPAT_64BIT != 0 { le32(bytes, 0x150) } else { 0 };
        let dynamic = le32(bytes, 0x4c) != 0;
        let label = &bytes[0x78..0x88];
        let end = label.iter().position(|&byte| byte == 0).unwrap_or(label.len());
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&bytes[0x68..0x78]);
        Some(Self {
            label: String::from_utf8_lossy(&label[..end]).into_owned(),
            uuid: Uuid::from_bytes(uuid),
            block_size: 1024 << log_block_size,
            first_block: le32(bytes, 0x14).into(),
            blocks: u64::from(high) << 32 | u64::from(le32(bytes, 0x4)),
            inode_size: if dynamic { le16(bytes, 0x58).into() } else { 128 },
            written: i64::from(le32(bytes, 0x30)) | i64::from(bytes[0x274]) << 32,
            has_extents: incompat & INCOMPAT_EXTENTS != 0,
            has_xattrs: le32(bytes, 0x5c) & COMPAT_XATTR != 0,
            index: index_style(bytes),
            inodes: le32(bytes, 0x0).into(),
            blocks_per_group: le32(bytes, 0x20).into(),
            inodes_per_group: le32(bytes, 0x28).into(),
            descriptor_size: match incompat & INCOMPAT_64BIT {
                0 => DESCRIPTOR,
                _ => le16(bytes, 0xfe).into(),
            },
            compat: le32(bytes, 0x5c),
            incompat,
            ro_compat: le32(bytes, 0x64),
            state: le16(bytes, 0x3a),
            last_orphan: le32(bytes, 0xe8),
        })
    }

    /// Refuses a file system that cannot be edited, with the reason and the way out.
    pub(crate) fn check_editable(&self, place: &str, room: u64) -> Result<()> {
        let refuse = |feature: &str, hint| {
            Err(Error::Unsupported { place: place.to_owned(), feature: feature.to_owned(), hint })
        };
        if self.incompat & INCOMPAT_RECOVER != 0 {
            return refuse(
                "the file system was not unmounted cleanly and its journal has to be replayed",
                "boot the image once and shut it down, or run e2fsck on it",
            );
        }
        if self.last_orphan != 0 || self.ro_compat & RO_COMPAT_ORPHAN_PRESENT != 0 {
            return refuse(
                "files were deleted while open and are not freed yet",
                "run e2fsck on it",
            );
        }
        if self.state & STATE_ERRORS != 0 || self.state & STATE_CLEAN == 0 {
            return refuse("the file system is marked as damaged or in use", "run e2fsck -f on it");
        }
        let incompat = REFUSED_INCOMPAT.iter().find(|(bit, _)| self.incompat & bit != 0);
        let ro_compat = REFUSED_RO_COMPAT.iter().find(|(bit, _)| self.ro_compat & bit != 0);
        if let Some((_, what)) = incompat.or(ro_compat) {
            return refuse(
                &format!("the file system {what}"),
                "make one without this feature; its files cannot be edited here",
            );
        }
        self.check_geometry(room)
            .map_err(|problem| Error::Damaged { place: place.to_owned(), problem })
    }

    /// Refuses a file system whose files cannot be read here, with the reason.
    pub(crate) fn check_readable(&self, place: &str, room: u64) -> Result<()> {
        let refused = UNREADABLE_INCOMPAT & self.incompat;
        let known = REFUSED_INCOMPAT.iter().find(|(bit, _)| refused & bit != 0);
        if let Some((_, what)) = known {
            return Err(Error::Unsupported {
                place: place.to_owned(),
                feature: format!("the file system {what}"),
                hint: "its files cannot be read here; mount it where they can",
            });
        }
        self.check_geometry(room)
            .map_err(|problem| Error::Damaged { place: place.to_owned(), problem })
    }

    /// Where the first copy of the super block is, if the file system has one.
    pub(crate) fn backup(&self) -> Option<u64> {
        let has_two = self.compat & COMPAT_SPARSE_SUPER2 != 0;
        let block = self.first_block.checked_add(self.blocks_per_group)?;
        (!has_two && block < self.blocks && self.blocks_per_group > 0)
            .then(|| block.saturating_mul(self.block_size))
    }

    /// Why the file system is not sound as it is, if it says so.
    pub(crate) fn unclean(&self) -> Option<&'static str> {
        if self.incompat & INCOMPAT_RECOVER != 0 {
            Some("not unmounted cleanly: its journal has to be replayed")
        } else if self.state & STATE_ERRORS != 0 {
            Some("marked as damaged")
        } else if self.state & STATE_CLEAN == 0 {
            Some("not unmounted cleanly")
        } else if self.last_orphan != 0 || self.ro_compat & RO_COMPAT_ORPHAN_PRESENT != 0 {
            Some("files were deleted while open and are not freed yet")
        } else {
            None
        }
    }

    /// Checks what the library allocates by before it is allocated.
    fn check_geometry(&self, room: u64) -> Result<(), String> {
        if self.blocks.checked_mul(self.block_size).is_none_or(|size| size > room) {
            return Err(format!(
                "the file system ({} blocks of {} bytes) is larger than its partition \
                 ({room} bytes); the image is truncated or badly resized",
                self.blocks, self.block_size
            ));
        }
        let bits = 8 * self.block_size;
        let in_bitmap = |count: u64| count.is_multiple_of(8) && count <= bits;
        // libext2fs counts on this one: with another its bitmaps overflow their memory.
        let first_block = u64::from(self.block_size == 1024);
        let limits = [
            ("as first block", self.first_block, self.first_block == first_block),
            ("blocks", self.blocks, self.blocks <= MAX_COUNT),
            ("inodes", self.inodes, self.inodes <= MAX_COUNT),
            (
                "blocks per group",
                self.blocks_per_group,
                in_bitmap(self.blocks_per_group) && self.blocks_per_group >= MIN_GROUP,
            ),
            (
                "inodes per group",
                self.inodes_per_group,
                in_bitmap(self.inodes_per_group) && self.inodes_per_group > 0,
            ),
            ("bytes per descriptor", self.descriptor_size, self.descriptor_size == DESCRIPTOR),
        ];
        match limits.iter().find(|(_, _, fine)| !fine) {
            None => Ok(()),
            Some((what, value, _)) => Err(format!(
                "the super block claims {value} {what}, which no image has; run e2fsck on it"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> Vec<u8> {
        let mut bytes = vec![0; 1024];
        bytes[0x4..0x8].copy_from_slice(&1000u32.to_le_bytes());
        bytes[0x18] = 2;
        bytes[0x20..0x24].copy_from_slice(&32768u32.to_le_bytes());
        bytes[0x28..0x2c].copy_from_slice(&512u32.to_le_bytes());
        bytes[0x38..0x3a].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[0x3a] = 1;
        bytes[0x4c] = 1;
        bytes[0x5c] = 4;
        bytes[0x58..0x5a].copy_from_slice(&256u16.to_le_bytes());
        bytes[0x78..0x7e].copy_from_slice(b"rootfs");
        bytes
    }

    fn refusal(at: usize, value: u8, room: u64) -> String {
        let mut bytes = block();
        bytes[at] = value;
        let error = Super::parse(&bytes).unwrap().check_editable("partition 1", room).unwrap_err();
        error.to_string()
    }

    #[test]
    fn tells_what_it_is() {
        let parsed = Super::parse(&block()).unwrap();
        assert_eq!(
            (parsed.label.as_str(), parsed.block_size, parsed.blocks),
            ("rootfs", 4096, 1000)
        );
        parsed.check_editable("partition 1", 4_096_000).unwrap();
        assert_eq!(Super::parse(&vec![0; 1024]), None);
        assert_eq!(Super::parse(&block()[..1000]), None);
    }

    #[test]
    fn refuses_with_a_reason_and_a_way_out() {
        let room = u64::MAX;
        assert!(refusal(0x60, 0x4, room).contains("journal has to be replayed; boot the image"));
        assert!(refusal(0xe8, 1, room).contains("deleted while open"));
        assert!(refusal(0x3a, 3, room).contains("damaged or in use"));
        assert!(refusal(0x65, 2, room).contains("bigalloc"));
        assert!(refusal(0x61, 0x80, room).contains("inline_data"));
        assert!(refusal(0x65, 0x10, room).contains("read-only"));
        assert!(refusal(0x18, 2, 4_095_999).contains("larger than its partition"));
    }

    #[test]
    fn nothing_is_allocated_for_absurd_claims() {
        let room = u64::MAX;
        assert!(refusal(0x7, 0x80, room).contains("claims 2147484648 blocks"));
        assert!(refusal(0x3, 0x80, room).contains("inodes, which no image has"));
        assert!(refusal(0x14, 8, room).contains("claims 8 as first block"));
        assert!(refusal(0x21, 0, room).contains("claims 0 blocks per group"));
        assert!(refusal(0x20, 1, room).contains("claims 32769 blocks per group"));
        assert!(refusal(0x29, 0, room).contains("claims 0 inodes per group"));
        let mut bytes = block();
        bytes[0x60] = 0x80;
        bytes[0xff] = 4;
        let wide = Super::parse(&bytes).unwrap().check_editable("partition 1", room).unwrap_err();
        assert!(wide.to_string().contains("claims 1024 bytes per descriptor"), "{wide}");
    }
}
