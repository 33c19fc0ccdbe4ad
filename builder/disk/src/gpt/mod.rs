//! The GUID partition table (UEFI specification 2.10, section 5.3).
//!
//! Read and moved here rather than by a crate: the ones at hand renumber partitions or
//! allocate and panic at a hostile header's word.

mod check;
mod grow;
mod layout;
mod relocate;

use crate::partition::{Kind, Partition, SECTOR, Table, TableKind, check_layout};
use crate::view::{View, read_vec};
use crate::{Error, Result};

use layout::{ENTRY_LEN, Entry, Header};

pub use check::check;
pub(crate) use grow::grow;
pub use relocate::move_backup;

/// A header with the bytes of its entries.
#[derive(Debug)]
struct Gpt {
    sector: u64,
    header: Header,
    entries: Vec<u8>,
}

/// Reads the GPT of `disk` from its primary header; nothing if there is none.
pub(crate) fn read(disk: &(impl View + ?Sized)) -> Result<Option<Table>> {
    let Some(gpt) = load(disk)? else {
        return Ok(None);
    };
    let mut partitions = Vec::new();
    for (number, bytes) in (1..).zip(gpt.entries.chunks_exact(ENTRY_LEN as usize)) {
        let Some(entry) = Entry::parse(bytes) else {
            continue;
        };
        partitions.push(gpt.partition(number, &entry)?);
    }
    check_layout("gpt", &partitions, disk.size())?;
    Ok(Some(Table { kind: TableKind::Gpt { disk: gpt.header.disk }, partitions }))
}

/// Bytes of the sectors in which the GPT of `disk` counts; nothing if there is no GPT.
///
/// # Errors
/// As [`crate::partition::read`].
pub fn sector_size(disk: &(impl View + ?Sized)) -> Result<Option<u64>> {
    Ok(load(disk)?.map(|gpt| gpt.sector))
}

impl Gpt {
    fn partition(&self, number: u32, entry: &Entry) -> Result<Partition> {
        let at = self.header.entries_lba * self.sector + u64::from(number - 1) * ENTRY_LEN;
        let sectors = entry.last.checked_sub(entry.first).and_then(|n| n.checked_add(1));
        let len = sectors.and_then(|sectors| sectors.checked_mul(self.sector));
        match (entry.first.checked_mul(self.sector), len) {
            (Some(start), Some(len)) => Ok(Partition {
                number,
                start,
                len,
                kind: Kind::Gpt {
                    type_guid: entry.type_guid,
                    guid: entry.guid,
                    name: entry.name.clone(),
                },
            }),
            _ => {
                let problem = format!(
                    "partition {number} cannot lie on a disk from sector {} to {}",
                    entry.first, entry.last
                );
                Err(Error::malformed("gpt", "partition entry", at, problem))
            }
        }
    }
}

/// Reads and checks the primary header and its entries, for sectors of 512 or 4096 bytes.
fn load(disk: &(impl View + ?Sized)) -> Result<Option<Gpt>> {
    for sector in [SECTOR, 4096] {
        if disk.size() < 2 * sector {
            continue;
        }
        let bytes = read_vec(disk, sector, SECTOR)?;
        if !Header::has_magic(&bytes) {
            continue;
        }
        let header = Header::parse(&bytes, sector)?;
        let entries =
            read_vec(disk, header.entries_lba.saturating_mul(sector), header.entries_len())?;
        header.check_entries(&entries, sector)?;
        return Ok(Some(Gpt { sector, header, entries }));
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
