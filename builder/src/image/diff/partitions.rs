//! Which partitions of two disks differ.

use anyhow::{Context, Result};
use bootwright_disk::partition::{self, Kind, Partition, Table, TableKind};
use bootwright_disk::view::View;
use serde::Serialize;

/// The differences of two partition tables.
#[derive(Debug, Default, Serialize)]
pub struct PartitionDiff {
    /// Kind and id of the tables, if they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<(String, String)>,
    /// Partitions that only the second disk has.
    pub added: Vec<u32>,
    /// Partitions that only the first disk has.
    pub removed: Vec<u32>,
    pub changed: Vec<Changed>,
}

/// A partition that differs.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    pub number: u32,
    /// What differs: the field, and what it is on either disk.
    pub fields: Vec<(&'static str, String, String)>,
}

impl PartitionDiff {
    /// Whether the tables are the same.
    pub fn is_empty(&self) -> bool {
        self.table.is_none()
            && self.added.is_empty()
            && self.removed.is_empty()
            && self.changed.is_empty()
    }
}

/// Compares two partition tables.
///
/// # Errors
/// A table that contradicts itself, and what reading the disks says.
pub fn partitions(a: &dyn View, b: &dyn View) -> Result<PartitionDiff> {
    let a = partition::read(a).context("the partition table of the first image")?;
    let b = partition::read(b).context("the partition table of the second image")?;
    Ok(compare(a, b))
}

fn compare(a: Option<Table>, b: Option<Table>) -> PartitionDiff {
    let mut diff = PartitionDiff::default();
    let (kind_a, kind_b) = (describe(a.as_ref()), describe(b.as_ref()));
    if kind_a != kind_b {
        diff.table = Some((kind_a, kind_b));
    }
    let partitions = |table: Option<Table>| table.map(|table| table.partitions).unwrap_or_default();
    let (a, b) = (partitions(a), partitions(b));
    for old in &a {
        let Some(new) = b.iter().find(|new| new.number == old.number) else {
            diff.removed.push(old.number);
            continue;
        };
        let fields: Vec<_> = fields(old)
            .into_iter()
            .zip(fields(new))
            .filter(|(old, new)| old.1 != new.1)
            .map(|((name, old), (_, new))| (name, old, new))
            .collect();
        if !fields.is_empty() {
            diff.changed.push(Changed { number: old.number, fields });
        }
    }
    let is_new = |new: &&Partition| a.iter().all(|old| old.number != new.number);
    diff.added = b.iter().filter(is_new).map(|new| new.number).collect();
    diff
}

fn describe(table: Option<&Table>) -> String {
    match table.map(|table| &table.kind) {
        None => "none".to_owned(),
        Some(TableKind::Gpt { disk }) => format!("gpt {disk}"),
        Some(TableKind::Mbr { signature }) => format!("mbr {signature:08x}"),
    }
}

/// What a partition is, field by field.
fn fields(partition: &Partition) -> [(&'static str, String); 6] {
    let (kind, id, name, active) = match &partition.kind {
        Kind::Gpt { type_guid, guid, name } => {
            (type_guid.to_string(), guid.to_string(), name.clone(), String::new())
        }
        Kind::Mbr { id, active } => {
            (format!("{id:#04x}"), String::new(), String::new(), active.to_string())
        }
    };
    [
        ("start", partition.start.to_string()),
        ("size", partition.len.to_string()),
        ("type", kind),
        ("id", id),
        ("name", name),
        ("active", active),
    ]
}
