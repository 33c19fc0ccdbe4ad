//! Puts the first-boot agent into the image: its binary, its unit and its configuration.

use super::refuse;
use crate::Result;
use crate::content::Content;
use crate::edit::{Edit, Meta};
use crate::tree::Tree;

/// Where the agent is, in every image: its unit says so.
pub(crate) const BINARY: &str = "/usr/lib/bootwright/bootwright-agent";
pub(crate) const CONFIG: &str = "/etc/bootwright/agent.yml";
const ENV_SCHEMA: &str = "/etc/bootwright/env.schema.yml";
const UNIT: &str = "bootwright-agent.service";
/// Programs that every image has one of, to tell the architecture by.
const PROGRAMS: [&str; 3] = ["/bin/sh", "/usr/bin/env", "/sbin/init"];

/// Processor architectures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arch {
    /// x86-64.
    Amd64,
    /// AArch64.
    Arm64,
}

impl Arch {
    /// Its name, as Debian and Ubuntu spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// Tells it by the first bytes of an ELF program (`e_machine`, gABI chapter 4).
    #[must_use]
    pub fn of_program(head: &[u8]) -> Option<Self> {
        if !head.starts_with(b"\x7fELF") {
            return None;
        }
        match head.get(18..20)? {
            [62, 0] => Some(Self::Amd64),
            [183, 0] => Some(Self::Arm64),
            _ => None,
        }
    }

    /// The architecture of the programs in an image.
    ///
    /// # Errors
    /// An image without a program to tell it by, and what reading the image says.
    pub fn of_image(tree: &mut Tree) -> Result<Self> {
        for path in PROGRAMS {
            if let Some(arch) = Self::of_program(&tree.head(path.as_bytes(), 20)?) {
                return Ok(arch);
            }
        }
        refuse(PROGRAMS[0], "the image holds no program of a known architecture (amd64, arm64)")
    }
}

/// What is installed.
#[derive(Debug, Clone, Copy)]
pub struct Agent<'a> {
    /// The static program.
    pub binary: &'a [u8],
    /// Its systemd unit.
    pub unit: &'a str,
    /// Its configuration.
    pub config: &'a str,
}

/// The edits that install and enable the agent.
///
/// # Errors
/// An agent of another architecture than the image, an image without systemd, and what
/// reading the image says.
pub fn edits(tree: &mut Tree, agent: Agent<'_>) -> Result<Vec<Edit>> {
    let image = Arch::of_image(tree)?;
    match Arch::of_program(agent.binary) {
        Some(arch) if arch == image => {}
        found => {
            let found = found.map_or("no known program", Arch::name);
            return refuse(
                BINARY,
                format!("the agent is {found}, but the image is {}", image.name()),
            );
        }
    }
    let dirs = ["/usr/lib/systemd/system", "/lib/systemd/system"];
    let mut unit_dir = None;
    for dir in dirs {
        if unit_dir.is_none() && tree.exists(dir.as_bytes())? {
            unit_dir = Some(dir);
        }
    }
    let Some(unit_dir) = unit_dir else {
        return refuse(dirs[0], "the image has no systemd, so nothing would start the agent");
    };
    let unit_path = format!("{unit_dir}/{UNIT}");
    let link = format!("/etc/systemd/system/multi-user.target.wants/{UNIT}");
    Ok(vec![
        Edit::File {
            path: BINARY.as_bytes().to_vec(),
            content: Content::Bytes(agent.binary.to_vec()),
            meta: Meta { mode: Some(0o755), ..Meta::default() },
        },
        Edit::text(&unit_path, agent.unit, 0o644),
        Edit::symlink(&link, &unit_path),
        Edit::text(CONFIG, agent.config, 0o644),
    ])
}

/// The edit that puts the schema of the appliance's envs beside the agent's configuration.
#[must_use]
pub fn env_schema(text: &str) -> Edit {
    Edit::text(ENV_SCHEMA, text, 0o644)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_tell_their_architecture() {
        let mut head = b"\x7fELF\x02\x01\x01".to_vec();
        head.resize(20, 0);
        assert_eq!(Arch::of_program(&head), None);
        head[18] = 62;
        assert_eq!(Arch::of_program(&head), Some(Arch::Amd64));
        head[18] = 183;
        assert_eq!(Arch::of_program(&head), Some(Arch::Arm64));
        assert_eq!(Arch::of_program(&head[..19]), None);
        assert_eq!(Arch::of_program(b"#!/bin/sh"), None);
    }
}
