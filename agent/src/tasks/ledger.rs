//! Remembers which files each task wrote, so that what an env no longer asks for goes away.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::machine::{Machine, TaskError};
use super::plan::Plan;
use crate::atomic;
use crate::root::Root;

/// Where it is kept. Only root reads it: digests of short secrets give them away.
const PATH: &str = "/var/lib/bootwright/tasks.json";

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledger {
    tasks: BTreeMap<String, Record>,
    /// Why the machine was started anew the last time.
    rebooted_for: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Record {
    /// Path to digest.
    files: BTreeMap<String, String>,
    /// The task was begun and did not come to its end.
    unfinished: bool,
}

impl Ledger {
    /// Reads it. One that is damaged is forgotten: files of earlier runs stay then.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn load(root: &Root) -> Result<Self, TaskError> {
        match fs::read(root.at(PATH)) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(TaskError::Look(PATH.to_owned(), error)),
        }
    }

    fn store(&self, root: &Root) -> Result<(), TaskError> {
        let mut text = serde_json::to_vec(self)
            .map_err(|error| TaskError::Change(PATH.to_owned(), error.into()))?;
        text.push(b'\n');
        Ok(atomic::write(&root.at(PATH), &text, 0o600)?)
    }

    /// Whether a task was begun and not ended.
    pub fn is_unfinished(&self, task: &str) -> bool {
        self.tasks.get(task).is_some_and(|record| record.unfinished)
    }

    /// Adds to a plan the removal of files that the task no longer wants.
    pub fn clean(&self, machine: &Machine<'_>, task: &str, plan: &mut Plan) {
        let Some(record) = self.tasks.get(task) else {
            return;
        };
        for (path, digest) in &record.files {
            if plan.owned().contains(path) {
                continue;
            }
            match digest_of(machine.root, path) {
                Some(found) if found == *digest => plan.remove(machine, path),
                Some(_) => plan.note(format!(
                    "{path} is no longer asked for, but was changed by somebody else; it stays"
                )),
                None => {}
            }
        }
    }

    /// Tasks of which files are remembered and that are not among `names`.
    pub fn retired(&self, names: &[String]) -> Vec<String> {
        self.tasks.keys().filter(|name| !names.contains(name)).cloned().collect()
    }

    /// Notes that a task begins to change things.
    pub fn begin(&mut self, root: &Root, task: &str) -> Result<(), TaskError> {
        self.tasks.entry(task.to_owned()).or_default().unfinished = true;
        self.store(root)
    }

    /// Notes that a task is as it should be, with the files it owns.
    pub fn end(&mut self, root: &Root, task: &str, owned: &[String]) -> Result<(), TaskError> {
        let files = owned.iter().filter_map(|path| Some((path.clone(), digest_of(root, path)?)));
        let record = Record { files: files.collect(), unfinished: false };
        let before = self.clone();
        if record.files.is_empty() {
            self.tasks.remove(task);
        } else {
            self.tasks.insert(task.to_owned(), record);
        }
        if *self == before { Ok(()) } else { self.store(root) }
    }

    /// Notes a start of the machine; false if it was started for this reason before.
    pub fn reboot(&mut self, root: &Root, reason: &str) -> Result<bool, TaskError> {
        if self.rebooted_for.as_deref() == Some(reason) {
            return Ok(false);
        }
        self.rebooted_for = Some(reason.to_owned());
        self.store(root)?;
        Ok(true)
    }
}

/// Whether tasks were done here before.
pub fn exists(root: &Root) -> bool {
    root.at(PATH).exists()
}

fn digest_of(root: &Root, path: &str) -> Option<String> {
    let real = root.at(path);
    let metadata = fs::symlink_metadata(&real).ok()?;
    let bytes = if metadata.is_file() {
        fs::read(real).ok()?
    } else {
        fs::read_link(real).ok()?.into_os_string().into_encoded_bytes()
    };
    Some(Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}
