//! Checks of a container's own structures beyond what reading the disk needs: counts,
//! copies, and places that must not overlap.

use crate::open::Format;
use crate::view::View;
use crate::{Result, qcow2, vhd, vhdx, vmdk};

/// Something that is not as it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where it is.
    pub place: String,
    /// What has to be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl Finding {
    /// A finding.
    pub fn new(
        place: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self { place: place.into(), expected: expected.into(), found: found.into() }
    }
}

/// Checks the structures of the image that `file` holds. An image that cannot be opened has
/// no findings but an error; what its clusters hold is seen when the disk is read.
///
/// # Errors
/// As [`crate::open_view`].
pub fn container(file: &(impl View + ?Sized), format: Format) -> Result<Vec<Finding>> {
    match format {
        Format::Raw => Ok(Vec::new()),
        Format::Qcow2 => qcow2::check(&file),
        Format::Vmdk => vmdk::check(&file),
        Format::Vhdx => vhdx::check(&file),
        Format::Vhd => vhd::check(&file),
    }
}

/// A range of the file that one thing owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Owned {
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// What owns it, and which one.
    pub(crate) what: (&'static str, u64),
}

impl Owned {
    pub(crate) fn new(start: u64, len: u64, what: (&'static str, u64)) -> Self {
        Self { start, end: start.saturating_add(len), what }
    }
}

/// What owns a byte that something else owns, too.
pub(crate) fn overlaps(mut owned: Vec<Owned>) -> Vec<Finding> {
    owned.retain(|range| range.start < range.end);
    owned.sort_unstable();
    let mut findings = Vec::new();
    let mut before: Option<Owned> = None;
    for range in owned {
        if let Some(other) = before.filter(|other| other.end > range.start) {
            let name = |(what, which): (&str, u64)| format!("{what} {which:#x}");
            findings.push(Finding::new(
                format!("offset {:#x} of the file", range.start),
                format!("the {} alone", name(range.what)),
                format!("the {}, too, which ends at {:#x}", name(other.what), other.end),
            ));
        }
        if before.is_none_or(|other| range.end > other.end) {
            before = Some(range);
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaps_are_found_past_short_neighbours() {
        let owned = [(0, 100), (10, 10), (50, 10), (100, 10), (105, 1), (300, 0)];
        let owned = owned.iter().map(|&(start, len)| Owned::new(start, len, ("block", start)));
        let found = overlaps(owned.collect());
        let starts: Vec<&str> = found.iter().map(|finding| finding.place.as_str()).collect();
        assert_eq!(
            starts,
            ["offset 0xa of the file", "offset 0x32 of the file", "offset 0x69 of the file"]
        );
        assert_eq!(found[1].found, "the block 0x0, too, which ends at 0x64");
    }
}
