//! Makes the changes of a plan, one by one.

mod moved;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::machine::{Machine, TaskError};
use super::plan::Action;
use crate::atomic;
use crate::owner::Owner;

/// Pause between two looks at the routes.
const PAUSE: Duration = Duration::from_millis(250);

/// Makes one change.
///
/// # Errors
/// What the system says.
pub fn make(machine: &Machine<'_>, action: &Action) -> Result<(), TaskError> {
    let at = |path: &str| machine.root.at(path);
    let failed = |path: &str| {
        let path = path.to_owned();
        move |cause| TaskError::Change(path, cause)
    };
    let owner = |text: &str| Owner::find(machine.root, text).map_err(TaskError::Refused);
    match action {
        Action::Write(file) => {
            let owner = file.owner.as_deref().map(owner).transpose()?;
            Ok(atomic::write_owned(&at(&file.path), &file.content, file.mode, owner)?)
        }
        Action::Mode(path, mode) => {
            fs::set_permissions(at(path), Permissions::from_mode(*mode)).map_err(failed(path))
        }
        Action::Own(path, text) => {
            let owner = owner(text)?;
            lchown(at(path), Some(owner.user), owner.group).map_err(failed(path))
        }
        Action::Folder(path, mode) => {
            atomic::make_folder(&at(path)).map_err(failed(path))?;
            fs::set_permissions(at(path), Permissions::from_mode(*mode)).map_err(failed(path))
        }
        Action::Link { path, target } => link(&at(path), target).map_err(failed(path)),
        Action::Remove(path) => fs::remove_file(at(path)).map_err(failed(path)),
        Action::OwnTree(path, text) => {
            let owner = owner(text)?;
            own_tree(&at(path), owner).map_err(failed(path))
        }
        Action::Rename(from, to) => fs::rename(at(from), at(to)).map_err(failed(to)),
        Action::Move(from, to) => moved::tree(&at(from), &at(to)).map_err(failed(from)),
        Action::Merge(from, to) => moved::merge(&at(from), &at(to)).map_err(failed(to)),
        Action::AwaitRoute(seconds) => await_route(machine, *seconds),
        Action::Run(call) => Ok(machine.programs.run(call).map(drop)?),
    }
}

/// Puts a symlink in place in one step.
fn link(path: &Path, target: &str) -> io::Result<()> {
    let parent = path.parent().map(PathBuf::from).unwrap_or_default();
    atomic::make_folder(&parent)?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(path.file_name().unwrap_or_default());
    hidden.push(".new");
    let temporary = parent.join(hidden);
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    symlink(target, &temporary)?;
    fs::rename(&temporary, path)
}

/// Gives a tree to an owner; symlinks are given away, not followed.
fn own_tree(path: &Path, owner: Owner) -> io::Result<()> {
    lchown(path, Some(owner.user), owner.group)?;
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            own_tree(&entry?.path(), owner)?;
        }
    }
    Ok(())
}

/// Waits for a route to everywhere, of either family.
fn await_route(machine: &Machine<'_>, seconds: u64) -> Result<(), TaskError> {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        let four = machine.read("/proc/net/route")?.unwrap_or_default();
        let four = four.lines().any(|line| line.split_whitespace().nth(1) == Some("00000000"));
        let six = machine.read("/proc/net/ipv6_route")?.unwrap_or_default();
        let everywhere = "00000000000000000000000000000000 00 ";
        // The kernel lists an unreachable route to everywhere on the loopback interface.
        let six = six.lines().any(|line| line.starts_with(everywhere) && !line.ends_with(" lo"));
        if four || six {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(TaskError::Refused(format!(
                "there is no default route after {seconds} s; check the network, then run \
                 bootwright-agent apply"
            )));
        }
        thread::sleep(PAUSE);
    }
}
