//! Checks what a reader of the primary table does not look at: the backup at the disk's end,
//! and that both say the same.

use super::layout::Header;
use super::load;
use crate::check::Finding;
use crate::partition::SECTOR;
use crate::view::{View, read_vec};
use crate::{Error, Result};

/// Checks the backup of a GPT; nothing to find where there is no GPT. A primary table that
/// is wrong is an error, as for every reader.
///
/// # Errors
/// As [`crate::partition::read`].
pub fn check(disk: &(impl View + ?Sized)) -> Result<Vec<Finding>> {
    let Some(gpt) = load(disk)? else {
        return Ok(Vec::new());
    };
    let mut findings = Vec::new();
    let last = (disk.size() / gpt.sector).saturating_sub(1);
    if gpt.header.other_lba != last {
        findings.push(Finding::new(
            "GPT, AlternateLBA",
            format!("{last}, the disk's last sector"),
            format!("{}; move it with `sgdisk -e`", gpt.header.other_lba),
        ));
    }
    match backup(disk, gpt.sector, gpt.header.other_lba) {
        Ok((header, entries)) => {
            let expected = (gpt.header.disk, gpt.header.first_usable, gpt.header.last_usable);
            let found = (header.disk, header.first_usable, header.last_usable);
            if expected != found || entries != gpt.entries {
                findings.push(Finding::new(
                    "backup of the GPT",
                    "the same disk GUID, usable sectors and partitions as in the primary table",
                    "others; one of them is damaged: `sgdisk -v` compares them",
                ));
            }
        }
        Err(error @ Error::Io { .. }) => return Err(error),
        Err(error) => {
            findings.push(Finding::new("backup of the GPT", "a good one", error.to_string()))
        }
    }
    findings.extend(protective(&read_vec(disk, 0, SECTOR)?));
    Ok(findings)
}

/// The backup header and its entries.
fn backup(disk: &(impl View + ?Sized), sector: u64, lba: u64) -> Result<(Header, Vec<u8>)> {
    let at = lba.saturating_mul(sector);
    let bytes = read_vec(disk, at, SECTOR)?;
    if !Header::has_magic(&bytes) {
        let problem = "there is no GPT header here";
        return Err(Error::malformed("gpt", "backup header", at, problem));
    }
    let header = Header::parse_own(&bytes, at, lba)?;
    let entries = read_vec(disk, header.entries_lba.saturating_mul(sector), header.entries_len())?;
    header.check_entries(&entries, at)?;
    Ok((header, entries))
}

/// The MBR has to mark the disk as used, or tools that know no GPT take it for empty.
fn protective(sector: &[u8]) -> Option<Finding> {
    let has_magic = sector.get(510..512) == Some(&[0x55, 0xaa]);
    let kinds = [450, 466, 482, 498].map(|at| sector.get(at).copied().unwrap_or_default());
    (!has_magic || !kinds.contains(&0xee)).then(|| {
        Finding::new(
            "protective MBR",
            "a partition of the type 0xee",
            if has_magic { "none" } else { "no MBR" },
        )
    })
}
