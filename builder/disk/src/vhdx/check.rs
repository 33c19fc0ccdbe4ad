//! Checks both copies of a VHDX's headers and region tables, and that its blocks do not
//! overlap.

use super::layout::{
    Block, HEADER_LEN, HEADERS, Header, MIB, REGION_TABLE_LEN, REGION_TABLES, Regions,
};
use super::read::Vhdx;
use crate::Result;
use crate::check::{Finding, Owned, overlaps};
use crate::view::{View, read_vec};

/// Checks everything that is there twice, and the block allocation table.
pub(crate) fn check(file: &impl View) -> Result<Vec<Finding>> {
    let image = Vhdx::new(file)?;
    let mut findings = Vec::new();
    for at in HEADERS {
        let bytes = read_vec(file, at, HEADER_LEN as u64)?;
        if let Err(error) = Header::parse(&bytes, at, file.size()) {
            findings.push(copy(&format!("header at {at:#x}"), &error));
        }
    }
    for at in REGION_TABLES {
        let bytes = read_vec(file, at, REGION_TABLE_LEN as u64)?;
        if let Err(error) = Regions::parse(&bytes, at, file.size()) {
            findings.push(copy(&format!("region table at {at:#x}"), &error));
        }
    }
    if image.is_replayed() {
        findings.push(Finding::new(
            "log",
            "nothing to replay",
            "changes of a file that was not closed properly (they are read as if made)",
        ));
    }
    let geometry = image.geometry();
    let mut owned = vec![Owned::new(0, MIB, ("headers at", 0))];
    let regions = image.regions();
    for (what, region) in
        [("block allocation table at", regions.bat), ("metadata at", regions.metadata)]
    {
        owned.push(Owned::new(region.offset, region.len.into(), (what, region.offset)));
    }
    for index in 0..geometry.blocks() {
        let start = index * geometry.block_size;
        if let Block::At(at) = image.block(start)? {
            let len = geometry.block_size.min(geometry.size - start);
            owned.push(Owned::new(at, len, ("block of", start)));
        }
    }
    findings.extend(overlaps(owned));
    Ok(findings)
}

fn copy(place: &str, error: &crate::Error) -> Finding {
    Finding::new(place, "two good copies", error.to_string())
}
