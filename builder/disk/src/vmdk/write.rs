//! Writes VMDK images: streamOptimized for transport (OVA), monolithicSparse for use.

mod sparse;
mod stream;

use uuid::Uuid;

use super::descriptor::Description;
use super::layout::{MAX_SECTORS, SECTOR, TABLE_ENTRIES};
use crate::unit::UNIT;
use crate::{Error, Result};

pub use super::descriptor::Adapter;
pub use sparse::SparseWriter;
pub use stream::StreamWriter;

/// Sectors of a grain: a unit, as everybody writes.
const GRAIN: u64 = UNIT / SECTOR;
/// The descriptor's place and room, in sectors, as everybody writes.
const DESCRIPTOR_AT: u64 = 1;
const DESCRIPTOR_LEN: u64 = 20;
/// Longest text that the importers in the field are known to take.
const MAX_TEXT: usize = 1024;

/// What a VMDK says about itself besides the disk's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Name of the file, as the extent line gives it. The reader does not need it to be
    /// right, but it is part of the bytes: give it without a path.
    pub name: String,
    /// Gives the CID (its last 32 bits) and the long content id. Derive it from the plan, so
    /// that equal plans give equal files; disks of different content need different ones,
    /// since VMware tells by the CID whether a parent has changed.
    pub id: Uuid,
    /// The controller that the disk is made for.
    pub adapter: Adapter,
    /// `ddb.virtualHWVersion`. Only ESX 3 and older look at it, and refuse what is too new.
    pub hw_version: u32,
}

impl Options {
    /// The usual disk: lsilogic, and hardware version 4, which open-vmdk writes.
    #[must_use]
    pub fn new(name: impl Into<String>, id: Uuid) -> Self {
        Self { name: name.into(), id, adapter: Adapter::default(), hw_version: 4 }
    }

    /// The descriptor's sectors, for a disk of `sectors` sectors.
    fn descriptor(&self, create_type: &'static str, sectors: u64) -> Result<Vec<u8>> {
        let is_odd = |c: char| c.is_control() || matches!(c, '"' | '/' | '\\');
        if self.name.is_empty() || self.name.contains(is_odd) {
            return Err(Error::Unsupported {
                format: "vmdk",
                feature: format!("the extent name {:?}", self.name),
                hint: "use a file name without quotes, slashes and control characters",
            });
        }
        let description = Description {
            create_type,
            name: &self.name,
            id: self.id,
            adapter: self.adapter,
            hw_version: self.hw_version,
            sectors,
        };
        let mut text = description.encode().into_bytes();
        if text.len() > MAX_TEXT {
            return Err(Error::Unsupported {
                format: "vmdk",
                feature: format!("a descriptor of {} bytes", text.len()),
                hint: "some importers take 1024 bytes at most: use a shorter file name",
            });
        }
        text.resize((DESCRIPTOR_LEN * SECTOR) as usize, 0);
        Ok(text)
    }
}

/// Sectors of a disk of `size` bytes, rounded up to whole grains, which must not be more than
/// `limit`.
fn capacity(size: u64, limit: u64) -> Result<u64> {
    if size == 0 || size > limit * SECTOR {
        return Err(Error::Unsupported {
            format: "vmdk",
            feature: format!("a disk of {size} bytes"),
            hint: "a streamOptimized disk may have up to 62 TiB, a monolithicSparse one 2 TiB",
        });
    }
    Ok(size.next_multiple_of(UNIT) / SECTOR)
}

/// Largest disk of each kind, in sectors.
const STREAM_LIMIT: u64 = MAX_SECTORS;
const SPARSE_LIMIT: u64 = (2 << 40) / SECTOR - GRAIN;

/// Index of the grain at `offset` on the disk, as the grain directory's and the table's.
fn grain_index(offset: u64) -> (usize, usize) {
    let (index, entries) = (offset / UNIT, u64::from(TABLE_ENTRIES));
    ((index / entries) as usize, (index % entries) as usize)
}

/// A place in the file as a table entry.
fn entry(offset: u64) -> Result<u32> {
    u32::try_from(offset / SECTOR).map_err(|_| Error::Unsupported {
        format: "vmdk",
        feature: "a file of more than 2 TiB".into(),
        hint: "make the disk smaller",
    })
}

/// Entries as bytes, padded to whole sectors.
fn table_bytes(entries: &[u32]) -> Vec<u8> {
    let mut bytes: Vec<u8> = entries.iter().flat_map(|entry| entry.to_le_bytes()).collect();
    bytes.resize(bytes.len().next_multiple_of(SECTOR as usize), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_sectors_of_32_bits() {
        assert_eq!(entry((2 << 40) - 512).unwrap(), u32::MAX);
        let error = entry(2 << 40).unwrap_err().to_string();
        assert!(error.contains("a file of more than 2 TiB"), "{error}");
        assert_eq!(grain_index((64 << 20) + UNIT), (2, 1));
        assert_eq!(table_bytes(&[1, 0x0102]).len(), 512);
    }
}
