//! `bootwright image diff`.

use std::path::Path;

use anyhow::Result;
use bootwright_rootfs::{Error as RootfsError, bytes};

use crate::cli::Diff;
use crate::exit::Different;
use crate::image::diff::{self, Change, Difference, DiskDiff, FileDiff, PartitionDiff};
use crate::image::input::{self, Input};
use crate::progress::Progress;
use crate::report;

/// Ranges of the disk that are listed; JSON has all of them.
const MAX_RANGES: usize = 10;

/// Compares two images.
///
/// # Errors
/// [`Different`] if they differ, after that has been shown; and images that cannot be read.
pub fn run(arguments: &Diff, progress: Progress) -> Result<()> {
    let open = |path: &Path| input::open(path, None, progress);
    let (a, b) = (open(&arguments.a)?, open(&arguments.b)?);
    let all = !(arguments.disk || arguments.partitions || arguments.files);
    let (disk_a, disk_b) = (&a.image.view, &b.image.view);
    let mut found = Difference::default();
    if all || arguments.disk {
        let _stage = progress.stage("comparing the disks");
        found.disk = Some(diff::disk(disk_a, disk_b)?);
    }
    // Disks that are the same hold the same.
    let is_same = all && found.disk.as_ref().is_some_and(DiskDiff::is_empty);
    if (all && !is_same) || arguments.partitions {
        match diff::partitions(disk_a, disk_b) {
            Ok(partitions) => found.partitions = Some(partitions),
            Err(error) if all => found.problems.push(format!("{error:#}")),
            Err(error) => return Err(error),
        }
    }
    if (all && !is_same) || arguments.files {
        let _stage = progress.stage("comparing the files");
        match files(&a, &b, progress) {
            Ok(files) => found.files = Some(files),
            Err(error) if all && error.chain().any(|cause| cause.is::<RootfsError>()) => {
                found.problems.push(format!("files: {error:#}"));
            }
            Err(error) => return Err(error),
        }
    }
    found.same = found.disk.as_ref().is_none_or(DiskDiff::is_empty)
        && found.partitions.as_ref().is_none_or(PartitionDiff::is_empty)
        && found.files.as_ref().is_none_or(|files| files.changes.is_empty());
    match arguments.json {
        true => report::json(&found)?,
        false => show(&found),
    }
    if found.same { Ok(()) } else { Err(Different.into()) }
}

fn files(a: &Input, b: &Input, progress: Progress) -> Result<FileDiff> {
    diff::files(&mut super::tree(a, progress)?, &mut super::tree(b, progress)?)
}

fn line(text: &str) {
    report::data(report::name(text.as_bytes()));
}

fn show(found: &Difference) {
    if let Some(disk) = &found.disk {
        show_disk(disk);
    }
    if let Some(partitions) = &found.partitions {
        show_partitions(partitions);
    }
    for change in found.files.iter().flat_map(|files| &files.changes) {
        show_change(change);
    }
    for problem in &found.problems {
        line(&format!("not compared: {problem}"));
    }
}

fn show_disk(disk: &DiskDiff) {
    if let Some((a, b)) = disk.size {
        line(&format!("disk: size {a} -> {b}"));
    }
    if !disk.ranges.is_empty() {
        let (count, sum) = (disk.ranges.len(), bytes(disk.bytes()));
        line(&format!("disk: {sum} differ, in {count} ranges"));
    }
    for range in disk.ranges.iter().take(MAX_RANGES) {
        line(&format!("disk: {:#x} to {:#x}", range.start, range.end));
    }
    if disk.ranges.len() > MAX_RANGES {
        line(&format!(
            "disk: and {} more ranges (--json lists them)",
            disk.ranges.len() - MAX_RANGES
        ));
    }
}

fn show_partitions(partitions: &PartitionDiff) {
    if let Some((a, b)) = &partitions.table {
        line(&format!("partition table: {a} -> {b}"));
    }
    for number in &partitions.removed {
        line(&format!("partition {number}: removed"));
    }
    for number in &partitions.added {
        line(&format!("partition {number}: added"));
    }
    for changed in &partitions.changed {
        for (field, a, b) in &changed.fields {
            line(&format!("partition {}: {field} {a:?} -> {b:?}", changed.number));
        }
    }
}

fn show_change(change: &Change) {
    match change {
        Change::Added { path } => line(&format!("added {path}")),
        Change::Removed { path } => line(&format!("removed {path}")),
        Change::Changed { path, fields } => {
            let fields = fields.iter().map(|field| match &field.values {
                Some((a, b)) => format!("{} {a:?} -> {b:?}", field.field),
                None => field.field.to_owned(),
            });
            line(&format!("changed {path}: {}", fields.collect::<Vec<_>>().join(", ")));
        }
    }
}
