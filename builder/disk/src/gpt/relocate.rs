//! Moves the backup GPT to the end of a disk that has grown.

use super::{Gpt, Header, load};
use crate::partition::SECTOR;
use crate::view::{WriteView, read_vec};
use crate::{Error, Result};

/// Moves the backup header and entries to the end of `disk`, where the specification wants
/// them, wipes the old ones and widens the usable range. Partitions, numbers and GUIDs stay
/// as they are. Gives `false` where there is no GPT or nothing to move.
///
/// # Errors
/// What reading the table or writing the disk says.
pub fn move_backup(disk: &impl WriteView) -> Result<bool> {
    let Some(gpt) = load(disk)? else {
        return Ok(false);
    };
    let sector = gpt.sector;
    let last_lba = disk.size() / sector - 1;
    if gpt.header.other_lba >= last_lba {
        return Ok(false);
    }
    let entry_sectors = gpt.header.entries_len().div_ceil(sector);
    let primary_end = gpt.header.entries_lba.saturating_add(entry_sectors);
    let last_usable = last_lba.checked_sub(entry_sectors + 1);
    let Some(last_usable) = last_usable.filter(|&last| last >= primary_end) else {
        let problem = format!("{} do not fit on the disk twice", gpt.header.entries);
        return Err(Error::malformed("gpt", "NumberOfPartitionEntries", sector, problem));
    };
    wipe_old_backup(disk, &gpt)?;
    let backup_entries = last_usable + 1;
    let primary = Header { other_lba: last_lba, last_usable, ..gpt.header.clone() };
    let backup = Header {
        own_lba: last_lba,
        other_lba: gpt.header.own_lba,
        entries_lba: backup_entries,
        ..primary.clone()
    };
    disk.write_at(backup_entries * sector, &gpt.entries)?;
    disk.write_at(last_lba * sector, &padded(&backup, sector))?;
    disk.write_at(sector, &padded(&primary, sector))?;
    widen_protective_entry(disk, last_lba)?;
    Ok(true)
}

pub(super) fn padded(header: &Header, sector: u64) -> Vec<u8> {
    let mut bytes = header.encode();
    bytes.resize(sector as usize, 0);
    bytes
}

/// Zeroes the header and entries of the old backup, if they are there: two backups would
/// leave it to each tool which one it believes.
fn wipe_old_backup(disk: &impl WriteView, gpt: &Gpt) -> Result<()> {
    let at = gpt.header.other_lba * gpt.sector;
    let bytes = read_vec(disk, at, SECTOR)?;
    if !Header::has_magic(&bytes) {
        return Ok(());
    }
    disk.discard(at, gpt.sector)?;
    let entries_len = gpt.header.entries_len().next_multiple_of(gpt.sector);
    let entries_at = at.saturating_sub(entries_len);
    if read_vec(disk, entries_at, gpt.header.entries_len())? == gpt.entries {
        disk.discard(entries_at, entries_len)?;
    }
    Ok(())
}

/// Lets the protective MBR cover the whole disk, if it has the usual single entry.
fn widen_protective_entry(disk: &impl WriteView, last_lba: u64) -> Result<()> {
    const ENTRY: usize = 446;
    let mut mbr = read_vec(disk, 0, SECTOR)?;
    if mbr[ENTRY + 4] == 0xee && mbr[ENTRY + 8..ENTRY + 12] == [1, 0, 0, 0] {
        let sectors = u32::try_from(last_lba).unwrap_or(u32::MAX);
        mbr[ENTRY + 12..ENTRY + 16].copy_from_slice(&sectors.to_le_bytes());
        disk.write_at(0, &mbr)?;
    }
    Ok(())
}
