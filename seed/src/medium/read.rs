//! Reads a seed medium: from a device to the seed's contents, in user space, without a mount.

use std::fmt;
use std::io::{Read, Seek};

use serde::Deserialize;

use super::bounded::Bounded;
use super::probe::{self, Superblock};
use super::volume::{Found, Volume};
use super::{Filesystem, Kind, ReadError};
#[cfg(feature = "write")]
use crate::create::SeedFile;
use crate::{userdata, yaml};

/// Bytes read from one device at most, over everything that is done with it. Four times the
/// largest user-data: a sound seed needs its files and a few sectors of directories.
pub const MAX_READ: u64 = 4 * userdata::MAX_SIZE;

/// Largest meta-data file, in bytes.
pub const MAX_META_DATA: u64 = 1024 * 1024;

/// Longest instance-id, in bytes: the longest name of a directory, which cloud-init makes of it.
const MAX_INSTANCE_ID: usize = 255;

/// What a device turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its file system.
    pub filesystem: Filesystem,
    /// Every label it carries, the most authoritative first.
    pub labels: Vec<String>,
    /// The kind of seed that the labels promise, if they do.
    pub kind: Option<Kind>,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.labels.first() {
            Some(label) => write!(f, "{}, label {label}", self.filesystem),
            None => write!(f, "{}, no label", self.filesystem),
        }
    }
}

/// The contents of a seed medium. Its `Debug` form shows sizes, not the user-data.
#[derive(Clone, PartialEq, Eq)]
pub struct Contents {
    /// The kind.
    pub kind: Kind,
    /// The file system it was on.
    pub filesystem: Filesystem,
    /// The instance-id (`uuid` on a config-2 medium). A cidata medium may lack one; cloud-init
    /// then takes `nocloud`.
    pub instance_id: Option<String>,
    /// Path of the user-data, spelled as on the medium.
    pub user_data_file: String,
    /// The user-data, not yet checked. Secret.
    pub user_data: Vec<u8>,
    /// Every file cloud-init would look at that is present, spelled as on the medium.
    pub files: Vec<String>,
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents")
            .field("kind", &self.kind)
            .field("filesystem", &self.filesystem)
            .field("instance_id", &self.instance_id)
            .field("user_data_file", &self.user_data_file)
            .field("user_data", &format_args!("{} bytes", self.user_data.len()))
            .field("files", &self.files)
            .finish()
    }
}

/// Tells what `device` holds. `Ok(None)`: neither ISO 9660 nor FAT.
///
/// # Errors
///
/// [`ReadError::Device`] if the device fails; [`ReadError::TooMuch`] if its FAT root directory
/// is endless. A damaged FAT is not an error here: its boot sector's label counts.
pub fn identify<R: Read + Seek>(device: R) -> Result<Option<Identity>, ReadError> {
    let Some((device, superblock)) = sniff(device)? else {
        return Ok(None);
    };
    let Superblock { filesystem, mut labels } = superblock;
    if filesystem == Filesystem::Vfat {
        match Volume::mount(device, filesystem).and_then(|mut volume| volume.label()) {
            Ok(Some(label)) if !labels.contains(&label) => labels.insert(0, label),
            Ok(_) | Err(ReadError::Damaged { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let kind = labels.iter().find_map(|label| Kind::of_label(label));
    Ok(Some(Identity { filesystem, labels, kind }))
}

/// Reads the seed of the given kind off `device`.
///
/// # Errors
///
/// See [`ReadError`]; among them a missing user-data or meta-data, both of which cloud-init
/// requires as well.
pub fn read<R: Read + Seek>(device: R, kind: Kind) -> Result<Contents, ReadError> {
    let (device, superblock) = sniff(device)?.ok_or(ReadError::NoFilesystem)?;
    let filesystem = superblock.filesystem;
    let mut volume = Volume::mount(device, filesystem)?;
    let user_data_file = require(&mut volume, kind, kind.user_data())?;
    let meta_data_file = require(&mut volume, kind, kind.meta_data())?;
    let user_data = volume.read(&user_data_file, userdata::MAX_SIZE)?;
    let meta_data = volume.read(&meta_data_file, MAX_META_DATA)?;
    let instance_id = match kind {
        Kind::Cidata => yaml_instance_id(&meta_data_file.path, &meta_data)?,
        Kind::Config2 => Some(json_uuid(&meta_data_file.path, &meta_data)?),
    };
    if let Some(length) =
        instance_id.as_ref().map(String::len).filter(|length| *length > MAX_INSTANCE_ID)
    {
        return Err(ReadError::InstanceId {
            file: meta_data_file.path,
            length,
            limit: MAX_INSTANCE_ID,
        });
    }
    let mut files = vec![user_data_file.path.clone(), meta_data_file.path];
    for path in kind.optional() {
        files.extend(volume.find(path)?.map(|found| found.path));
    }
    Ok(Contents {
        kind,
        filesystem,
        instance_id,
        user_data_file: user_data_file.path,
        user_data,
        files,
    })
}

/// Every file on the medium, whatever its label, spelled as on the medium.
///
/// # Errors
///
/// See [`ReadError`].
#[cfg(feature = "write")]
pub fn every_file<R: Read + Seek>(device: R) -> Result<Vec<SeedFile>, ReadError> {
    let (device, superblock) = sniff(device)?.ok_or(ReadError::NoFilesystem)?;
    let mut volume = Volume::mount(device, superblock.filesystem)?;
    let found = volume.walk()?;
    let file = |found: Found| {
        let content = volume.read(&found, userdata::MAX_SIZE)?;
        Ok(SeedFile { path: found.path.into(), content })
    };
    found.into_iter().map(file).collect()
}

/// The device behind its budget and what its first bytes say.
fn sniff<R: Read + Seek>(device: R) -> Result<Option<(Bounded<R>, Superblock)>, ReadError> {
    let mut device = Bounded::new(device, MAX_READ).map_err(ReadError::device)?;
    let head = device.head(probe::HEAD_LEN as u64).map_err(ReadError::device)?;
    Ok(probe::sniff(&head).map(|superblock| (device, superblock)))
}

/// Reads one file of any name off `device`, up to `limit` bytes; `None` if it is not there.
///
/// # Errors
///
/// See [`ReadError`].
pub fn file<R: Read + Seek>(
    device: R,
    path: &str,
    limit: u64,
) -> Result<Option<Vec<u8>>, ReadError> {
    let (device, superblock) = sniff(device)?.ok_or(ReadError::NoFilesystem)?;
    let mut volume = Volume::mount(device, superblock.filesystem)?;
    match volume.find(path)? {
        Some(found) => volume.read(&found, limit).map(Some),
        None => Ok(None),
    }
}

fn require(volume: &mut Volume<'_>, kind: Kind, path: &str) -> Result<Found, ReadError> {
    volume.find(path)?.ok_or_else(|| ReadError::Missing { kind, file: path.to_owned() })
}

/// The instance-id in a cidata medium's meta-data, which may be empty.
fn yaml_instance_id(file: &str, bytes: &[u8]) -> Result<Option<String>, ReadError> {
    #[derive(Default, Deserialize)]
    struct MetaData {
        #[serde(rename = "instance-id")]
        instance_id: Option<String>,
    }
    let bad = |source| ReadError::MetaData { file: file.to_owned(), source };
    let text = yaml::decode(bytes).map_err(bad)?;
    let meta_data: Option<MetaData> = yaml::parse(text).map_err(bad)?;
    Ok(meta_data.unwrap_or_default().instance_id)
}

/// The uuid in a config-2 medium's `meta_data.json`.
fn json_uuid(file: &str, bytes: &[u8]) -> Result<String, ReadError> {
    #[derive(Deserialize)]
    struct MetaData {
        uuid: String,
    }
    let meta_data: MetaData =
        serde_json::from_slice(bytes).map_err(|error| ReadError::MetaDataJson {
            file: file.to_owned(),
            line: error.line(),
            column: error.column(),
            what: match error.classify() {
                serde_json::error::Category::Data => "a value of the wrong type, or no uuid",
                serde_json::error::Category::Eof => "the file ends too early",
                _ => "not JSON",
            },
        })?;
    Ok(meta_data.uuid)
}
