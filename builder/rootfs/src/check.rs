//! What a file system's super block says against what it has to be. The files themselves
//! are e2fsck's and fsck.vfat's business.

use bootwright_disk::check::Finding;
use bootwright_disk::view::{View, read_vec};

use crate::ext4::probe::{self, Super};
use crate::volume::{Contents, Volume};
use crate::{Error, Result};

/// Bytes of the two file allocation tables that are compared.
const MAX_FAT: u64 = 64 << 20;

/// Checks the super block or boot sector of a volume, and its copies.
///
/// # Errors
/// What reading the volume says.
pub fn check(volume: &Volume) -> Result<Vec<Finding>> {
    let view = volume.view();
    let found = match volume.contents {
        Contents::Ext4 { .. } => ext4(&view),
        Contents::Fat { .. } => fat(&view),
        Contents::Other => Ok(Vec::new()),
    };
    let mut findings =
        found.map_err(|source| Error::Disk { place: volume.place.clone(), source })?;
    if let Some(unclean) = volume.unclean {
        findings.push(Finding::new("state", "a clean file system", unclean));
    }
    for finding in &mut findings {
        finding.place = format!("{}: {}", volume.place, finding.place);
    }
    Ok(findings)
}

type Found = bootwright_disk::Result<Vec<Finding>>;

fn ext4(view: &dyn View) -> Found {
    let bytes = read_vec(view, probe::OFFSET, probe::LEN)?;
    let Some(found) = Super::parse(&bytes) else {
        return Ok(Vec::new());
    };
    let mut findings: Vec<Finding> = probe::checksum(&bytes)
        .filter(|(stored, computed)| stored != computed)
        .map(|(stored, computed)| {
            Finding::new("checksum of the super block", hex(computed), hex(stored))
        })
        .into_iter()
        .collect();
    let size = found.blocks.saturating_mul(found.block_size);
    if size > view.size() {
        findings.push(Finding::new(
            "size",
            format!("at most the volume's {} bytes", view.size()),
            format!("{size} bytes"),
        ));
        return Ok(findings);
    }
    let Some(backup_at) = found.backup() else {
        return Ok(findings);
    };
    if backup_at.saturating_add(probe::LEN) <= view.size() {
        let backup = Super::parse(&read_vec(view, backup_at, probe::LEN)?);
        let same = backup.is_some_and(|backup| {
            (backup.uuid, backup.blocks, backup.block_size)
                == (found.uuid, found.blocks, found.block_size)
        });
        if !same {
            findings.push(Finding::new(
                format!("backup of the super block at {backup_at:#x}"),
                "the same UUID and size as in the first one",
                "others, or no super block",
            ));
        }
    }
    Ok(findings)
}

fn hex(value: u32) -> String {
    format!("{value:#010x}")
}

/// The boot sector's fields that a reader has to believe.
struct BootSector {
    sector: u64,
    reserved: u64,
    fats: u64,
    fat_sectors: u64,
    sectors: u64,
    is_fat32: bool,
    backup: u64,
}

impl BootSector {
    fn parse(bytes: &[u8]) -> Self {
        let le = |at: usize, len: usize| {
            let field = bytes.get(at..at + len).unwrap_or_default();
            field.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
        };
        let or = |short: u64, long: u64| if short == 0 { long } else { short };
        let is_fat32 = le(22, 2) == 0;
        Self {
            sector: le(11, 2),
            reserved: le(14, 2),
            fats: le(16, 1),
            fat_sectors: or(le(22, 2), le(36, 4)),
            sectors: or(le(19, 2), le(32, 4)),
            is_fat32,
            backup: le(50, 2),
        }
    }
}

fn fat(view: &dyn View) -> Found {
    let bytes = read_vec(view, 0, view.size().min(512))?;
    let boot = BootSector::parse(&bytes);
    let mut findings = Vec::new();
    if bytes.get(510..512) != Some(&[0x55, 0xaa]) {
        findings.push(Finding::new("boot sector", "55 aa at its end", "something else"));
    }
    let size = boot.sectors.saturating_mul(boot.sector);
    if size > view.size() {
        findings.push(Finding::new(
            "size",
            format!("at most the volume's {} bytes", view.size()),
            format!("{size} bytes"),
        ));
        return Ok(findings);
    }
    if boot.is_fat32 && boot.backup != 0 && boot.backup != 0xffff {
        let at = boot.backup * boot.sector;
        if at + 512 <= view.size() && read_vec(view, at, 512)? != bytes {
            findings.push(Finding::new(
                format!("copy of the boot sector at {at:#x}"),
                "the same as the boot sector",
                "something else",
            ));
        }
    }
    let (start, len) = (boot.reserved * boot.sector, boot.fat_sectors * boot.sector);
    let end = start.saturating_add(len.saturating_mul(2));
    if boot.fats >= 2 && len <= MAX_FAT && end <= view.size() {
        let (first, second) = (read_vec(view, start, len)?, read_vec(view, start + len, len)?);
        if first != second {
            findings.push(Finding::new(
                "second file allocation table",
                "the same as the first",
                "something else",
            ));
        }
        // Linux marks a mounted file system in the boot sector, others in the table: the
        // highest bits of the second entry mean clean, and without errors.
        let (at, clean) = if boot.is_fat32 { (7, 0x0c) } else { (3, 0xc0) };
        let is_wide = boot.is_fat32 || len > 6144;
        let is_mounted = bytes.get(if boot.is_fat32 { 65 } else { 37 }).is_some_and(|b| b & 1 == 1);
        if is_mounted || (is_wide && first.get(at).is_some_and(|flags| flags & clean != clean)) {
            findings.push(Finding::new("state", "a clean file system", "not unmounted cleanly"));
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_sector_of_nonsense_is_survived() {
        for byte in [0, 0xff] {
            let view = bootwright_disk::view::Memory::new(vec![byte; 8192]);
            fat(&view).unwrap();
            ext4(&view).unwrap();
        }
    }
}
