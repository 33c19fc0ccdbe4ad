//! The storage plan of the env: partitions, RAID, encryption, LVM, file systems, mounts and swap, in this
//! order.
//!
//! Every step has a guard: what is there as described stays, what is empty is made, and a
//! device that carries anything else is refused unless its entry says `wipe: true`.

mod crypt;
mod filesystems;
mod lvm;
mod partitions;
mod raid;
mod size;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use bootwright_seed::yaml::tree::Node;

use super::{Options, probe};
use crate::tasks::env;
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::Plan;
use crate::tasks::program::Call;

/// What a device is to a step.
#[derive(Debug, PartialEq, Eq)]
enum State {
    /// It is as described.
    Done,
    /// It is empty, or made empty by the plan.
    Empty,
}

/// The plan as it grows.
struct Layout<'a> {
    machine: &'a Machine<'a>,
    plan: Plan,
    /// Devices that steps before make.
    made: BTreeSet<String>,
    /// Devices that steps before only open: what is in them is not known yet.
    opened: BTreeSet<String>,
    /// Volume groups that the plan makes.
    groups: BTreeSet<String>,
    /// Devices that the plan formats, and as what.
    formatted: BTreeMap<String, String>,
    wait_seconds: u64,
    key: &'a str,
}

/// Parts of the plan. Each is planned when the one before it was carried out: what is in a
/// container shows when it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Partitions, RAID and encryption.
    Disks,
    /// Volume groups and logical volumes.
    Lvm,
    /// File systems, mounts and swap.
    Filesystems,
}

/// The changes of one part.
pub fn plan(options: &Options, machine: &Machine<'_>, part: Part) -> Result<Plan, TaskError> {
    let key = options.plan_key.as_str();
    let Some(tree) = env::find(machine.env, key) else {
        return Ok(Plan::default());
    };
    let sections = ["parted", "mdadm", "crypt", "lvm", "format", "mount", "swap"];
    env::only(tree, key, &sections)?;
    let mut layout = Layout {
        machine,
        plan: Plan::default(),
        made: BTreeSet::new(),
        opened: BTreeSet::new(),
        groups: BTreeSet::new(),
        formatted: BTreeMap::new(),
        wait_seconds: options.wait_seconds,
        key,
    };
    partitions::plan(&mut layout, tree)?;
    raid::plan(&mut layout, tree)?;
    crypt::plan(&mut layout, tree)?;
    if part >= Part::Lvm {
        // Parts before this one were shown or carried out; only what they make counts here.
        layout.plan = Plan::default();
        lvm::plan(&mut layout, tree)?;
    }
    if part >= Part::Filesystems {
        layout.plan = Plan::default();
        filesystems::format(&mut layout, tree)?;
        filesystems::mount(&mut layout, tree)?;
    }
    Ok(layout.plan)
}

impl Layout<'_> {
    fn run<A: Into<String>>(&mut self, program: &str, args: impl IntoIterator<Item = A>) {
        self.plan.run(Call::new(program, args));
    }

    /// Whether a device is there or will be.
    fn exists(&self, device: &str) -> bool {
        self.made.contains(device) || self.opened.contains(device) || self.machine.exists(device)
    }

    /// Says that a device has to be open before more can be said about it.
    fn defer(&mut self, device: &str) {
        self.plan.note(format!("{device} is looked at when it is open"));
    }

    /// A device that has to be there, or be made by the plan.
    fn need(&self, node: &Node, device: &str) -> Result<(), TaskError> {
        if !device.starts_with("/dev/") || device.contains("..") {
            return Err(self.refuse(node, format!("`{device}` is no path below /dev")));
        }
        if self.exists(device) || probe::await_node(self.machine, device, self.wait_seconds) {
            return Ok(());
        }
        Err(self.refuse(node, format!("there is no device {device}")))
    }

    /// Decides about a device that is to hold one of the types `fits`.
    fn claim(
        &mut self,
        node: &Node,
        device: &str,
        fits: &[&str],
        wipe: bool,
    ) -> Result<State, TaskError> {
        self.need(node, device)?;
        if self.made.contains(device) {
            return Ok(State::Empty);
        }
        if self.opened.contains(device) {
            self.defer(device);
            return Ok(State::Done);
        }
        let found = probe::probe(self.machine, device)?;
        if found.fstype.as_deref().is_some_and(|fstype| fits.contains(&fstype)) {
            return Ok(State::Done);
        }
        if found.is_empty() {
            return Ok(State::Empty);
        }
        if !wipe {
            let what = found.describe();
            return Err(self.refuse(
                node,
                format!(
                    "{device} carries {what}, and nothing that is on a disk is overwritten; if \
                     all on it may be lost, add `wipe: true` to its entry"
                ),
            ));
        }
        self.run("wipefs", ["--all", device]);
        Ok(State::Empty)
    }

    fn refuse(&self, node: &Node, problem: String) -> TaskError {
        env::refuse(node, self.key, problem).into()
    }

    /// A list of devices.
    fn devices(&self, node: &Node, key: &str) -> Result<Vec<String>, TaskError> {
        let devices = env::texts(node, key)?;
        for device in &devices {
            self.need(node, device)?;
        }
        Ok(devices.into_iter().map(str::to_owned).collect())
    }
}

/// A word that no tool takes for an option or a path.
fn is_word(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-.+".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') && text.chars().all(fits)
}
