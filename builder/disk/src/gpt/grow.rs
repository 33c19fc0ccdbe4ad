//! Lets a partition reach to the end of the disk.

use super::relocate::{move_backup, padded};
use super::{ENTRY_LEN, Header, load};
use crate::Result;
use crate::fields::{le64, put};
use crate::partition::ALIGNMENT;
use crate::view::WriteView;

/// Grows partition `number`, behind which nothing lies, as far as the table allows. Its end
/// is aligned like its start is, so that whoever grows it once more finds nothing to do.
pub(crate) fn grow(disk: &impl WriteView, number: u32) -> Result<()> {
    move_backup(disk)?;
    let Some(mut gpt) = load(disk)? else {
        return Ok(());
    };
    let sector = gpt.sector;
    let at = (u64::from(number.saturating_sub(1)) * ENTRY_LEN) as usize;
    let grain = ALIGNMENT / sector;
    let last = (gpt.header.last_usable + 1) / grain * grain;
    if gpt.entries.len() < at + ENTRY_LEN as usize || last <= le64(&gpt.entries, at + 40) + 1 {
        return Ok(());
    }
    put(&mut gpt.entries, at + 40, &(last - 1).to_le_bytes());
    let entry_sectors = gpt.header.entries_len().div_ceil(sector);
    let primary = Header { entries_crc: crc32fast::hash(&gpt.entries), ..gpt.header };
    let backup = Header {
        own_lba: primary.other_lba,
        other_lba: primary.own_lba,
        entries_lba: primary.other_lba.saturating_sub(entry_sectors),
        ..primary.clone()
    };
    for header in [backup, primary] {
        disk.write_at(header.entries_lba * sector, &gpt.entries)?;
        disk.write_at(header.own_lba * sector, &padded(&header, sector))?;
    }
    Ok(())
}
