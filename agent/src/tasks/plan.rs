//! What a task wants changed: compared with the real tree first, then printed, then made.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::act;
use super::diff;
use super::machine::{Machine, TaskError};
use super::program::Call;
use crate::owner::Owner;

/// A file as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub(super) path: String,
    pub(super) content: Vec<u8>,
    pub(super) mode: u32,
    pub(super) owner: Option<String>,
    hidden: bool,
}

impl File {
    /// A file of root that everybody reads.
    pub fn new(path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        let (path, content) = (path.into(), content.into());
        Self { path, content, mode: 0o644, owner: None, hidden: false }
    }

    /// A file that may be there: permissions and owner stay, and `mode` is for a new one.
    pub fn like(machine: &Machine<'_>, path: &str, content: impl Into<Vec<u8>>, mode: u32) -> Self {
        match fs::metadata(machine.root.at(path)) {
            Ok(old) => Self::new(path, content).mode(old.mode() & 0o7777).owner(format!(
                "{}:{}",
                old.uid(),
                old.gid()
            )),
            Err(_) => Self::new(path, content).mode(mode),
        }
    }

    /// Other permissions.
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// Another owner: `user` or `user:group`, names or numbers.
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = Some(owner.into());
        self
    }

    /// Its content may be secret: no diff shows it.
    pub fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }
}

/// One step.
#[derive(Debug)]
pub enum Action {
    /// Writes a file in one step.
    Write(File),
    /// Sets permissions.
    Mode(String, u32),
    /// Sets the owner.
    Own(String, String),
    /// Sets the owner of everything below, too.
    OwnTree(String, String),
    /// Makes a folder and its parents.
    Folder(String, u32),
    /// Makes a symlink.
    Link {
        /// Where.
        path: String,
        /// What it says.
        target: String,
    },
    /// Removes a file.
    Remove(String),
    /// Renames a file over another.
    Rename(String, String),
    /// Moves a tree to another file system, if need be.
    Move(String, String),
    /// Copies what a tree lacks of another.
    Merge(String, String),
    /// Runs a program.
    Run(Call),
    /// Waits so many seconds for a default route.
    AwaitRoute(u64),
}

/// One step and how it is shown.
#[derive(Debug)]
struct Change {
    text: String,
    action: Action,
}

/// The steps of a task.
#[derive(Debug, Default)]
pub struct Plan {
    changes: Vec<Change>,
    after: Vec<Call>,
    owned: Vec<String>,
    notes: Vec<String>,
    reboot: Option<String>,
}

impl Plan {
    /// Whether everything is as it should be.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Files that are this task's own: removed when it no longer wants them.
    pub fn owned(&self) -> &[String] {
        &self.owned
    }

    /// What an operator should know.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Why the machine has to start anew, if it has to.
    pub fn reboot(&self) -> Option<&str> {
        self.reboot.as_deref()
    }

    /// Says something that is no change.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Asks for one start of the machine.
    pub fn ask_reboot(&mut self, reason: impl Into<String>) {
        self.reboot = Some(reason.into());
    }

    /// A call that is made after the changes, if there are any.
    pub fn after(&mut self, call: impl IntoIterator<Item = Call>) {
        self.after.extend(call);
    }

    /// A call that is a change by itself.
    pub fn run(&mut self, call: Call) {
        self.push(format!("run {}", call.line()), Action::Run(call));
    }

    /// A file that belongs to the task alone.
    pub fn file(&mut self, machine: &Machine<'_>, file: File) -> Result<(), TaskError> {
        self.owned.push(file.path.clone());
        self.shared_file(machine, file)
    }

    /// A file that others write to as well: it is never removed.
    pub fn shared_file(&mut self, machine: &Machine<'_>, file: File) -> Result<(), TaskError> {
        let path = machine.root.at(&file.path);
        let failed = |cause| TaskError::Look(file.path.clone(), cause);
        let found = look(&path).map_err(failed)?;
        let old = match &found {
            Some(metadata) if metadata.is_dir() => {
                return Err(TaskError::Refused(format!(
                    "{} is a folder, and a file is to be there; move it away",
                    file.path
                )));
            }
            Some(metadata) if metadata.is_file() => Some(fs::read(&path).map_err(failed)?),
            _ => None,
        };
        match (found, old) {
            (Some(metadata), Some(old)) if old == file.content => {
                self.attributes(machine, &file, &metadata);
            }
            (found, old) => {
                let shown = diff::show(old.as_deref(), &file.content, file.hidden);
                let verb = if found.is_some() { "change" } else { "write" };
                let owner = file.owner.as_ref().map_or(String::new(), |o| format!(", {o}"));
                let text = format!("{verb} {} ({:04o}{owner}){shown}", file.path, file.mode);
                self.push(text, Action::Write(file));
            }
        }
        Ok(())
    }

    fn attributes(&mut self, machine: &Machine<'_>, file: &File, metadata: &Metadata) {
        if let Some(owner) = file.owner.as_ref().filter(|o| !is_owned(machine, o, metadata)) {
            self.own(&file.path, owner);
        }
        if metadata.mode() & 0o7777 != file.mode {
            self.chmod(&file.path, metadata.mode(), file.mode);
        }
    }

    /// The owner of a file or folder that is there or that an earlier step makes.
    pub fn own(&mut self, path: &str, owner: &str) {
        self.push(format!("own {path} by {owner}"), Action::Own(path.to_owned(), owner.to_owned()));
    }

    fn chmod(&mut self, path: &str, from: u32, to: u32) {
        let text = format!("mode of {path} {:04o} -> {to:04o}", from & 0o7777);
        self.push(text, Action::Mode(path.to_owned(), to));
    }

    /// A folder with exactly these permissions and, if given, this owner.
    pub fn folder(
        &mut self,
        machine: &Machine<'_>,
        path: &str,
        mode: Option<u32>,
        owner: Option<&str>,
    ) -> Result<(), TaskError> {
        let found = fs::metadata(machine.root.at(path));
        match found {
            Ok(metadata) if metadata.is_dir() => {
                if let Some(owner) = owner.filter(|owner| !is_owned(machine, owner, &metadata)) {
                    self.own(path, owner);
                }
                if let Some(mode) = mode.filter(|mode| metadata.mode() & 0o7777 != *mode) {
                    self.chmod(path, metadata.mode(), mode);
                }
            }
            Ok(_) => {
                return Err(TaskError::Refused(format!("{path} is there and is no folder")));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mode = mode.unwrap_or(0o755);
                let text = format!("make folder {path} ({mode:04o})");
                self.push(text, Action::Folder(path.to_owned(), mode));
                if let Some(owner) = owner {
                    self.own(path, owner);
                }
            }
            Err(cause) => return Err(TaskError::Look(path.to_owned(), cause)),
        }
        Ok(())
    }

    /// A symlink; whatever file was there is replaced, a folder is not.
    pub fn link(
        &mut self,
        machine: &Machine<'_>,
        path: &str,
        target: &str,
    ) -> Result<(), TaskError> {
        let real = machine.root.at(path);
        if fs::read_link(&real).is_ok_and(|found| found == Path::new(target)) {
            return Ok(());
        }
        if fs::symlink_metadata(&real).is_ok_and(|found| found.is_dir()) {
            return Err(TaskError::Refused(format!("{path} is a folder, not a link to {target}")));
        }
        let action = Action::Link { path: path.to_owned(), target: target.to_owned() };
        self.push(format!("link {path} -> {target}"), action);
        Ok(())
    }

    /// How many changes there are.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Permissions of a file that an earlier step makes.
    pub fn mode(&mut self, path: &str, mode: u32) {
        self.push(format!("mode of {path} {mode:04o}"), Action::Mode(path.to_owned(), mode));
    }

    /// The owner of all that an earlier step makes below a path.
    pub fn own_tree(&mut self, path: &str, owner: &str) {
        let action = Action::OwnTree(path.to_owned(), owner.to_owned());
        self.push(format!("own {path} and all below by {owner}"), action);
    }

    /// Puts a file that an earlier step makes in the place of another.
    pub fn rename(&mut self, from: &str, to: &str) {
        let action = Action::Rename(from.to_owned(), to.to_owned());
        self.push(format!("rename {from} -> {to}"), action);
    }

    /// Moves a tree to a place where nothing is.
    pub fn move_tree(&mut self, from: &str, to: &str) {
        self.push(format!("move {from} -> {to}"), Action::Move(from.to_owned(), to.to_owned()));
    }

    /// Adds to a tree what another one has and it lacks.
    pub fn merge_tree(&mut self, from: &str, to: &str) {
        let action = Action::Merge(from.to_owned(), to.to_owned());
        self.push(format!("add what {to} lacks of {from}"), action);
    }

    /// A symlink where an earlier step makes room.
    pub fn link_later(&mut self, path: &str, target: &str) {
        let action = Action::Link { path: path.to_owned(), target: target.to_owned() };
        self.push(format!("link {path} -> {target}"), action);
    }

    /// Goes on when the machine has a default route, and fails without one.
    pub fn await_route(&mut self, seconds: u64) {
        let text = format!("wait up to {seconds} s for a default route");
        self.push(text, Action::AwaitRoute(seconds));
    }

    /// Removes a file or link, if it is there.
    pub fn remove(&mut self, machine: &Machine<'_>, path: &str) {
        let known = |change: &Change| matches!(&change.action, Action::Remove(p) if p == path);
        let planned = self.changes.iter().any(known);
        if !planned && fs::symlink_metadata(machine.root.at(path)).is_ok() {
            self.push(format!("remove {path}"), Action::Remove(path.to_owned()));
        }
    }

    fn push(&mut self, text: String, action: Action) {
        self.changes.push(Change { text, action });
    }

    /// All steps, for people.
    pub fn text(&self) -> String {
        let mut lines: Vec<String> =
            self.changes.iter().map(|change| format!("  {}\n", change.text)).collect();
        if !self.changes.is_empty() {
            lines.extend(self.after.iter().map(|call| format!("  then {}\n", call.line())));
        }
        lines.concat()
    }

    /// Makes the changes, in order.
    pub fn apply(&self, machine: &Machine<'_>) -> Result<(), TaskError> {
        for change in &self.changes {
            act::make(machine, &change.action)?;
        }
        for call in &self.after {
            machine.programs.run(call)?;
        }
        Ok(())
    }
}

/// The attributes of what is at a path, symlinks not followed.
fn look(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a file has this owner; a name that nobody has yet owns nothing.
fn is_owned(machine: &Machine<'_>, owner: &str, metadata: &Metadata) -> bool {
    Owner::find(machine.root, owner).is_ok_and(|owner| {
        owner.user == metadata.uid() && owner.group.is_none_or(|group| group == metadata.gid())
    })
}
