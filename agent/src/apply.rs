//! The verb `apply`, and the tasks of a boot.

use std::error::Error;
use std::fs;
use std::path::Path;

use crate::atomic;
use crate::boot::{self, chain};
use crate::config::Config;
use crate::exit::{self, Answer};
use crate::outcome::Outcome;
use crate::root::Root;
use crate::tasks::mask::Mask;
use crate::tasks::program::{Call, Programs};
use crate::tasks::{self, Run, Stage, Summary};
use bootwright_seed::report::State;

/// Does all tasks with the env that is active, and prints what changes.
pub fn run(root: &Root, config: &Path, dry: bool) -> Answer {
    let lock = if dry { Ok(None) } else { boot::lock(root).map(Some) };
    // Held until the end.
    let _lock = match lock {
        Ok(lock) => lock,
        Err(error) => return Answer::failed(&chain(&error)),
    };
    let config = match Config::load(root, config) {
        Ok(config) => config,
        Err(error) => return Answer::failed(&chain(&error)),
    };
    if !root.at(&config.env_path).exists() {
        let err = "bootwright-agent: no env is active, so there is nothing to apply\n".to_owned();
        return Answer { err, code: exit::code(State::Unconfigured), ..Answer::default() };
    }
    let summary = go(root, &config, Stage::Late, dry);
    let notes = summary.notes.iter().chain(&summary.error);
    let err = notes.map(|line| format!("bootwright-agent: {line}\n")).collect();
    let state = if summary.error.is_some() { State::Failed } else { State::Active };
    Answer { out: summary.text, err, code: exit::code(state) }
}

/// The unit that does the tasks of the second stage.
const UNIT: &str = include_str!("../install/bootwright-tasks.service");
const UNIT_NAME: &str = "bootwright-tasks.service";

/// Does the tasks that come before the network, and has those that need it follow. A task that
/// fails makes the machine fail.
pub fn early(root: &Root, config: &Config, outcome: &mut Outcome) {
    let summary = go(root, config, Stage::Early, false);
    outcome.warnings.extend(summary.notes);
    let has_late = config.tasks.iter().any(|task| task.stage() == Stage::Late);
    let error = match summary.error {
        None if has_late => start(root).err(),
        error => error,
    };
    if let Some(error) = error {
        outcome.state = State::Failed;
        outcome.error = Some(error);
    }
}

/// Starts the second stage. An image need not have its unit: what is not there is put into
/// /run.
fn start(root: &Root) -> Result<(), String> {
    let programs = Programs::new(root, &Mask::default());
    if !root.at("/run/systemd/system").is_dir() || !programs.has("systemctl") {
        return Ok(());
    }
    let folders = ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
    let failed = |error: &dyn Error| format!("cannot start {UNIT_NAME}: {}", chain(error));
    if !folders.iter().any(|folder| root.at(folder).join(UNIT_NAME).exists()) {
        let path = root.at("/run/systemd/system").join(UNIT_NAME);
        if fs::read(&path).ok().as_deref() != Some(UNIT.as_bytes()) {
            atomic::write(&path, UNIT.as_bytes(), 0o644).map_err(|error| failed(&error))?;
            programs
                .run(&Call::new("systemctl", ["daemon-reload"]))
                .map_err(|error| failed(&error))?;
        }
    }
    // The unit waits for the network; this run must not wait for the unit.
    let call = Call::new("systemctl", ["--no-block", "start", UNIT_NAME]);
    programs.run(&call).map(drop).map_err(|error| failed(&error))
}

fn go(root: &Root, config: &Config, stage: Stage, dry: bool) -> Summary {
    if config.tasks.is_empty() && !tasks::has_history(root) {
        return Summary::default();
    }
    tasks::run(&Run { root, tasks: &config.tasks, env: &config.env_path, stage, dry })
}
