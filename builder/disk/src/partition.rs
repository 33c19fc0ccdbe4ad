//! Partitions of a disk, whichever table describes them.

use uuid::Uuid;

use crate::view::{View, WriteView};
use crate::{Result, gpt, mbr};

/// Bytes of a logical sector, in which tables count. Disks with sectors of 4096 bytes are
/// recognised by the place of their GPT.
pub const SECTOR: u64 = 512;
/// Where partitions begin and end, in bytes, as every tool of today aligns them.
pub(crate) const ALIGNMENT: u64 = 1 << 20;

/// A partition table and what it lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// `gpt` or `mbr`.
    pub kind: TableKind,
    /// The partitions, in the order of their numbers.
    pub partitions: Vec<Partition>,
}

/// The kinds of partition table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableKind {
    /// GUID partition table (UEFI specification, chapter 5).
    Gpt {
        /// GUID of the disk.
        disk: Uuid,
    },
    /// The PC's master boot record.
    Mbr {
        /// The disk signature.
        signature: u32,
    },
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its number, counted from 1 as the kernel does. Numbers may have gaps.
    pub number: u32,
    /// First byte on the disk.
    pub start: u64,
    /// Length in bytes.
    pub len: u64,
    /// What its table says it is for.
    pub kind: Kind,
}

/// The type of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// An entry of a GPT.
    Gpt {
        /// The type GUID.
        type_guid: Uuid,
        /// The GUID of this partition (PARTUUID).
        guid: Uuid,
        /// The name (PARTLABEL).
        name: String,
    },
    /// An entry of an MBR.
    Mbr {
        /// The type byte.
        id: u8,
        /// Whether it is marked active.
        active: bool,
    },
}

/// Type GUIDs that matter here (UEFI and the Discoverable Partitions Specification).
pub mod types {
    use uuid::{Uuid, uuid};

    /// EFI system partition.
    pub const ESP: Uuid = uuid!("c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
    /// Extended boot loader partition, mounted on /boot.
    pub const XBOOTLDR: Uuid = uuid!("bc13c2ff-59e6-4262-a352-b275fd6f7172");
    /// Root of an x86-64 system.
    pub const ROOT_X86_64: Uuid = uuid!("4f68bce3-e8cd-4db1-96e7-fbcaf984b709");
    /// Root of an AArch64 system.
    pub const ROOT_ARM64: Uuid = uuid!("b921b045-1df0-41c3-af44-4c6f280d3fae");
}

/// Reads the partition table of `disk`; nothing where there is none.
///
/// # Errors
/// [`crate::Error::Malformed`] for a table that contradicts itself or the disk.
pub fn read(disk: &(impl View + ?Sized)) -> Result<Option<Table>> {
    if let Some(table) = gpt::read(disk)? {
        return Ok(Some(table));
    }
    mbr::read(disk)
}

/// Lets a partition reach to the end of the disk, as far as its table allows; the caller
/// sees to it that nothing lies behind it. Gives its length in bytes afterwards.
///
/// # Errors
/// What reading the table or writing the disk says.
pub fn grow(disk: &impl WriteView, partition: &Partition) -> Result<u64> {
    match partition.kind {
        Kind::Gpt { .. } => gpt::grow(disk, partition.number)?,
        Kind::Mbr { .. } => mbr::grow(disk, partition.number)?,
    }
    let table = read(disk)?;
    let partitions = table.map(|table| table.partitions).unwrap_or_default();
    let found = partitions.iter().find(|found| found.number == partition.number);
    Ok(found.map_or(partition.len, |found| found.len))
}

/// Checks that partitions lie on the disk and do not overlap.
pub(crate) fn check_layout(
    format: &'static str,
    partitions: &[Partition],
    disk_size: u64,
) -> Result<()> {
    let bad = |partition: &Partition, problem: String| {
        crate::Error::malformed(format, "partition", partition.start, problem)
    };
    let mut sorted: Vec<&Partition> = partitions.iter().collect();
    sorted.sort_by_key(|partition| partition.start);
    for partition in &sorted {
        let number = partition.number;
        match partition.start.checked_add(partition.len) {
            Some(end) if partition.len > 0 && end <= disk_size => {}
            _ => {
                return Err(bad(
                    partition,
                    format!(
                        "partition {number} ({} bytes) does not lie on the disk ({disk_size} bytes)",
                        partition.len
                    ),
                ));
            }
        }
    }
    for pair in sorted.windows(2) {
        if pair[0].start + pair[0].len > pair[1].start {
            let (a, b) = (pair[0].number, pair[1].number);
            return Err(bad(pair[1], format!("partitions {a} and {b} overlap")));
        }
    }
    Ok(())
}
