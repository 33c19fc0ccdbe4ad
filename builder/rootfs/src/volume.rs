//! The volumes of a disk: its partitions, or the disk itself, with what is on them.

use std::sync::Arc;

use bootwright_disk::partition::{self, Kind as PartitionKind, Partition, types};
use bootwright_disk::view::{View, Window, WriteView, read_vec};
use uuid::Uuid;

use crate::ext4::probe::{self, Super};
use crate::fat::Identity;
use crate::fs::Fs;
use crate::node::Kind;
use crate::{Error, Result};

/// Label of the root file system in every Ubuntu cloud image.
const CLOUD_ROOT: &str = "cloudimg-rootfs";
/// udev's links to partitions, and the keys of fstab(5) that say the same.
const BY_LINKS: [(&str, &str); 4] = [
    ("/dev/disk/by-label/", "LABEL"),
    ("/dev/disk/by-uuid/", "UUID"),
    ("/dev/disk/by-partuuid/", "PARTUUID"),
    ("/dev/disk/by-partlabel/", "PARTLABEL"),
];

/// A place for a file system.
#[derive(Clone)]
pub struct Volume {
    /// How errors and reports call it, such as `partition 1 (ext4, cloudimg-rootfs)`.
    pub place: String,
    /// The partition, unless the volume is the whole disk.
    pub partition: Option<Partition>,
    /// What is on it.
    pub contents: Contents,
    /// Why the file system is not sound as it is, if it says so itself.
    pub unclean: Option<&'static str>,
    pub(crate) access: Access,
    pub(crate) view: Arc<dyn WriteView>,
}

impl std::fmt::Debug for Volume {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Volume").field("place", &self.place).finish_non_exhaustive()
    }
}

/// What a volume is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To be changed: only file systems that every edit keeps valid.
    Edit,
    /// To be looked at.
    Read,
}

/// What a volume holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contents {
    /// ext2, ext3 or ext4.
    Ext4 {
        /// File system label.
        label: String,
        /// File system UUID.
        uuid: Uuid,
        /// Time of the last write, in seconds since 1970.
        written: i64,
    },
    /// FAT.
    Fat {
        /// Volume label.
        label: String,
        /// Serial number as blkid prints it, such as `1A2B-3C4D`.
        serial: String,
    },
    /// Something else, or nothing.
    Other,
}

impl Contents {
    /// What is there, and why it is not sound.
    fn probe(view: &Arc<dyn WriteView>) -> bootwright_disk::Result<(Self, Option<&'static str>)> {
        if view.size() >= probe::OFFSET + probe::LEN {
            let bytes = read_vec(view, probe::OFFSET, probe::LEN)?;
            if let Some(found) = Super::parse(&bytes) {
                let unclean = found.unclean();
                let Super { label, uuid, written, .. } = found;
                return Ok((Self::Ext4 { label, uuid, written }, unclean));
            }
        }
        let contents = match Identity::probe(Arc::clone(view)) {
            Some(Identity { label, serial }) => Self::Fat { label, serial },
            None => Self::Other,
        };
        Ok((contents, None))
    }

    fn describe(&self) -> String {
        match self {
            Self::Ext4 { label, .. } if label.is_empty() => "ext4".to_owned(),
            Self::Ext4 { label, .. } => format!("ext4, {label}"),
            Self::Fat { label, .. } if label.is_empty() => "FAT".to_owned(),
            Self::Fat { label, .. } => format!("FAT, {label}"),
            Self::Other => "no known file system".to_owned(),
        }
    }
}

impl Volume {
    fn new(view: Arc<dyn WriteView>, partition: Option<Partition>, access: Access) -> Result<Self> {
        let name = match &partition {
            Some(partition) => format!("partition {}", partition.number),
            None => "the disk".to_owned(),
        };
        let (contents, unclean) =
            Contents::probe(&view).map_err(|source| Error::Disk { place: name.clone(), source })?;
        let place = format!("{name} ({})", contents.describe());
        Ok(Self { place, partition, contents, unclean, access, view })
    }

    /// Whether this is the file system that an fstab's first field names. Names by the
    /// order of disks and partitions, such as `/dev/sda1`, are not understood.
    pub(crate) fn is_named(&self, spec: &str) -> bool {
        let linked = BY_LINKS.iter().find_map(|(dir, key)| Some((*key, spec.strip_prefix(dir)?)));
        let (key, value) = linked.or_else(|| spec.split_once('=')).unwrap_or(("", spec));
        let value = value.trim_matches('"');
        match (key, &self.contents, self.partition.as_ref().map(|partition| &partition.kind)) {
            ("LABEL", Contents::Ext4 { label, .. } | Contents::Fat { label, .. }, _) => {
                label == value
            }
            ("UUID", Contents::Ext4 { uuid, .. }, _) => {
                Uuid::parse_str(value).is_ok_and(|v| v == *uuid)
            }
            ("UUID", Contents::Fat { serial, .. }, _) => serial.eq_ignore_ascii_case(value),
            ("PARTUUID", _, Some(PartitionKind::Gpt { guid, .. })) => {
                Uuid::parse_str(value).is_ok_and(|v| v == *guid)
            }
            ("PARTLABEL", _, Some(PartitionKind::Gpt { name, .. })) => name == value,
            _ => false,
        }
    }

    /// The bytes of the volume.
    #[must_use]
    pub fn view(&self) -> Arc<dyn View> {
        Arc::clone(&self.view) as Arc<dyn View>
    }

    /// Bytes of the file system, and those of them that are free; nothing if it is of a kind
    /// that is not known here.
    ///
    /// # Errors
    /// What opening the file system says.
    pub fn usage(&self) -> Result<Option<(u64, u64)>> {
        let Some(mut fs) = Fs::open(self, 0)? else {
            return Ok(None);
        };
        let (block, free) = (fs.block_size()?, fs.free_space()?.blocks);
        Ok(Some((fs.size()?, free.saturating_mul(block))))
    }

    fn has_root_type(&self) -> bool {
        let roots = [types::ROOT_X86_64, types::ROOT_ARM64];
        let partition = self.partition.as_ref().map(|partition| &partition.kind);
        matches!(partition, Some(PartitionKind::Gpt { type_guid, .. }) if roots.contains(type_guid))
    }

    fn is_ext4(&self) -> bool {
        matches!(self.contents, Contents::Ext4 { .. })
    }
}

/// Finds the volumes of a disk.
///
/// # Errors
/// A partition table that contradicts itself, and what reading the disk says.
pub fn volumes(disk: &Arc<dyn WriteView>) -> Result<Vec<Volume>> {
    volumes_for(disk, Access::Edit)
}

/// Finds the volumes of a disk, to be edited or only to be read.
///
/// # Errors
/// As [`volumes`].
pub fn volumes_for(disk: &Arc<dyn WriteView>, access: Access) -> Result<Vec<Volume>> {
    let whole = |source| Error::Disk { place: "the partition table".to_owned(), source };
    let Some(table) = partition::read(disk).map_err(whole)? else {
        return Ok(vec![Volume::new(Arc::clone(disk), None, access)?]);
    };
    let mut volumes = Vec::new();
    for partition in table.partitions {
        let window =
            Window::new(Arc::clone(disk), partition.start, partition.len).map_err(whole)?;
        volumes.push(Volume::new(Arc::new(window), Some(partition), access)?);
    }
    Ok(volumes)
}

/// Finds the root among the volumes: by the label of cloud images, by the partition's type,
/// or as the only ext4 that holds an operating system. Never by its number.
///
/// # Errors
/// [`Error::NoRoot`] when there is none, or more than one.
pub fn find_root(volumes: &[Volume]) -> Result<usize> {
    let labelled = |volume: &Volume| matches!(&volume.contents, Contents::Ext4 { label, .. } if label == CLOUD_ROOT);
    let by_label = indices(volumes, labelled);
    let by_type = indices(volumes, |volume| volume.is_ext4() && volume.has_root_type());
    let mut candidates = if by_label.is_empty() { by_type } else { by_label };
    if candidates.is_empty() {
        candidates = by_content(volumes)?;
    }
    let places = |found: &mut dyn Iterator<Item = &Volume>| {
        found.map(|volume| volume.place.as_str()).collect::<Vec<_>>().join("; ")
    };
    match candidates[..] {
        [root] => Ok(root),
        [] => Err(Error::NoRoot {
            found: format!(
                "the image holds {}; none is an ext4 labelled {CLOUD_ROOT}, typed as a root \
                 partition or holding an operating system",
                places(&mut volumes.iter())
            ),
        }),
        _ => Err(Error::NoRoot {
            found: format!(
                "{} could each be it; label one of them {CLOUD_ROOT}",
                places(&mut candidates.iter().map(|&index| &volumes[index]))
            ),
        }),
    }
}

fn indices(volumes: &[Volume], wanted: impl Fn(&Volume) -> bool) -> Vec<usize> {
    let numbered = volumes.iter().enumerate();
    numbered.filter(|(_, volume)| wanted(volume)).map(|(index, _)| index).collect()
}

/// The ext4 file systems that hold an operating system. One that cannot be read is passed
/// over if there is another.
fn by_content(volumes: &[Volume]) -> Result<Vec<usize>> {
    let mut found = Vec::new();
    let mut trouble = None;
    for index in indices(volumes, Volume::is_ext4) {
        match holds_system(&volumes[index]) {
            Ok(true) => found.push(index),
            Ok(false) => {}
            Err(error) => trouble = trouble.or(Some(error)),
        }
    }
    match trouble {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
}

/// Whether a file system looks like the root of an operating system.
fn holds_system(volume: &Volume) -> Result<bool> {
    let Some(mut fs) = Fs::open(volume, 0)? else {
        return Ok(false);
    };
    let Some(etc) = fs.lookup(fs.root(), b"etc")? else {
        return Ok(false);
    };
    if fs.attr(etc)?.kind != Kind::Dir {
        return Ok(false);
    }
    Ok(fs.lookup(etc, b"passwd")?.is_some() || fs.lookup(etc, b"os-release")?.is_some())
}
