//! Our block of lines in /etc/fstab.

use crate::tasks::block;
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::{File, Plan};

const PATH: &str = "/etc/fstab";

/// A file system in /etc/fstab.
pub struct Line {
    /// `LABEL=…`, `UUID=…` or a path.
    pub device: String,
    /// Where it is mounted; `none` for swap.
    pub target: String,
    /// Its type.
    pub fstype: String,
    /// Options.
    pub options: String,
}

impl Line {
    /// The line. Only file systems that fsck knows are checked at boot.
    fn text(&self) -> String {
        let pass = if self.fstype.starts_with("ext") { 2 } else { 0 };
        let escaped = |text: &str| text.replace(' ', "\\040");
        let (device, target) = (escaped(&self.device), escaped(&self.target));
        format!("{device} {target} {} {} 0 {pass}", self.fstype, self.options)
    }
}

/// Makes `lines` the block called `name`. A mount point that a line of somebody else has is
/// left to that one.
pub fn plan(
    machine: &Machine<'_>,
    plan: &mut Plan,
    name: &str,
    lines: &[Line],
) -> Result<(), TaskError> {
    let old = machine.read(PATH)?.unwrap_or_default();
    let others = block::set(&old, name, &[]);
    let mut texts = Vec::new();
    for line in lines {
        let is_taken = line.target != "none"
            && others.lines().any(|other| {
                let mut fields = other.split_whitespace();
                let is_comment = fields.next().is_none_or(|field| field.starts_with('#'));
                !is_comment && fields.next() == Some(&line.target)
            });
        if is_taken {
            plan.note(format!("{PATH} mounts {} already; that line stays", line.target));
        } else {
            texts.push(line.text());
        }
    }
    let new = block::set(&old, name, &texts);
    if new != old {
        plan.shared_file(machine, File::like(machine, PATH, new, 0o644))?;
        // systemd makes its mount units from this file.
        plan.after(machine.reload_units());
    }
    Ok(())
}
