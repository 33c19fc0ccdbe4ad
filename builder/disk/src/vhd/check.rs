//! Checks that the blocks of a dynamic VHD do not overlap. Footer, its copy and the dynamic
//! header have checksums, which opening the file looks at.

use super::layout::{DYNAMIC_HEADER_LEN, FOOTER_LEN};
use super::read::Vhd;
use crate::Result;
use crate::check::{Finding, Owned, overlaps};
use crate::view::View;

/// Checks the block allocation table.
pub(crate) fn check(file: &impl View) -> Result<Vec<Finding>> {
    let image = Vhd::new(file)?;
    let Some((header_at, table)) = image.places() else {
        return Ok(Vec::new());
    };
    let footer_at = file.size().saturating_sub(FOOTER_LEN);
    let mut owned = vec![
        Owned::new(0, FOOTER_LEN, ("copy of the footer at", 0)),
        Owned::new(header_at, DYNAMIC_HEADER_LEN, ("dynamic header at", header_at)),
        Owned::new(table.0, table.1, ("block allocation table at", table.0)),
        Owned::new(footer_at, FOOTER_LEN, ("footer at", footer_at)),
    ];
    for (guest, at, len) in image.stored_blocks() {
        let (at, len) = (at?, len);
        if let Some(at) = at {
            owned.push(Owned::new(at, len, ("block of", guest)));
        }
    }
    Ok(overlaps(owned))
}
