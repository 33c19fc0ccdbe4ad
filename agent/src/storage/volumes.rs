//! `volumes`: file systems that are found by label, mounted and put into /etc/fstab.

use super::fstab::{self, Line};
use super::{Options, is_mounted, probe};
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::Plan;
use crate::tasks::program::Call;

/// The changes.
pub fn plan(options: &Options, machine: &Machine<'_>) -> Result<Plan, TaskError> {
    let mut plan = Plan::default();
    let mut lines = Vec::new();
    let mut mounts = Vec::new();
    for (volume, ignored) in options.volumes(machine)? {
        if ignored {
            continue;
        }
        let label = options.label(volume);
        let fstype = &volume.fstype;
        lines.push(Line {
            device: format!("LABEL={label}"),
            target: volume.mount.clone(),
            fstype: fstype.clone(),
            options: volume.options.clone(),
        });
        if is_mounted(machine, &volume.mount)? {
            continue;
        }
        match probe::by_label(machine, &label, options.wait_seconds)? {
            Some(device) => {
                let found = probe::probe(machine, &device)?;
                if found.fstype.as_ref() != Some(fstype) {
                    return Err(TaskError::Refused(format!(
                        "{device} is labelled {label}, but holds {} and not {fstype}",
                        found.describe()
                    )));
                }
            }
            None if machine.dry => {
                plan.note(format!("there is no file system labelled {label} yet"));
            }
            None => {
                return Err(TaskError::Refused(format!(
                    "no file system labelled {label} showed up within {} s; attach the disk, \
                     label it (e2label), describe it under `{}`, or set `{}.{}: true`",
                    options.wait_seconds, options.plan_key, options.ignore_key, volume.name
                )));
            }
        }
        mounts.push((volume, label));
    }
    for (volume, _) in &mounts {
        plan.folder(machine, &volume.mount, None, None)?;
    }
    fstab::plan(machine, &mut plan, "volumes", &lines)?;
    for (volume, label) in mounts {
        let device = format!("LABEL={label}");
        let words = ["-t", &volume.fstype, "-o", &volume.options, &device, &volume.mount];
        plan.run(Call::new("mount", words));
    }
    Ok(plan)
}
