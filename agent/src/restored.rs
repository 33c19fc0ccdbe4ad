//! Whether the data of this machine has been restored: the record that ends
//! `waiting-for-restore`.

use crate::atomic;
use crate::boot::chain;
use crate::root::Root;
use crate::sources::Dmi;

/// The record. It names the machine, so that a copy of the disk waits again.
const PATH: &str = "/var/lib/bootwright/restored";
/// What it holds where the firmware has no UUID.
const ANY: &str = "any machine";

/// Whether it is recorded.
pub fn is_done(root: &Root) -> bool {
    let this = machine(root);
    std::fs::read_to_string(root.at(PATH)).is_ok_and(|text| text.trim() == this)
}

/// Records it.
///
/// # Errors
/// The record cannot be written.
pub fn record(root: &Root) -> Result<(), String> {
    let text = machine(root) + "\n";
    atomic::write(&root.at(PATH), text.as_bytes(), 0o644).map_err(|error| chain(&error))
}

fn machine(root: &Root) -> String {
    Dmi::read(root).uuid.unwrap_or_else(|| ANY.to_owned())
}
