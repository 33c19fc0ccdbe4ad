//! How two images differ, as data: on the level of the disk, of partitions and of files.

mod disk;
mod files;
mod partitions;

use serde::Serialize;

pub use disk::{DiskDiff, disk};
pub use files::{Change, FileDiff, files};
pub use partitions::{PartitionDiff, partitions};

/// All that was compared. Levels that were not asked for are absent.
#[derive(Debug, Default, Serialize)]
pub struct Difference {
    pub same: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<DiskDiff>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partitions: Option<PartitionDiff>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<FileDiff>,
    /// Why a level could not be compared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}
