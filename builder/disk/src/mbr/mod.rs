//! The PC's master boot record, with logical partitions.

mod layout;

use crate::fields::put;
use crate::partition::{ALIGNMENT, Kind, Partition, SECTOR, Table, TableKind, check_layout};
use crate::view::{View, WriteView, read_vec};
use crate::{Error, Result};

use layout::{Entry, parse};

/// More logical partitions than any system numbers; a longer chain is a loop.
const MAX_LOGICAL: u32 = 60;

/// Reads the MBR of `disk`; nothing if there is none or it only protects a GPT.
pub(crate) fn read(disk: &(impl View + ?Sized)) -> Result<Option<Table>> {
    if disk.size() < SECTOR {
        return Ok(None);
    }
    let Some(record) = parse(&read_vec(disk, 0, SECTOR)?) else {
        return Ok(None);
    };
    let mut partitions = Vec::new();
    for (number, entry) in (1..).zip(&record.entries) {
        if entry.is_extended() {
            read_logical(disk, entry, &mut partitions)?;
        } else if !entry.is_empty() {
            partitions.push(partition(number, 0, entry));
        }
    }
    if partitions.is_empty() {
        return Ok(None);
    }
    partitions.sort_by_key(|partition| partition.number);
    check_layout("mbr", &partitions, disk.size())?;
    Ok(Some(Table { kind: TableKind::Mbr { signature: record.signature }, partitions }))
}

/// Grows primary partition `number`, behind which nothing lies, to the end of the disk or
/// as far as the table can count. Others cannot grow: they lie in one that would have to.
pub(crate) fn grow(disk: &impl WriteView, number: u32) -> Result<()> {
    let mut sector = read_vec(disk, 0, SECTOR)?;
    let entry = match (parse(&sector), number.checked_sub(1)) {
        (Some(record), Some(index @ 0..=3)) => record.entries[index as usize],
        _ => return Ok(()),
    };
    let end = disk.size() / ALIGNMENT * (ALIGNMENT / SECTOR);
    let sectors = end.saturating_sub(entry.start.into()).min(u32::MAX.into()) as u32;
    if sectors > entry.sectors {
        let at = layout::SECTORS + 16 * (number as usize - 1);
        put(&mut sector, at, &sectors.to_le_bytes());
        disk.write_at(0, &sector)?;
    }
    Ok(())
}

fn partition(number: u32, base: u64, entry: &Entry) -> Partition {
    Partition {
        number,
        start: (base + u64::from(entry.start)) * SECTOR,
        len: u64::from(entry.sectors) * SECTOR,
        kind: Kind::Mbr { id: entry.id, active: entry.active },
    }
}

/// Follows the chain of extended boot records, each of which holds one logical partition
/// and the place of the next record, counted from the first one.
fn read_logical(
    disk: &(impl View + ?Sized),
    extended: &Entry,
    partitions: &mut Vec<Partition>,
) -> Result<()> {
    let first = u64::from(extended.start);
    let mut at = first;
    for number in 5..5 + MAX_LOGICAL {
        let Some(record) = parse(&read_vec(disk, at * SECTOR, SECTOR)?) else {
            let problem = "the extended partition has no boot record here".to_owned();
            return Err(Error::malformed("mbr", "extended boot record", at * SECTOR, problem));
        };
        if !record.entries[0].is_empty() {
            partitions.push(partition(number, at, &record.entries[0]));
        }
        if !record.entries[1].is_extended() {
            return Ok(());
        }
        at = first + u64::from(record.entries[1].start);
    }
    let problem = format!("the chain of logical partitions has more than {MAX_LOGICAL} links");
    Err(Error::malformed("mbr", "extended boot record", at * SECTOR, problem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Memory;

    fn record(entries: &[(u8, u32, u32)]) -> Vec<u8> {
        let mut bytes = vec![0; 512];
        for (index, &(id, start, sectors)) in entries.iter().enumerate() {
            let at = 446 + index * 16;
            bytes[at] = if index == 0 { 0x80 } else { 0 };
            bytes[at + 4] = id;
            bytes[at + 8..at + 12].copy_from_slice(&start.to_le_bytes());
            bytes[at + 12..at + 16].copy_from_slice(&sectors.to_le_bytes());
        }
        bytes[510..].copy_from_slice(&[0x55, 0xaa]);
        bytes
    }

    fn disk(records: &[(u64, Vec<u8>)]) -> Memory {
        let mut bytes = vec![0; 1 << 20];
        for (sector, record) in records {
            let at = (sector * SECTOR) as usize;
            bytes[at..at + 512].copy_from_slice(record);
        }
        Memory::new(bytes)
    }

    #[test]
    fn reads_primary_and_logical_partitions() {
        let disk = disk(&[
            (0, record(&[(0x83, 8, 92), (0x0f, 100, 1000)])),
            (100, record(&[(0x83, 10, 50), (0x05, 200, 100)])),
            (300, record(&[(0x82, 10, 50)])),
        ]);
        let table = read(&disk).unwrap().unwrap();
        let seen: Vec<_> =
            table.partitions.iter().map(|p| (p.number, p.start / 512, p.len / 512)).collect();
        assert_eq!(seen, [(1, 8, 92), (5, 110, 50), (6, 310, 50)]);
        assert_eq!(table.partitions[0].kind, Kind::Mbr { id: 0x83, active: true });
    }

    #[test]
    fn refuses_loops_and_overlaps() {
        let looping =
            disk(&[(0, record(&[(0x0f, 100, 1000)])), (100, record(&[(0, 0, 0), (0x05, 0, 100)]))]);
        assert!(read(&looping).unwrap_err().to_string().contains("more than 60 links"));
        let overlap = disk(&[(0, record(&[(0x83, 8, 100), (0x83, 50, 100)]))]);
        assert!(read(&overlap).unwrap_err().to_string().contains("1 and 2 overlap"));
        let outside = disk(&[(0, record(&[(0x83, 8, u32::MAX)]))]);
        assert!(read(&outside).unwrap_err().to_string().contains("does not lie on the disk"));
    }

    #[test]
    fn a_boot_sector_without_a_table_is_none() {
        assert_eq!(read(&disk(&[])).unwrap(), None);
        assert_eq!(read(&disk(&[(0, record(&[]))])).unwrap(), None);
        assert_eq!(read(&disk(&[(0, record(&[(0xee, 1, 9)]))])).unwrap(), None);
        let mut fat = record(&[(0x83, 8, 92)]);
        fat[446] = 0x42;
        assert_eq!(read(&disk(&[(0, fat)])).unwrap(), None);
    }
}
