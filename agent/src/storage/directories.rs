//! `directories`: the folders that volumes have to have, with owners and permissions.

use super::{Options, is_mounted};
use crate::tasks::env;
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::Plan;

/// The changes. Nothing is made below a mount point that nothing is mounted at: it would
/// vanish behind the volume, and until then fill the root disk.
pub fn plan(options: &Options, machine: &Machine<'_>) -> Result<Plan, TaskError> {
    let mut plan = Plan::default();
    for (volume, ignored) in options.volumes(machine)? {
        if volume.directories.is_empty() {
            continue;
        }
        if !ignored && !is_mounted(machine, &volume.mount)? {
            let why = format!("{} is not mounted, so its folders cannot be made", volume.mount);
            if machine.dry {
                plan.note(why);
                continue;
            }
            return Err(TaskError::Refused(why));
        }
        for directory in &volume.directories {
            let mode = directory.mode.as_ref().map(|mode| {
                env::parse_mode(mode).ok_or_else(|| {
                    let path = &directory.path;
                    TaskError::Refused(format!("the mode of {path} is no octal number"))
                })
            });
            let owner = directory.owner.as_deref();
            plan.folder(machine, &directory.path, mode.transpose()?, owner)?;
        }
    }
    Ok(plan)
}
