//! On-disk structures of qcow2: header and table entries, as bytes and as values.

use crate::fields::{be32, be64};
use crate::{Error, Result};

/// First bytes of the file.
pub(crate) const MAGIC: [u8; 4] = *b"QFI\xfb";

/// Length of the header written here: version 3 up to and including the compression type.
pub(super) const HEADER_LEN: usize = 112;
const V3_HEADER_LEN: usize = 104;

/// Incompatible feature bits that a reader has to know.
const INCOMPAT_DIRTY: u64 = 1 << 0;
const INCOMPAT_CORRUPT: u64 = 1 << 1;
const INCOMPAT_EXTERNAL_DATA: u64 = 1 << 2;
pub(super) const INCOMPAT_COMPRESSION: u64 = 1 << 3;
const INCOMPAT_EXTENDED_L2: u64 = 1 << 4;

/// Largest tables that QEMU itself accepts.
const MAX_L1_BYTES: u64 = 32 << 20;
const MAX_REFCOUNT_TABLE_BYTES: u64 = 8 << 20;

/// Offset of a table or cluster in an entry: bits 9 to 55.
const OFFSET_MASK: u64 = 0x00ff_ffff_ffff_fe00;
pub(super) const COPIED: u64 = 1 << 63;
pub(super) const COMPRESSED: u64 = 1 << 62;
const ZERO: u64 = 1;

/// Window of the deflate streams: 4 KiB, which is all that readers are sure to have, since
/// QEMU writes no more.
pub(super) const WINDOW_BITS: u8 = 12;

/// How compressed clusters are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    /// Raw deflate, whatever the specification's name for it.
    Zlib,
    Zstd,
}

/// The header, as far as a reader needs it; every field is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) version: u32,
    /// Whether refcounts may be wrong, which only a writer has to know.
    pub(super) is_dirty: bool,
    pub(super) cluster_bits: u32,
    pub(super) size: u64,
    pub(super) l1_entries: u32,
    pub(super) l1_offset: u64,
    pub(super) codec: Codec,
}

impl Header {
    pub(super) fn cluster_size(&self) -> u64 {
        1 << self.cluster_bits
    }

    /// Entries of an L2 table, which is one cluster of 8-byte entries.
    pub(super) fn l2_entries(&self) -> u64 {
        self.cluster_size() / 8
    }

    /// Bytes of the disk that one L2 table maps.
    pub(super) fn l2_span(&self) -> u64 {
        self.l2_entries() * self.cluster_size()
    }

    /// Parses the first bytes of a file of `file_size` bytes.
    pub(super) fn parse(bytes: &[u8], file_size: u64) -> Result<Self> {
        if bytes.len() < V3_HEADER_LEN {
            return Err(bad("header", 0, "the file is shorter than a header".into()));
        }
        if bytes[..4] != MAGIC {
            return Err(bad("magic", 0, "this is not a qcow2 file".into()));
        }
        let version = be32(bytes, 4);
        let codec = match version {
            2 => Codec::Zlib,
            3 => check_features(bytes)?,
            other => return Err(bad("version", 4, format!("{other}, expected 2 or 3"))),
        };
        refuse_references(bytes)?;
        let header = Self {
            version,
            is_dirty: version >= 3 && be64(bytes, 72) & INCOMPAT_DIRTY != 0,
            cluster_bits: be32(bytes, 20),
            size: be64(bytes, 24),
            l1_entries: be32(bytes, 36),
            l1_offset: be64(bytes, 40),
            codec,
        };
        header.check_geometry(file_size)?;
        header.check_refcount_table(bytes, version, file_size)?;
        Ok(header)
    }

    fn check_geometry(&self, file_size: u64) -> Result<()> {
        if !(9..=21).contains(&self.cluster_bits) {
            let problem = format!("{}, expected 9 to 21", self.cluster_bits);
            return Err(bad("cluster_bits", 20, problem));
        }
        let needed = self.size.div_ceil(self.l2_span());
        if u64::from(self.l1_entries) < needed {
            let problem = format!(
                "{} entries cannot map a disk of {} bytes, which needs {needed}",
                self.l1_entries, self.size
            );
            return Err(bad("l1_size", 36, problem));
        }
        let l1_bytes = u64::from(self.l1_entries) * 8;
        if l1_bytes > MAX_L1_BYTES {
            return Err(bad(
                "l1_size",
                36,
                format!("the table is larger than {MAX_L1_BYTES} bytes"),
            ));
        }
        self.check_table("l1_table_offset", 40, (self.l1_offset, l1_bytes), file_size)
    }

    fn check_refcount_table(&self, bytes: &[u8], version: u32, file_size: u64) -> Result<()> {
        if version == 3 && be32(bytes, 96) > 6 {
            return Err(bad("refcount_order", 96, format!("{}, expected 0 to 6", be32(bytes, 96))));
        }
        let table_bytes = u64::from(be32(bytes, 56)) << self.cluster_bits;
        if table_bytes > MAX_REFCOUNT_TABLE_BYTES.max(self.cluster_size()) {
            let problem = format!("{} clusters are more than QEMU accepts", be32(bytes, 56));
            return Err(bad("refcount_table_clusters", 56, problem));
        }
        let table = (be64(bytes, 48), table_bytes);
        self.check_table("refcount_table_offset", 48, table, file_size)
    }

    /// A table must be aligned, lie behind the header and inside the file.
    fn check_table(
        &self,
        field: &'static str,
        at: u64,
        (offset, len): (u64, u64),
        file_size: u64,
    ) -> Result<()> {
        if len == 0 {
            return Ok(());
        }
        if offset < self.cluster_size() || !offset.is_multiple_of(self.cluster_size()) {
            return Err(bad(field, at, format!("{offset:#x} is not the start of a cluster")));
        }
        match offset.checked_add(len) {
            Some(end) if end <= file_size => Ok(()),
            _ => Err(bad(
                field,
                at,
                format!(
                    "the table at {offset:#x} ({len} bytes) reaches past the end of the file \
                     ({file_size} bytes); the file is truncated or damaged"
                ),
            )),
        }
    }
}

/// Checks the feature bits of version 3 and gives the codec.
fn check_features(bytes: &[u8]) -> Result<Codec> {
    let bits = be64(bytes, 72);
    let header_len = be32(bytes, 100) as usize;
    if header_len < V3_HEADER_LEN || !header_len.is_multiple_of(8) || header_len > 1 << 21 {
        let problem = format!("{header_len}, expected a multiple of 8 from {V3_HEADER_LEN}");
        return Err(bad("header_length", 100, problem));
    }
    if bits & INCOMPAT_CORRUPT != 0 {
        let problem = "the image is marked corrupt; repair it with `qemu-img check -r all`";
        return Err(bad("incompatible_features", 72, problem.into()));
    }
    if bits & INCOMPAT_EXTERNAL_DATA != 0 {
        return Err(unsupported("an external data file".into()));
    }
    if bits & INCOMPAT_EXTENDED_L2 != 0 {
        return Err(unsupported("extended L2 entries (subclusters)".into()));
    }
    // A dirty image has refcounts to repair, which a reader does not use.
    let known = INCOMPAT_DIRTY | INCOMPAT_COMPRESSION;
    if bits & !known != 0 {
        return Err(unsupported(format!("incompatible feature bit {}", (bits & !known).ilog2())));
    }
    if bits & INCOMPAT_COMPRESSION == 0 {
        return Ok(Codec::Zlib);
    }
    match bytes.get(V3_HEADER_LEN).filter(|_| header_len > V3_HEADER_LEN) {
        Some(0) => Ok(Codec::Zlib),
        Some(1) => Ok(Codec::Zstd),
        Some(other) => Err(unsupported(format!("compression type {other}"))),
        None => Err(bad("compression_type", 104, "the header is too short to hold it".into())),
    }
}

/// Refuses encryption and backing files.
fn refuse_references(bytes: &[u8]) -> Result<()> {
    match be32(bytes, 32) {
        0 => {}
        1 => return Err(unsupported("encryption (AES)".into())),
        2 => return Err(unsupported("encryption (LUKS)".into())),
        other => return Err(unsupported(format!("encryption method {other}"))),
    }
    let offset = be64(bytes, 8);
    if offset == 0 {
        return Ok(());
    }
    let name = usize::try_from(offset)
        .ok()
        .and_then(|at| bytes.get(at..at.checked_add(be32(bytes, 16) as usize)?))
        .map_or_else(|| "(name out of reach)".into(), String::from_utf8_lossy);
    Err(unsupported(format!("the backing file {name:?}")))
}

fn bad(field: &'static str, offset: u64, problem: String) -> Error {
    Error::malformed("qcow2", field, offset, problem)
}

fn unsupported(feature: String) -> Error {
    let hint = "make a standalone image with `qemu-img convert -O qcow2 IN OUT` first";
    Error::Unsupported { format: "qcow2", feature, hint }
}

/// What an L2 entry says about a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cluster {
    Unallocated,
    Zero,
    /// Stored as it is at this offset of the file.
    Plain(u64),
    /// Stored compressed in at most `len` bytes from this offset.
    Compressed {
        offset: u64,
        len: u64,
    },
}

/// Number of low bits of a compressed entry that hold the offset.
fn offset_bits(cluster_bits: u32) -> u32 {
    62 - (cluster_bits - 8)
}

impl Cluster {
    pub(super) fn parse(entry: u64, cluster_bits: u32) -> Self {
        if entry & COMPRESSED != 0 {
            let bits = offset_bits(cluster_bits);
            let offset = entry & ((1 << bits) - 1);
            let sectors = ((entry & (COMPRESSED - 1)) >> bits) + 1;
            return Self::Compressed { offset, len: sectors * 512 - offset % 512 };
        }
        if entry & ZERO != 0 {
            return Self::Zero;
        }
        match entry & OFFSET_MASK {
            0 => Self::Unallocated,
            offset => Self::Plain(offset),
        }
    }
}

/// The entry of a compressed cluster of `len` bytes at `offset`.
pub(super) fn compressed_entry(offset: u64, len: u64, cluster_bits: u32) -> u64 {
    let sectors = (offset + len).div_ceil(512) - offset / 512;
    COMPRESSED | ((sectors - 1) << offset_bits(cluster_bits)) | offset
}

/// Offset of a table in an L1 entry; 0 where there is none.
pub(super) fn table_offset(entry: u64) -> u64 {
    entry & OFFSET_MASK
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A valid header of a 1 GiB disk in a file of 1 MiB.
    fn header() -> Vec<u8> {
        let mut bytes = vec![0; 4096];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..8].copy_from_slice(&3u32.to_be_bytes());
        bytes[20..24].copy_from_slice(&16u32.to_be_bytes());
        bytes[24..32].copy_from_slice(&(1u64 << 30).to_be_bytes());
        bytes[36..40].copy_from_slice(&2u32.to_be_bytes());
        bytes[40..48].copy_from_slice(&0x30000u64.to_be_bytes());
        bytes[48..56].copy_from_slice(&0x10000u64.to_be_bytes());
        bytes[56..60].copy_from_slice(&1u32.to_be_bytes());
        bytes[96..100].copy_from_slice(&4u32.to_be_bytes());
        bytes[100..104].copy_from_slice(&104u32.to_be_bytes());
        bytes
    }

    fn with(at: usize, bytes: &[u8]) -> String {
        let mut header = header();
        header[at..at + bytes.len()].copy_from_slice(bytes);
        Header::parse(&header, 1 << 20).unwrap_err().to_string()
    }

    #[test]
    fn accepts_a_good_header() {
        let header = Header::parse(&header(), 1 << 20).unwrap();
        assert_eq!((header.size, header.codec), (1 << 30, Codec::Zlib));
        assert_eq!(header.l2_span(), 512 << 20);
    }

    #[test]
    fn refuses_by_name() {
        assert!(with(32, &2u32.to_be_bytes()).contains("encryption (LUKS) is not supported"));
        assert!(with(72, &4u64.to_be_bytes()).contains("external data file"));
        assert!(with(72, &16u64.to_be_bytes()).contains("extended L2"));
        assert!(with(72, &(1u64 << 40).to_be_bytes()).contains("feature bit 40"));
        assert!(with(72, &2u64.to_be_bytes()).contains("marked corrupt"));
        let mut bytes = header();
        bytes[8..16].copy_from_slice(&200u64.to_be_bytes());
        bytes[16..20].copy_from_slice(&8u32.to_be_bytes());
        bytes[200..208].copy_from_slice(b"base.img");
        let error = Header::parse(&bytes, 1 << 20).unwrap_err().to_string();
        assert!(error.contains("the backing file \"base.img\" is not supported"), "{error}");
        bytes[8..16].copy_from_slice(&u64::MAX.to_be_bytes());
        assert!(Header::parse(&bytes, 1 << 20).is_err());
    }

    #[test]
    fn checks_every_size() {
        assert!(with(0, b"XFI").contains("not a qcow2"));
        assert!(with(4, &9u32.to_be_bytes()).contains("version"));
        assert!(with(20, &8u32.to_be_bytes()).contains("cluster_bits"));
        assert!(with(20, &60u32.to_be_bytes()).contains("cluster_bits"));
        assert!(with(24, &(1u64 << 62).to_be_bytes()).contains("cannot map"));
        assert!(with(36, &u32::MAX.to_be_bytes()).contains("larger than"));
        assert!(with(40, &0x30001u64.to_be_bytes()).contains("start of a cluster"));
        assert!(with(40, &0u64.to_be_bytes()).contains("start of a cluster"));
        assert!(with(40, &(1u64 << 40).to_be_bytes()).contains("truncated"));
        assert!(with(48, &(1u64 << 40).to_be_bytes()).contains("truncated"));
        assert!(with(56, &u32::MAX.to_be_bytes()).contains("refcount_table_clusters"));
        assert!(with(96, &7u32.to_be_bytes()).contains("refcount_order"));
        assert!(with(100, &96u32.to_be_bytes()).contains("header_length"));
        assert!(with(72, &8u64.to_be_bytes()).contains("compression_type"));
    }

    #[test]
    fn compressed_entries_round_trip() {
        for (offset, len) in [(0x50000, 1), (0x50123, 30000), (0x501ff, 1), (0x50200, 512)] {
            let parsed = Cluster::parse(compressed_entry(offset, len, 16), 16);
            let Cluster::Compressed { offset: got, len: room } = parsed else {
                panic!("{parsed:?}");
            };
            assert_eq!(got, offset);
            assert!(room >= len && room < len + 512, "{room} for {len}");
        }
        assert_eq!(Cluster::parse(COPIED | 0x50000, 16), Cluster::Plain(0x50000));
        assert_eq!(Cluster::parse(1, 16), Cluster::Zero);
        assert_eq!(Cluster::parse(0, 16), Cluster::Unallocated);
    }
}
