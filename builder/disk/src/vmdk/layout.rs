//! On-disk structures of hosted sparse extents: header, markers, grain tables. Little-endian.

use crate::fields::{le16, le32, le64, put};
use crate::{Error, Result};

/// First bytes of a hosted sparse extent.
pub(crate) const MAGIC: &[u8; 4] = b"KDMV";
/// First bytes of an extent as ESX keeps it.
pub(crate) const VMFS_MAGIC: &[u8; 4] = b"COWD";

pub(super) const SECTOR: u64 = 512;
/// Bytes of the marker, the header's copy and the end-of-stream marker at the file's end.
pub(super) const FOOTER_LEN: u64 = 3 * SECTOR;
/// Grain directory offset of a header that leaves it to the footer.
const IN_FOOTER: u64 = u64::MAX;

/// Bytes 73 to 76, which a transfer in text mode would change.
const NEWLINES: [u8; 4] = *b"\n \r\n";
const DEFLATE: u16 = 1;

/// Window of the grains' deflate streams: the whole 32 KiB of zlib.
pub(super) const WINDOW_BITS: u8 = 15;

pub(super) mod flags {
    //! Flags of the header. A reader has to know those of the upper half.

    pub(in crate::vmdk) const NEWLINES: u32 = 1 << 0;
    pub(in crate::vmdk) const REDUNDANT: u32 = 1 << 1;
    pub(in crate::vmdk) const ZERO_GRAINS: u32 = 1 << 2;
    pub(in crate::vmdk) const COMPRESSED: u32 = 1 << 16;
    pub(in crate::vmdk) const MARKERS: u32 = 1 << 17;
    pub(super) const KNOWN: u32 = 0xffff | COMPRESSED | MARKERS;
}

/// Largest disk: VMware's own limit, 62 TiB, in sectors.
pub(super) const MAX_SECTORS: u64 = 62 << 31;
/// Largest grain, in sectors. Everybody writes 128.
const MAX_GRAIN: u64 = 4096;
/// Entries of a grain table; VMware knows no other number.
pub(super) const TABLE_ENTRIES: u32 = 512;

/// The header ("Hosted Sparse Extents"), every field in the file's own units (sectors).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) version: u32,
    pub(super) flags: u32,
    pub(super) capacity: u64,
    pub(super) grain: u64,
    pub(super) descriptor: u64,
    pub(super) descriptor_len: u64,
    pub(super) redundant_directory: u64,
    /// Place of the grain directory; nothing if the footer has it.
    pub(super) directory: Option<u64>,
    pub(super) overhead: u64,
}

impl Header {
    pub(super) fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// Bytes of a grain.
    pub(super) fn grain_len(&self) -> u64 {
        self.grain * SECTOR
    }

    /// Bytes of the disk that one grain table maps.
    pub(super) fn table_span(&self) -> u64 {
        u64::from(TABLE_ENTRIES) * self.grain_len()
    }

    /// Entries of the grain directory.
    pub(super) fn directory_entries(&self) -> u64 {
        (self.capacity * SECTOR).div_ceil(self.table_span())
    }

    /// Parses the header (or its copy in the footer) that lies at byte `at` of the file.
    pub(super) fn parse(bytes: &[u8], at: u64) -> Result<Self> {
        if bytes.len() < SECTOR as usize {
            return Err(bad("header", at, "the file is shorter than a header".into()));
        }
        if !bytes.starts_with(MAGIC) {
            return Err(bad(
                "magicNumber",
                at,
                "there is no header of a sparse extent here".into(),
            ));
        }
        let header = Self {
            version: le32(bytes, 4),
            flags: le32(bytes, 8),
            capacity: le64(bytes, 12),
            grain: le64(bytes, 20),
            descriptor: le64(bytes, 28),
            descriptor_len: le64(bytes, 36),
            redundant_directory: le64(bytes, 48),
            directory: Some(le64(bytes, 56)).filter(|&offset| offset != IN_FOOTER),
            overhead: le64(bytes, 64),
        };
        if !(1..=3).contains(&header.version) {
            return Err(bad("version", at + 4, format!("{}, expected 1 to 3", header.version)));
        }
        header.check_flags(bytes, at)?;
        header.check_geometry(bytes, at)?;
        Ok(header)
    }

    fn check_flags(&self, bytes: &[u8], at: u64) -> Result<()> {
        let unknown = self.flags & !flags::KNOWN;
        if unknown != 0 {
            return Err(unsupported(format!("incompatible flag {}", unknown.ilog2())));
        }
        if self.has(flags::NEWLINES) && bytes[73..77] != NEWLINES {
            let problem = "the line ends were converted; transfer the file in binary mode";
            return Err(bad("singleEndLineChar", at + 73, problem.into()));
        }
        match (self.has(flags::COMPRESSED), self.has(flags::MARKERS), le16(bytes, 77)) {
            (false, false, _) | (true, true, DEFLATE) => Ok(()),
            (true, true, other) => Err(unsupported(format!("compression algorithm {other}"))),
            (true, false, _) => Err(unsupported("compression without markers".into())),
            (false, true, _) => {
                Err(bad("flags", at + 8, "markers without compression make no sense".into()))
            }
        }
    }

    fn check_geometry(&self, bytes: &[u8], at: u64) -> Result<()> {
        if self.capacity > MAX_SECTORS {
            let problem = format!("{} sectors are more than VMware's 62 TiB", self.capacity);
            return Err(bad("capacity", at + 12, problem));
        }
        if !self.grain.is_power_of_two() || self.grain > MAX_GRAIN {
            let problem = format!("{}, expected a power of two up to {MAX_GRAIN}", self.grain);
            return Err(bad("grainSize", at + 20, problem));
        }
        if le32(bytes, 44) != TABLE_ENTRIES {
            let problem = format!("{}, expected {TABLE_ENTRIES}", le32(bytes, 44));
            return Err(bad("numGTEsPerGT", at + 44, problem));
        }
        Ok(())
    }

    pub(super) fn encode(&self) -> [u8; SECTOR as usize] {
        let mut bytes = [0; SECTOR as usize];
        put(&mut bytes, 0, MAGIC);
        put(&mut bytes, 4, &self.version.to_le_bytes());
        put(&mut bytes, 8, &self.flags.to_le_bytes());
        put(&mut bytes, 12, &self.capacity.to_le_bytes());
        put(&mut bytes, 20, &self.grain.to_le_bytes());
        put(&mut bytes, 28, &self.descriptor.to_le_bytes());
        put(&mut bytes, 36, &self.descriptor_len.to_le_bytes());
        put(&mut bytes, 44, &TABLE_ENTRIES.to_le_bytes());
        put(&mut bytes, 48, &self.redundant_directory.to_le_bytes());
        put(&mut bytes, 56, &self.directory.unwrap_or(IN_FOOTER).to_le_bytes());
        put(&mut bytes, 64, &self.overhead.to_le_bytes());
        put(&mut bytes, 73, &NEWLINES);
        if self.has(flags::COMPRESSED) {
            put(&mut bytes, 77, &DEFLATE.to_le_bytes());
        }
        bytes
    }
}

/// What a grain table says about a grain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grain {
    Unallocated,
    Zero,
    /// Stored, perhaps compressed, at this offset of the file.
    At(u64),
}

impl Grain {
    pub(super) fn parse(entry: u32, header: &Header) -> Self {
        match entry {
            0 => Self::Unallocated,
            1 if header.has(flags::ZERO_GRAINS) => Self::Zero,
            sector => Self::At(u64::from(sector) * SECTOR),
        }
    }
}

/// Kinds of metadata that a marker announces ("Stream-Optimized Compressed Sparse Extents").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Metadata {
    EndOfStream = 0,
    GrainTable = 1,
    GrainDirectory = 2,
    Footer = 3,
}

/// The marker in front of `sectors` sectors of metadata, which fills a sector.
pub(super) fn metadata_marker(kind: Metadata, sectors: u64) -> [u8; SECTOR as usize] {
    let mut bytes = [0; SECTOR as usize];
    put(&mut bytes, 0, &sectors.to_le_bytes());
    put(&mut bytes, 12, &(kind as u32).to_le_bytes());
    bytes
}

/// Bytes of the marker in front of a compressed grain, whose data follows at once.
pub(super) const GRAIN_MARKER_LEN: usize = 12;

/// The marker in front of `len` compressed bytes of the grain that starts at sector `lba`.
pub(super) fn grain_marker(lba: u64, len: u32) -> [u8; GRAIN_MARKER_LEN] {
    let mut bytes = [0; GRAIN_MARKER_LEN];
    put(&mut bytes, 0, &lba.to_le_bytes());
    put(&mut bytes, 8, &len.to_le_bytes());
    bytes
}

/// Parses the marker at byte `at` of the file, which must announce the grain that starts at
/// sector `lba`, and gives the length of its data.
pub(super) fn parse_grain_marker(
    bytes: &[u8],
    at: u64,
    (lba, grain_len): (u64, u64),
) -> Result<u64> {
    let (found, len) = (le64(bytes, 0), u64::from(le32(bytes, 8)));
    if found != lba {
        let problem = format!("sector {found}, but the grain table says {lba}");
        return Err(bad("grain marker", at, problem));
    }
    // Data that does not shrink grows by a few bytes; nobody stores it at twice the size.
    if len == 0 || len > 2 * grain_len {
        let problem = format!("{len} bytes for a grain of {grain_len}");
        return Err(bad("grain marker", at + 8, problem));
    }
    Ok(len)
}

/// Parses the last three sectors of a file, which start at byte `at`: footer marker, the
/// header with the place of the grain directory, and end-of-stream marker.
pub(super) fn parse_footer(bytes: &[u8], at: u64) -> Result<Header> {
    let sector = SECTOR as usize;
    let missing = |what: &str| {
        let problem = format!(
            "there is no {what} at the end of the file; the file is truncated: fetch it again"
        );
        bad("footer", at, problem)
    };
    if bytes.len() < FOOTER_LEN as usize || bytes[..sector] != metadata_marker(Metadata::Footer, 1)
    {
        return Err(missing("footer marker"));
    }
    if bytes[2 * sector..FOOTER_LEN as usize] != metadata_marker(Metadata::EndOfStream, 0) {
        return Err(missing("end-of-stream marker"));
    }
    Header::parse(&bytes[sector..], at + SECTOR)
}

/// Takes a zlib stream (RFC 1950) apart: what follows its header, which is a raw deflate
/// stream and four bytes of checksum.
pub(super) fn strip_zlib_header(bytes: &[u8]) -> Result<&[u8], String> {
    match bytes {
        [cmf, flags, rest @ ..]
            if cmf & 0x0f == 8
                && flags & 0x20 == 0
                && (u16::from(*cmf) << 8 | u16::from(*flags)).is_multiple_of(31) =>
        {
            Ok(rest)
        }
        _ => Err("not a zlib stream".into()),
    }
}

pub(super) fn bad(field: &'static str, offset: u64, problem: String) -> Error {
    Error::malformed("vmdk", field, offset, problem)
}

pub(super) fn unsupported(feature: String) -> Error {
    let hint = "make a disk of one file with `qemu-img convert -O vmdk IN OUT` first";
    Error::Unsupported { format: "vmdk", feature, hint }
}

#[cfg(test)]
mod tests;
