//! What an image is and what is in it, as data.

use std::sync::Arc;

use anyhow::{Context, Result};
use bootwright_disk::partition::{self, Kind, Table, TableKind};
use bootwright_disk::view::{ExtentKind, ReadOnly, View, WriteView};
use bootwright_rootfs::drivers::Hypervisor;
use bootwright_rootfs::{
    Access, Contents, Kernel, MachineId, Survey, Tree, Volume, signature, survey, volumes_for,
};
use serde::Serialize;

use super::input::Input;
use super::types;
use crate::profile;

/// An image.
#[derive(Debug, Serialize)]
pub struct Description {
    pub container: Container,
    pub disk: Disk,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition_table: Option<PartitionTable>,
    pub volumes: Vec<VolumePart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<System>,
    /// What could not be looked at, and why.
    pub problems: Vec<String>,
}

/// The file.
#[derive(Debug, Serialize)]
pub struct Container {
    pub file: String,
    /// Bytes of the file; nothing for stdin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Bytes that it takes where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive: Option<&'static str>,
    pub format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sector_sizes: Option<(u32, u32)>,
}

/// The disk in it.
#[derive(Debug, Serialize)]
pub struct Disk {
    pub size: u64,
    /// Bytes that are stored; all others are zeros.
    pub allocated: u64,
}

/// The partition table.
#[derive(Debug, Serialize)]
pub struct PartitionTable {
    pub kind: &'static str,
    pub id: String,
}

/// A partition, or the whole disk, and what is on it.
#[derive(Debug, Serialize)]
pub struct VolumePart {
    /// Nothing for the whole disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    pub start: u64,
    pub size: u64,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub type_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_system: Option<FileSystem>,
}

/// A file system.
#[derive(Debug, Serialize)]
pub struct FileSystem {
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mounted_at: Option<String>,
    /// Why it is not sound as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unclean: Option<&'static str>,
}

/// The system in it.
#[derive(Debug, Serialize)]
pub struct System {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<&'static str>,
    pub kernels: Vec<KernelPart>,
    pub packages: Vec<Packages>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
    pub machine_id: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drivers: Option<Vec<DriversPart>>,
}

/// Whether the drivers of a hypervisor are there.
#[derive(Debug, Serialize)]
pub struct DriversPart {
    pub hypervisor: &'static str,
    /// What is not there, and what to do about it.
    pub missing: Vec<String>,
}

/// A kernel.
#[derive(Debug, Serialize)]
pub struct KernelPart {
    pub version: String,
    pub image: Option<String>,
    pub initramfs: Option<String>,
}

/// The packages of one manager.
#[derive(Debug, Serialize)]
pub struct Packages {
    pub manager: &'static str,
    /// Nothing where its database is not read here.
    pub installed: Option<usize>,
}

/// The first-boot agent.
#[derive(Debug, Serialize)]
pub struct Agent {
    /// Bytes of its program; nothing if only its configuration is there.
    pub size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
}

/// The profile that made the image.
#[derive(Debug, Serialize)]
pub struct Profile {
    pub name: String,
    pub version: String,
}

/// Looks at everything in an image.
///
/// # Errors
/// A disk that cannot be read. What is on it and cannot be is among the problems.
pub fn describe(input: &Input, with_drivers: bool) -> Result<Description> {
    let disk = Arc::clone(&input.image.view);
    let mut problems = Vec::new();
    let mut note = |error: anyhow::Error| problems.push(format!("{error:#}"));
    let (table, found) = layout(&disk).unwrap_or_else(|error| {
        note(error);
        (None, Vec::new())
    });
    let is_any = found.iter().any(|volume| volume.contents != Contents::Other);
    let mut tree = match is_any {
        true => Tree::open_to_read(Arc::clone(&disk)).map_err(|error| note(error.into())).ok(),
        false => None,
    };
    let system = tree.as_mut().and_then(|tree| system(tree, with_drivers, &mut note));
    let mounts: Vec<(String, u64)> =
        tree.iter().flat_map(Tree::mounts).map(|(point, volume)| (point, start(volume))).collect();
    let mut volumes = Vec::new();
    for volume in &found {
        let mut part = volume_part(volume);
        match file_system(volume, &mounts) {
            Ok(found) => part.file_system = found,
            Err(error) => note(error),
        }
        volumes.push(part);
    }
    Ok(Description {
        container: container(input),
        disk: Disk { size: disk.size(), allocated: allocated(&disk)? },
        partition_table: table.map(|table| match table.kind {
            TableKind::Gpt { disk } => PartitionTable { kind: "gpt", id: disk.to_string() },
            TableKind::Mbr { signature } => {
                PartitionTable { kind: "mbr", id: format!("{signature:08x}") }
            }
        }),
        volumes,
        system,
        problems,
    })
}

/// The partition table, if there is one, and the volumes.
fn layout(disk: &Arc<dyn View>) -> Result<(Option<Table>, Vec<Volume>)> {
    let table = partition::read(disk).context("reading the partition table")?;
    let writable: Arc<dyn WriteView> = Arc::new(ReadOnly(Arc::clone(disk)));
    Ok((table, volumes_for(&writable, Access::Read)?))
}

/// The system in a tree, if there is one.
fn system(
    tree: &mut Tree,
    with_drivers: bool,
    note: &mut dyn FnMut(anyhow::Error),
) -> Option<System> {
    let found = survey(tree).map_err(|error| note(error.into())).ok().filter(is_system)?;
    let mut system = System::from(found);
    if with_drivers && !system.kernels.is_empty() {
        system.drivers = drivers(tree).map_err(note).ok();
    }
    Some(system)
}

fn drivers(tree: &mut Tree) -> Result<Vec<DriversPart>> {
    let missing = crate::drivers::missing(tree, &Hypervisor::ALL)?;
    let parts = Hypervisor::ALL.into_iter().map(|hypervisor| {
        let own = missing.iter().filter(|missing| missing.hypervisor == hypervisor);
        DriversPart {
            hypervisor: hypervisor.name(),
            missing: own.map(ToString::to_string).collect(),
        }
    });
    Ok(parts.collect())
}

/// A data disk has nothing to say.
fn is_system(found: &Survey) -> bool {
    found.release.is_some() || !found.kernels.is_empty() || !found.packages.is_empty()
}

fn container(input: &Input) -> Container {
    let info = &input.image.info;
    Container {
        file: input.name.clone(),
        size: input.size.map(|(size, _)| size),
        stored: input.size.map(|(_, stored)| stored),
        compression: input.packing.map(|packing| packing.name()),
        archive: input.archive.as_ref().map(|archive| archive.name()),
        format: input.image.format.name(),
        variant: info.variant.clone(),
        block_size: info.block_size,
        sector_sizes: info.sectors,
    }
}

fn allocated(disk: &dyn View) -> Result<u64> {
    let (mut at, mut sum) = (0, 0);
    while at < disk.size() {
        let extent = disk.extent_at(at)?;
        if extent.kind == ExtentKind::Data {
            sum += extent.end - at;
        }
        at = extent.end;
    }
    Ok(sum)
}

fn start(volume: &Volume) -> u64 {
    volume.partition.as_ref().map_or(0, |partition| partition.start)
}

fn volume_part(volume: &Volume) -> VolumePart {
    let partition = volume.partition.as_ref();
    let (kind, type_id, id, name) = match partition.map(|partition| &partition.kind) {
        Some(Kind::Gpt { type_guid, guid, name }) => (
            types::of_guid(type_guid),
            Some(type_guid.to_string()),
            Some(guid.to_string()),
            Some(name.clone()).filter(|name| !name.is_empty()),
        ),
        Some(Kind::Mbr { id, .. }) => (types::of_byte(*id), Some(format!("{id:#04x}")), None, None),
        None => (None, None, None, None),
    };
    VolumePart {
        number: partition.map(|partition| partition.number),
        start: start(volume),
        size: volume.view().size(),
        kind: kind.map(str::to_owned),
        type_id,
        id,
        name,
        file_system: None,
    }
}

fn file_system(volume: &Volume, mounts: &[(String, u64)]) -> Result<Option<FileSystem>> {
    let named = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let (kind, label, uuid) = match &volume.contents {
        Contents::Ext4 { label, uuid, .. } => ("ext4", named(label), Some(uuid.to_string())),
        Contents::Fat { label, serial } => ("vfat", named(label), Some(serial.clone())),
        Contents::Other => match signature(volume)? {
            Some(name) => (name, None, None),
            None => return Ok(None),
        },
    };
    let usage = volume.usage()?;
    let at = mounts.iter().find(|(_, place)| *place == start(volume));
    Ok(Some(FileSystem {
        kind,
        label,
        uuid,
        size: usage.map(|(size, _)| size),
        used: usage.map(|(size, free)| size.saturating_sub(free)),
        free: usage.map(|(_, free)| free),
        mounted_at: at.map(|(point, _)| point.clone()),
        unclean: volume.unclean,
    }))
}

impl From<Survey> for System {
    fn from(found: Survey) -> Self {
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        let release = found.release.unwrap_or_default();
        let kernels = found.kernels.into_iter().map(|kernel| {
            let Kernel { version, image, initramfs } = kernel;
            KernelPart { version, image, initramfs }
        });
        let packages = found.packages.into_iter();
        let profile = found.agent_config.as_deref().and_then(profile_of);
        let has_agent = found.agent.is_some() || found.agent_config.is_some();
        Self {
            id: given(release.id),
            version: given(release.version),
            name: given(release.name),
            arch: found.arch,
            kernels: kernels.collect(),
            packages: packages
                .map(|(manager, installed)| Packages { manager, installed })
                .collect(),
            agent: has_agent.then_some(Agent { size: found.agent, profile }),
            machine_id: MachineId::name(found.machine_id),
            drivers: None,
        }
    }
}

/// The profile that an agent's configuration names.
fn profile_of(config: &[u8]) -> Option<Profile> {
    let tree = profile::parse("agent.yml", config).ok()?;
    let named = tree.get("profile")?;
    let text = |key: &str| match &named.get(key)?.value {
        bootwright_seed::yaml::tree::Value::Scalar { text, .. } => Some(text.clone()),
        _ => None,
    };
    Some(Profile { name: text("name")?, version: text("version")? })
}
