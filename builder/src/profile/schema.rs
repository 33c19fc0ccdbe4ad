//! The keys of a profile. Unknown ones are errors; docs/profile.md explains them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use bootwright_rootfs::steps::generalise::Trait;
use bootwright_seed::yaml::decode::{DecodeError, Located, unknown};
use serde::de::{self, Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::env::EnvSpec;
use super::outputs::Outputs;
use super::size::Size;

/// A profile.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Name of the appliance; the first part of every output's name.
    pub name: Located<String>,
    /// Version of the appliance; the second part.
    pub version: Located<String>,
    /// What the appliance is, in a sentence.
    #[serde(default)]
    pub description: Option<String>,
    /// The base image.
    pub base: Located<BaseSpec>,
    /// The disk.
    #[serde(default)]
    pub disk: Disk,
    /// Time of every change, in seconds since 1970.
    #[serde(default)]
    pub timestamp: Option<i64>,
    /// Folders whose files go into the image.
    #[serde(default)]
    pub overlay: Vec<Located<String>>,
    /// Users and their groups.
    #[serde(default)]
    pub users: Vec<User>,
    /// systemd units.
    #[serde(default)]
    pub units: Units,
    /// Additions to the kernel command line.
    #[serde(default)]
    pub kernel_cmdline: Vec<String>,
    /// The first-boot agent.
    #[serde(default)]
    pub agent: AgentSpec,
    /// How envs of the appliance are made and checked.
    #[serde(default)]
    pub env: EnvSpec,
    /// What is taken out of the base.
    #[serde(default)]
    pub generalise: Generalise,
    /// The machine that the image is meant for.
    #[serde(default)]
    pub machine: Machine,
    /// What happens when the image lacks drivers of the outputs' hypervisors.
    #[serde(default)]
    pub drivers: DriverCheck,
    /// The artefacts.
    pub outputs: Outputs,
}

impl Profile {
    /// Checks what types cannot say.
    ///
    /// # Errors
    /// A name or version that makes no file name, or no outputs.
    pub fn check(&self) -> Result<(), DecodeError> {
        for part in [&self.name, &self.version] {
            let valid =
                |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '~' | '-');
            let starts = part.value.starts_with(|c: char| c.is_ascii_alphanumeric());
            if !starts || !part.value.chars().all(valid) {
                let problem = format!(
                    "`{}` makes no file name: use letters, digits and . _ + ~ -, a letter or digit first",
                    part.value
                );
                return Err(DecodeError::new(&part.at, problem));
            }
        }
        Ok(())
    }
}

/// Where the base comes from: `file:PATH`, the name of an image, or a mapping with more to
/// say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseSpec {
    /// The place.
    pub location: String,
    /// The digest that it must have, in hexadecimal.
    pub sha256: Option<Located<String>>,
    /// Its format; told by its first bytes if not given.
    pub format: Option<BaseFormat>,
    /// The architecture of an image of a catalog.
    pub arch: Option<String>,
    /// The variant of an image of a catalog.
    pub variant: Option<String>,
}

/// Formats of base images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BaseFormat {
    Raw,
    Qcow2,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BaseMap {
    #[serde(default)]
    file: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    image: Option<String>,
    #[serde(default)]
    arch: Option<String>,
    #[serde(default)]
    variant: Option<String>,
    #[serde(default)]
    sha256: Option<Located<String>>,
    #[serde(default)]
    format: Option<BaseFormat>,
}

impl<'de> Deserialize<'de> for BaseSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = BaseSpec;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`file:PATH`, a name such as `ubuntu:noble`, or a mapping with `file`, `url` or `image`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<BaseSpec, E> {
                let location = text.to_owned();
                let (sha256, format, arch, variant) = (None, None, None, None);
                Ok(BaseSpec { location, sha256, format, arch, variant })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<BaseSpec, A::Error> {
                let deserializer = de::value::MapAccessDeserializer::new(map);
                let BaseMap { file, url, image, arch, variant, sha256, format } =
                    BaseMap::deserialize(deserializer)?;
                let location = match (file, url, image) {
                    (Some(file), None, None) => format!("file:{file}"),
                    (None, Some(place), None) | (None, None, Some(place)) => place,
                    _ => return Err(A::Error::custom("give one of `file`, `url` and `image`")),
                };
                Ok(BaseSpec { location, sha256, format, arch, variant })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// The disk.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disk {
    /// Virtual size; the base's if not given. The guest grows its root into it.
    #[serde(default)]
    pub size: Option<Located<Size>>,
    /// What becomes of the room behind the root.
    #[serde(default)]
    pub root: RootRoom,
}

/// Who grows the root into the room behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RootRoom {
    /// The guest, when it starts; the build only if something does not fit otherwise.
    #[default]
    Keep,
    /// The build.
    Grow,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub system: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ssh_keys: Vec<String>,
}

/// systemd units.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Units {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub enable: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disable: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mask: Vec<String>,
}

/// The first-boot agent: `false`, or a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSpec {
    /// Whether it is installed.
    pub install: bool,
    /// File with its configuration; its defaults if not given.
    pub config: Option<Located<String>>,
}

impl Default for AgentSpec {
    fn default() -> Self {
        Self { install: true, config: None }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgentMap {
    #[serde(default)]
    config: Option<Located<String>>,
}

impl<'de> Deserialize<'de> for AgentSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = AgentSpec;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("true, false or a mapping with `config`")
            }

            fn visit_bool<E: de::Error>(self, install: bool) -> Result<AgentSpec, E> {
                Ok(AgentSpec { install, config: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AgentSpec, A::Error> {
                let deserializer = de::value::MapAccessDeserializer::new(map);
                let AgentMap { config } = AgentMap::deserialize(deserializer)?;
                Ok(AgentSpec { install: true, config })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// What is taken out of the base: `default`, `none`, or `{keep: [...]}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generalise(pub BTreeSet<Trait>);

impl Default for Generalise {
    fn default() -> Self {
        Self(Trait::ALL.into())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GeneraliseMap {
    keep: Vec<TraitName>,
}

/// A part of generalising, by its name.
struct TraitName(Trait);

impl<'de> Deserialize<'de> for TraitName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = Trait::ALL.into_iter().find(|part| part.name() == name);
        let problem = || unknown("value", &name, &Trait::ALL.map(Trait::name));
        known.map(Self).ok_or_else(|| D::Error::custom(problem()))
    }
}

impl<'de> Deserialize<'de> for Generalise {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Generalise;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`default`, `none` or a mapping with `keep`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Generalise, E> {
                match text {
                    "default" => Ok(Generalise::default()),
                    "none" => Ok(Generalise(BTreeSet::new())),
                    other => Err(E::custom(unknown("value", other, &["default", "none"]))),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Generalise, A::Error> {
                let deserializer = de::value::MapAccessDeserializer::new(map);
                let mut all = Generalise::default().0;
                for TraitName(kept) in GeneraliseMap::deserialize(deserializer)?.keep {
                    all.remove(&kept);
                }
                Ok(Generalise(all))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// The machine that the image is meant for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Machine {
    pub cpus: u32,
    pub memory: Size,
    /// What it can be started with; descriptors take the first.
    pub firmware: Vec<Firmware>,
    /// Name of a seed's ISO file beside the disk, which descriptors attach.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<String>,
}

impl Default for Machine {
    fn default() -> Self {
        let firmware = vec![Firmware::Bios, Firmware::Uefi];
        Self { cpus: 2, memory: Size(2 << 30), firmware, seed: None }
    }
}

/// What happens when the image lacks drivers of the outputs' hypervisors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DriverCheck {
    /// The build fails.
    #[default]
    Check,
    /// The build says so.
    Warn,
    /// Nobody looks.
    Ignore,
}

/// Firmware of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Firmware {
    Bios,
    Uefi,
}

/// A rule of an overlay's `modes.yml`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverlayRule {
    #[serde(default)]
    pub mode: Option<Located<String>>,
    #[serde(default)]
    pub owner: Option<String>,
    #[serde(default)]
    pub group: Option<String>,
    #[serde(default)]
    pub xattrs: BTreeMap<String, Located<String>>,
    #[serde(default)]
    pub template: bool,
}

impl From<User> for bootwright_rootfs::steps::users::User {
    fn from(user: User) -> Self {
        let User { name, uid, group, groups, home, shell, comment, system, ssh_keys } = user;
        Self { name, uid, group, groups, home, shell, comment, system, ssh_keys }
    }
}

impl From<Units> for bootwright_rootfs::steps::units::Units {
    fn from(units: Units) -> Self {
        let Units { enable, disable, mask } = units;
        Self { enable, disable, mask }
    }
}
