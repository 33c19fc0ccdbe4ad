//! Room in a file system: what edits need and what is free.

use std::ops::{AddAssign, SubAssign};

/// Blocks and inodes of one file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Need {
    pub(crate) blocks: u64,
    pub(crate) inodes: u64,
}

impl AddAssign for Need {
    fn add_assign(&mut self, other: Self) {
        self.blocks = self.blocks.saturating_add(other.blocks);
        self.inodes = self.inodes.saturating_add(other.inodes);
    }
}

impl SubAssign for Need {
    fn sub_assign(&mut self, other: Self) {
        self.blocks = self.blocks.saturating_sub(other.blocks);
        self.inodes = self.inodes.saturating_sub(other.inodes);
    }
}

/// A number of bytes for people, such as `12.5 MiB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} bytes") } else { format!("{value:.1} {}", UNITS[unit]) }
}
