//! Puts the first-boot agent into the image: its binary, its configuration, and what starts it
//! with the init systems that the image has.

use super::refuse;
use crate::Result;
use crate::content::Content;
use crate::edit::{Edit, Meta};
use crate::tree::Tree;

/// Where the agent is, in every image: its unit says so.
pub(crate) const BINARY: &str = "/usr/lib/bootwright/bootwright-agent";
pub(crate) const CONFIG: &str = "/etc/bootwright/agent.yml";
const ENV_SCHEMA: &str = "/etc/bootwright/env.schema.yml";
/// Where systemd's units are, the newer place first.
const SYSTEMD: [&str; 2] = ["/usr/lib/systemd/system", "/lib/systemd/system"];
/// The units that are started with the system; the others are started by these.
const WANTED: [&str; 4] = [
    "bootwright-agent.service",
    "bootwright-agent-network.path",
    "bootwright-agent-watch.path",
    "bootwright-agent-release.path",
];
/// What runs OpenRC's scripts, where it is.
const OPENRC: [&str; 2] = ["/sbin/openrc-run", "/usr/sbin/openrc-run"];
/// OpenRC's runlevel that each script belongs to. `boot` is over before `default` starts.
const RUNLEVELS: [(&str, &str); 4] = [
    ("bootwright-agent", "boot"),
    ("bootwright-agent-network", "default"),
    ("bootwright-agent-watch", "default"),
    ("bootwright-agent-release", "default"),
];
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
    /// Its systemd units, by name.
    pub units: &'a [(&'a str, &'a str)],
    /// Its scripts for OpenRC, by name.
    pub scripts: &'a [(&'a str, &'a str)],
    /// Its configuration.
    pub config: &'a str,
}

/// The edits that install and enable the agent.
///
/// # Errors
/// An agent of another architecture than the image, an image without an init system that is
/// known, and what
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
    let systemd = first_of(tree, &SYSTEMD)?;
    let openrc = first_of(tree, &OPENRC)?;
    if systemd.is_none() && openrc.is_none() {
        return refuse(
            SYSTEMD[0],
            "the image has neither systemd nor OpenRC, so nothing would start the agent",
        );
    }
    let mut edits = vec![
        Edit::File {
            path: BINARY.as_bytes().to_vec(),
            content: Content::Bytes(agent.binary.to_vec()),
            meta: Meta { mode: Some(0o755), ..Meta::default() },
        },
        Edit::text(CONFIG, agent.config, 0o644),
    ];
    if let Some(folder) = systemd {
        edits.extend(units(folder, agent.units));
    }
    if openrc.is_some() {
        edits.extend(scripts(agent.scripts));
    }
    Ok(edits)
}

fn first_of(tree: &mut Tree, paths: &[&'static str]) -> Result<Option<&'static str>> {
    for path in paths {
        if tree.exists(path.as_bytes())? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The units in their folder, and the links that enable them.
fn units(folder: &str, units: &[(&str, &str)]) -> Vec<Edit> {
    let mut edits = Vec::new();
    for (name, text) in units {
        let path = format!("{folder}/{name}");
        edits.push(Edit::text(&path, *text, 0o644));
        if WANTED.contains(name) {
            let link = format!("/etc/systemd/system/multi-user.target.wants/{name}");
            edits.push(Edit::symlink(&link, &path));
        }
    }
    edits
}

/// The scripts, and the links that put them into their runlevels.
fn scripts(scripts: &[(&str, &str)]) -> Vec<Edit> {
    let mut edits = Vec::new();
    for (name, text) in scripts {
        let path = format!("/etc/init.d/{name}");
        edits.push(Edit::text(&path, *text, 0o755));
        let runlevel = RUNLEVELS.iter().find(|(script, _)| script == name);
        edits.extend(
            runlevel
                .map(|(_, level)| Edit::symlink(&format!("/etc/runlevels/{level}/{name}"), &path)),
        );
    }
    edits
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
