//! Disks inside of tar archives: OVA (DSP0243) and XVA, read in place.

mod layout;
mod read;

pub use read::{Archived, Kind, open};
