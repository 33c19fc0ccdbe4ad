//! The root file system, grown into the free room behind its partition.

use std::sync::Arc;

use bootwright_disk::partition;
use bootwright_disk::view::{Window, WriteView};

use crate::ext4;
use crate::volume::{find_root, volumes};
use crate::{Error, Result};

/// What growing the root came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    /// Size of the file system before, in bytes.
    pub before: u64,
    /// Size afterwards.
    pub after: u64,
}

/// Grows the root's partition to the end of the disk and the file system into it; `now` is
/// the time of the change. Gives nothing if there was no room.
///
/// # Errors
/// A root that is not the last on the disk, one whose file system cannot grow, and what
/// reading and writing the disk says.
pub fn grow_root(disk: &Arc<dyn WriteView>, now: i64) -> Result<Option<Growth>> {
    let found = volumes(disk)?;
    let root = &found[find_root(&found)?];
    let failed = |source| Error::Disk { place: root.place.clone(), source };
    let view: Arc<dyn WriteView> = match &root.partition {
        None => Arc::clone(disk),
        Some(partition) => {
            let later = found.iter().filter_map(|volume| volume.partition.as_ref());
            if let Some(other) = later.into_iter().find(|other| other.start > partition.start) {
                return Err(Error::Unsupported {
                    place: root.place.clone(),
                    feature: format!("partition {} lies behind the root", other.number),
                    hint: "only a root that is the last on the disk can grow",
                });
            }
            let len = partition::grow(disk, partition).map_err(failed)?;
            Arc::new(Window::new(Arc::clone(disk), partition.start, len).map_err(failed)?)
        }
    };
    let sizes = ext4::grow(&*view, &root.place, now)?;
    Ok(sizes.map(|(before, after)| Growth { before, after }))
}
