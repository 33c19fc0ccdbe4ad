//! The plan: every choice of a build, resolved before anything is done.
//!
//! It is data. `bootwright plan` prints it, the manifest embeds it, and it holds nothing of
//! the machine or the time of the build.

mod outputs;
mod overlay;
mod resolve;

use bootwright_rootfs::steps::overlay::Overlay;
use serde::Serialize;
use uuid::Uuid;

use crate::profile::{DriverCheck, Machine, Size, Units, User, Vars};

pub use outputs::{DescriptorKind, DescriptorPart, OutputKind, OutputPart};
pub use resolve::{Options, location, resolve};

/// Version of the plan's shape; raised when a key changes its meaning.
const SCHEMA: u32 = 1;

/// The plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    pub schema: u32,
    pub tool: String,
    pub name: String,
    pub version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// From this every identifier in the outputs derives; derives itself from all of the
    /// plan but the outputs.
    pub id: Uuid,
    pub timestamp: i64,
    pub arch: &'static str,
    pub base: BasePart,
    pub disk: DiskPart,
    pub generalise: Vec<&'static str>,
    pub users: Vec<User>,
    pub overlay: Vec<OverlayPart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentPart>,
    pub units: Units,
    pub kernel_cmdline: Vec<String>,
    pub machine: Machine,
    pub drivers: DriverCheck,
    pub outputs: Vec<OutputPart>,
    /// Small files with which hypervisors take the outputs.
    pub descriptors: Vec<DescriptorPart>,
}

impl Plan {
    /// The first part of the outputs' names.
    pub fn stem(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }
}

/// The base image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BasePart {
    /// As the profile names it.
    pub location: String,
    pub format: &'static str,
    /// Bytes of the file.
    pub size: u64,
    pub sha256: String,
}

/// The disk that is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiskPart {
    pub size: Size,
    /// The volume of the root file system.
    pub root: String,
    /// Whether the root is grown to the end of the disk.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub grow: bool,
}

/// A folder that goes into the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OverlayPart {
    /// As the profile names it.
    pub folder: String,
    pub entries: usize,
    pub bytes: u64,
    /// Digest of all names, contents and rules.
    pub sha256: String,
}

/// The agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgentPart {
    pub size: usize,
    pub sha256: String,
    /// Digest of its configuration.
    pub config_sha256: String,
    /// Digest of the schema of the appliance's envs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env_schema_sha256: Option<String>,
}

/// What a plan is carried out with, on this machine.
pub struct Inputs {
    /// Keeps the base in the cache.
    pub _base: bootwright_source::Base,
    /// The opened base with the layer for edits above it.
    pub disk: resolve::Disk,
    /// The overlays, in order.
    pub overlays: Vec<Overlay>,
    /// The agent and its configuration.
    pub agent: Option<(Vec<u8>, String)>,
    /// The schema of the appliance's envs, which the agent checks against.
    pub env_schema: Option<String>,
    /// Variables for templates.
    pub vars: Vars,
}
