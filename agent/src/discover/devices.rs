//! The block devices the kernel knows, from /sys/class/block.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::root::Root;

/// Names of devices that are never a seed: they hold what the guest itself put there, or, like
/// a floppy drive without a disk, keep a reader waiting for seconds. udev's persistent-storage
/// rules leave out the same ones.
const LEFT_OUT: [&str; 8] = ["loop", "ram", "zram", "dm-", "md", "nbd", "fd", "mtd"];

/// What tells one state of a device from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Size in sectors of 512 bytes.
    size: u64,
    /// Counts the media that were in the drive; 0 before Linux 5.15.
    sequence: u64,
}

/// Every whole disk and partition that could be a seed, by name.
pub fn list(root: &Root) -> BTreeMap<String, Device> {
    let Ok(entries) = fs::read_dir(root.at("/sys/class/block")) else {
        return BTreeMap::new();
    };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| !LEFT_OUT.iter().any(|prefix| name.starts_with(prefix)))
        .filter_map(|name| {
            let folder = root.at("/sys/class/block").join(&name);
            let size = number(&folder.join("size")).filter(|size| *size > 0)?;
            let sequence = number(&folder.join("diskseq")).unwrap_or(0);
            Some((name, Device { size, sequence }))
        })
        .collect()
}

/// The node of a device. The kernel writes `/` in a name as `!` (`cciss!c0d0`).
pub fn node(name: &str) -> String {
    format!("/dev/{}", name.replace('!', "/"))
}

/// Whether it is a CD or DVD drive.
pub fn is_optical(name: &str) -> bool {
    name.starts_with("sr")
}

/// The folder in /sys of the whole disk that a device is or is a partition of.
pub fn disk_of(root: &Root, node: &str) -> Option<std::path::PathBuf> {
    let name = node.strip_prefix("/dev/")?.replace('/', "!");
    let folder = fs::canonicalize(root.at("/sys/class/block").join(name)).ok()?;
    match folder.join("partition").exists() {
        true => folder.parent().map(Path::to_path_buf),
        false => Some(folder),
    }
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}
