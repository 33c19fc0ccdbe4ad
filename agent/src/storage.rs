//! Volumes by label, their folders, what moves onto them, and plans for empty disks.
//!
//! Six tasks in a fixed order, so that each sees what the one before it made.

pub mod directories;
pub mod disks;
pub mod filesystems;
mod fstab;
mod layout;
pub mod lvm;
mod probe;
pub mod relocations;
#[cfg(test)]
mod tests;
pub mod volumes;

use serde::Deserialize;

use crate::tasks::env;
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::Plan;

/// What agent.yml may say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// What labels start with: `ecs` makes `ecs-data`.
    prefix: Option<String>,
    /// The volumes.
    volumes: Vec<Volume>,
    /// Key of the env with a plan for disks.
    plan_key: String,
    /// Where the env says which volumes are to be left alone.
    ignore_key: String,
    /// How long to wait for a device that shows up late.
    wait_seconds: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            prefix: None,
            volumes: Vec::new(),
            plan_key: "appliance.storage.setup".into(),
            ignore_key: "appliance.storage.ignore".into(),
            wait_seconds: 10,
        }
    }
}

/// A file system that is found by its label.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// Its name: the label without the prefix.
    name: String,
    /// Where it is mounted.
    mount: String,
    /// Its type.
    #[serde(default = "ext4")]
    fstype: String,
    /// Options of the mount.
    #[serde(default = "defaults")]
    options: String,
    /// Folders that have to be on it.
    #[serde(default)]
    directories: Vec<Directory>,
    /// What moves onto it.
    #[serde(default)]
    relocations: Vec<Relocation>,
}

fn ext4() -> String {
    "ext4".into()
}

fn defaults() -> String {
    // A disk that is missing one day must not end the boot in a rescue shell.
    "defaults,nofail".into()
}

/// A folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// Its absolute path.
    path: String,
    /// `user[:group]`, names or numbers.
    #[serde(default)]
    owner: Option<String>,
    /// Octal permissions.
    #[serde(default)]
    mode: Option<String>,
}

/// Data that the image has, and that belongs onto a volume.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relocation {
    /// Where it is.
    from: String,
    /// Where it goes.
    to: String,
    /// Services that are stopped meanwhile.
    #[serde(default)]
    stop: Vec<String>,
    /// What happens if there is data at the target.
    #[serde(default)]
    policy: Policy,
}

/// What a relocation does when there is data on both sides. None of them loses any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Nothing, and says so.
    #[default]
    Refuse,
    /// The data of the volume counts; that of the image is put aside.
    Adopt,
    /// The volume also gets the files that it lacks; those of the image are put aside.
    Merge,
}

impl Options {
    /// The label of a volume.
    fn label(&self, volume: &Volume) -> String {
        match &self.prefix {
            Some(prefix) => format!("{prefix}-{}", volume.name),
            None => volume.name.clone(),
        }
    }

    /// Volumes and whether each is to be left alone.
    fn volumes(&self, machine: &Machine<'_>) -> Result<Vec<(&Volume, bool)>, TaskError> {
        let mut found = Vec::new();
        for volume in &self.volumes {
            let key = format!("{}.{}", self.ignore_key, volume.name);
            found.push((volume, env::flag(machine.env, &key, false)?));
        }
        Ok(found)
    }
}

/// The task `storage` does nothing by itself: it stands for its parts.
pub fn plan(_options: &Options, _machine: &Machine<'_>) -> Result<Plan, TaskError> {
    Ok(Plan::default())
}

/// Whether something is mounted at a path.
fn is_mounted(machine: &Machine<'_>, path: &str) -> Result<bool, TaskError> {
    let mounts = machine.read("/proc/self/mountinfo")?.unwrap_or_default();
    // Blanks stand there as octal escapes.
    let path = path.trim_end_matches('/').replace(' ', "\\040");
    Ok(mounts.lines().any(|line| line.split(' ').nth(4) == Some(&path)))
}
