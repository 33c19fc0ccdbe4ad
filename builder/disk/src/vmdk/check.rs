//! Checks that the grains and tables of a VMDK do not overlap, and that the second copy of
//! the tables says the same as the first.

use std::collections::HashSet;

use super::layout::{Grain, SECTOR, TABLE_ENTRIES, flags};
use super::read::Vmdk;
use crate::Result;
use crate::check::{Finding, Owned, overlaps};
use crate::fields::le32;
use crate::view::{View, read_vec};

/// Findings of one kind that are listed; more say nothing new.
const MAX_FINDINGS: usize = 20;
const TABLE_LEN: u64 = TABLE_ENTRIES as u64 * 4;

/// Checks all tables.
pub(crate) fn check(file: &impl View) -> Result<Vec<Finding>> {
    let image = Vmdk::new(file)?;
    let header = image.header();
    let mut owned = vec![
        Owned::new(0, SECTOR, ("header at", 0)),
        Owned::new(
            header.descriptor.saturating_mul(SECTOR),
            header.descriptor_len.saturating_mul(SECTOR),
            ("descriptor of sector", header.descriptor),
        ),
    ];
    let mut findings = Vec::new();
    let mut tables = HashSet::new();
    for index in 0..header.directory_entries() {
        let sector = image.directory_entry(index)?;
        if sector == 0 {
            continue;
        }
        let guest = index * header.table_span();
        if !tables.insert(sector) {
            // Its grains are not looked at again: a short file could refer to them forever.
            findings.push(Finding::new(
                format!("grain directory, entry {index}"),
                "a grain table of its own",
                format!("the one at {:#x}, which another entry has", u64::from(sector) * SECTOR),
            ));
            continue;
        }
        owned.push(Owned::new(u64::from(sector) * SECTOR, TABLE_LEN, ("grain table of", guest)));
        collect_grains(&image, guest, &mut owned)?;
    }
    findings.extend(overlaps(owned));
    findings.extend(compare_copies(file, &image)?);
    findings.truncate(MAX_FINDINGS);
    Ok(findings)
}

/// Adds what the grain table that maps `guest` refers to.
fn collect_grains<V: View>(image: &Vmdk<V>, guest: u64, owned: &mut Vec<Owned>) -> Result<()> {
    let header = image.header();
    let Some(table) = image.table(guest)? else {
        return Ok(());
    };
    let starts = (guest..image.size()).step_by(header.grain_len() as usize);
    for (at, &entry) in starts.zip(table.iter()) {
        if let Grain::At(offset) = Grain::parse(entry, header) {
            let len = match header.has(flags::COMPRESSED) {
                true => image.stored_len(at, offset)?,
                false => header.grain_len().min(image.size() - at),
            };
            owned.push(Owned::new(offset, len, ("grain of", at)));
        }
    }
    Ok(())
}

/// Compares the redundant grain tables with the others.
fn compare_copies<V: View>(file: &impl View, image: &Vmdk<V>) -> Result<Vec<Finding>> {
    let header = image.header();
    if !header.has(flags::REDUNDANT) {
        return Ok(Vec::new());
    }
    let mut findings = Vec::new();
    let copy = header.redundant_directory.saturating_mul(SECTOR);
    let directory = read_vec(file, copy, header.directory_entries() * 4)?;
    for (index, entry) in (0..).zip(directory.chunks_exact(4)) {
        let (first, second) = (image.directory_entry(index)?, le32(entry, 0));
        let same = match (first, second) {
            (0, 0) => true,
            (0, _) | (_, 0) => false,
            (first, second) => {
                let table = |sector: u32| read_vec(file, u64::from(sector) * SECTOR, TABLE_LEN);
                table(first)? == table(second)?
            }
        };
        if !same {
            findings.push(Finding::new(
                format!("redundant grain table {index}"),
                "the same entries as in the grain table",
                "others",
            ));
        }
    }
    Ok(findings)
}
