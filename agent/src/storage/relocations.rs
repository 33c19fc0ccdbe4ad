//! `relocations`: data of the image that moves onto a volume, with a symlink in its place.
//!
//! Data at the target is never overwritten and data at the source never deleted.

use std::fs;

use super::{Directory, Options, Policy, Relocation, is_mounted};
use crate::tasks::env;
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::Plan;
use crate::tasks::program::Call;

/// What the image's own copy is called once the volume's counts.
const ASIDE: &str = ".bootwright-replaced";

/// The changes.
pub fn plan(options: &Options, machine: &Machine<'_>) -> Result<Plan, TaskError> {
    let mut plan = Plan::default();
    for (volume, ignored) in options.volumes(machine)? {
        if volume.relocations.is_empty() {
            continue;
        }
        if !ignored && !is_mounted(machine, &volume.mount)? {
            plan.note(format!("{} is not mounted; nothing moves there", volume.mount));
            continue;
        }
        for relocation in &volume.relocations {
            one(machine, &mut plan, relocation, &volume.directories)?;
        }
    }
    Ok(plan)
}

fn one(
    machine: &Machine<'_>,
    plan: &mut Plan,
    relocation: &Relocation,
    directories: &[Directory],
) -> Result<(), TaskError> {
    let Relocation { from, to, stop, policy } = relocation;
    let source = fs::symlink_metadata(machine.root.at(from));
    let target = machine.root.at(to);
    // Without a folder at the target nobody has asked for the move yet.
    if !target.is_dir() {
        return Ok(());
    }
    let source = match source {
        Ok(source) if source.file_type().is_symlink() => return plan.link(machine, from, to),
        Ok(source) => source,
        // Nothing to move, or moved before the power went: the link is what is missing.
        Err(_) => return plan.link(machine, from, to),
    };
    if !source.is_dir() {
        return Err(TaskError::Refused(format!("{from} is no folder, so it cannot move to {to}")));
    }
    let is_free = is_empty(machine, to)?;
    if !is_free && *policy == Policy::Refuse && !is_empty(machine, from)? {
        return Err(TaskError::Refused(format!(
            "there is data in {from} and in {to}; neither is touched. Move one of them away, or \
             set policy: adopt (the data in {to} counts) or merge (files that {to} lacks are \
             added)"
        )));
    }
    let running = services(machine, stop)?;
    for service in &running {
        plan.run(service_call(machine, "stop", service));
    }
    if is_free {
        plan.move_tree(from, to);
        restore(plan, to, directories);
    } else {
        if *policy == Policy::Merge {
            plan.merge_tree(from, to);
        }
        let aside = aside(machine, from)?;
        plan.rename(from, &aside);
    }
    plan.link_later(from, to);
    for service in &running {
        plan.run(service_call(machine, "start", service));
    }
    Ok(())
}

fn is_empty(machine: &Machine<'_>, path: &str) -> Result<bool, TaskError> {
    let entries = fs::read_dir(machine.root.at(path));
    Ok(entries.map_err(|cause| TaskError::Look(path.to_owned(), cause))?.next().is_none())
}

/// The move brings the source's owner and permissions; those that were asked for come back.
fn restore(plan: &mut Plan, to: &str, directories: &[Directory]) {
    let wanted = directories.iter().find(|directory| directory.path == to);
    if let Some(Directory { path, owner, mode }) = wanted {
        if let Some(owner) = owner {
            plan.own(path, owner);
        }
        if let Some(mode) = mode.as_deref().and_then(env::parse_mode) {
            plan.mode(path, mode);
        }
    }
}

/// A name for the image's copy that nothing has.
fn aside(machine: &Machine<'_>, from: &str) -> Result<String, TaskError> {
    let names = (1..100).map(|number| match number {
        1 => format!("{from}{ASIDE}"),
        number => format!("{from}{ASIDE}-{number}"),
    });
    let mut free = names.filter(|name| fs::symlink_metadata(machine.root.at(name)).is_err());
    free.next().ok_or_else(|| TaskError::Refused(format!("too many copies of {from}{ASIDE}")))
}

/// Those of the services that run.
fn services(machine: &Machine<'_>, all: &[String]) -> Result<Vec<String>, TaskError> {
    let mut running = Vec::new();
    for service in all {
        let call = if machine.has_systemd() {
            Call::new("systemctl", ["is-active", "--quiet", service])
        } else if machine.has_openrc() {
            Call::new("rc-service", [service, "status"])
        } else {
            continue;
        };
        if machine.programs.ask(&call)?.code == Some(0) {
            running.push(service.clone());
        }
    }
    Ok(running)
}

fn service_call(machine: &Machine<'_>, verb: &str, service: &str) -> Call {
    if machine.has_systemd() {
        // Stopping has to be over before data moves; starting need not be waited for.
        let mut words = if verb == "start" { vec!["--no-block"] } else { Vec::new() };
        words.extend([verb, service]);
        Call::new("systemctl", words)
    } else {
        Call::new("rc-service", [service, verb])
    }
}
