//! A seed medium: a small ISO 9660 or FAT volume that cloud-init and the agent find by its label.
//!
//! Sources: cloud-init's `DataSourceNoCloud.py` (label `cidata`, files in the root) and
//! `DataSourceConfigDrive.py` (label `config-2`, files under `openstack/latest`).

mod bounded;
mod error;
pub(crate) mod names;
pub mod probe;
pub mod read;
mod volume;
#[cfg(feature = "write")]
pub mod write;

use std::fmt;

use serde::Deserialize;

pub use error::ReadError;

/// What kind of seed a medium is. One medium has one label, so it is of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
pub enum Kind {
    /// cloud-init's NoCloud: `user-data` and `meta-data` in the root, both required.
    #[serde(rename = "cidata")]
    Cidata,
    /// OpenStack's config drive, version 2: `user_data` and `meta_data.json` in
    /// `openstack/latest`, the latter with a `uuid`.
    #[serde(rename = "config-2")]
    Config2,
}

impl Kind {
    /// Both kinds, in the order they are looked for unless something says otherwise.
    pub const ALL: [Self; 2] = [Self::Cidata, Self::Config2];

    /// The kind's name, which is also the volume label it is written with.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cidata => "cidata",
            Self::Config2 => "config-2",
        }
    }

    /// The kind that a volume labelled `label` is of. All lower case and all upper case are
    /// recognised, mixed case is not: cloud-init looks for these two spellings only.
    #[must_use]
    pub fn of_label(label: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| label == kind.name() || label == kind.name().to_ascii_uppercase())
    }

    /// Path of the user-data on the medium.
    #[must_use]
    pub fn user_data(self) -> &'static str {
        match self {
            Self::Cidata => "user-data",
            Self::Config2 => "openstack/latest/user_data",
        }
    }

    /// Path of the meta-data on the medium, which holds the instance-id.
    #[must_use]
    pub fn meta_data(self) -> &'static str {
        match self {
            Self::Cidata => "meta-data",
            Self::Config2 => "openstack/latest/meta_data.json",
        }
    }

    /// Paths that cloud-init reads as well if they are there.
    #[must_use]
    pub fn optional(self) -> &'static [&'static str] {
        match self {
            Self::Cidata => &["vendor-data", "network-config"],
            Self::Config2 => &[
                "openstack/latest/vendor_data.json",
                "openstack/latest/vendor_data2.json",
                "openstack/latest/network_data.json",
            ],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The file system of a medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Filesystem {
    /// ISO 9660, with or without Rock Ridge and Joliet.
    Iso9660,
    /// FAT12, FAT16 or FAT32.
    Vfat,
}

impl Filesystem {
    /// The name that blkid and the kernel use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Iso9660 => "iso9660",
            Self::Vfat => "vfat",
        }
    }
}

impl fmt::Display for Filesystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_as_cloud_init_matches_them() {
        assert_eq!(Kind::of_label("cidata"), Some(Kind::Cidata));
        assert_eq!(Kind::of_label("CIDATA"), Some(Kind::Cidata));
        assert_eq!(Kind::of_label("config-2"), Some(Kind::Config2));
        assert_eq!(Kind::of_label("CONFIG-2"), Some(Kind::Config2));
        for other in ["CiData", "Config-2", "cidata ", "cidata2", "", "config_2"] {
            assert_eq!(Kind::of_label(other), None, "{other:?}");
        }
    }
}
