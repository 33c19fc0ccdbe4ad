//! The verb `boot`: configuration, discovery, choice, activation, report.

use std::error::Error;
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Instant;

use bootwright_seed::report::{Profile, Report, SCHEMA, Source, State, Tried};

use crate::activate;
use crate::channel;
use crate::choose::{self, Choice, Chosen};
use crate::config::Config;
use crate::discover;
use crate::exit::{self, Answer};
use crate::root::Root;
use crate::{atomic, status};

/// Held while a run lasts, so that a second one does not write the same files.
const LOCK: &str = "/run/bootwright/agent.lock";

/// Runs the agent once.
pub fn run(root: &Root, config: &Path) -> Answer {
    let started = Instant::now();
    // Held until the report is out.
    let lock = lock(root);
    let (config, outcome) = match lock.as_ref().map(|_| Config::load(root, config)) {
        Ok(Ok(config)) => {
            let outcome = seek(root, &config, started);
            (config, outcome)
        }
        // The report still has to get out, by the channels that work without configuration.
        Ok(Err(error)) => (Config::default(), Outcome::failed(&error, Vec::new())),
        Err(error) => (Config::default(), Outcome::failed(error, Vec::new())),
    };
    let report = outcome.report(config.profile(), started);
    let complaints = channel::deliver(root, &config, &report);
    Answer {
        out: status::describe(&report),
        err: complaints.iter().map(|line| format!("bootwright-agent: {line}\n")).collect(),
        code: exit::code(report.state),
    }
}

/// The lock cannot be taken.
#[derive(Debug, thiserror::Error)]
#[error("cannot lock {LOCK}; check that /run is mounted and writable")]
struct LockError(#[source] io::Error);

fn lock(root: &Root) -> Result<File, LockError> {
    let path = root.at(LOCK);
    path.parent().map_or(Ok(()), atomic::make_folder).map_err(LockError)?;
    let mut options = File::options();
    let file = options.create(true).truncate(false).write(true).mode(0o600).open(path);
    let file = file.map_err(LockError)?;
    file.lock().map_err(LockError)?;
    Ok(file)
}

/// What a run came to.
struct Outcome {
    state: State,
    source: Option<Source>,
    instance_id: Option<String>,
    env: Option<String>,
    tried: Vec<Tried>,
    error: Option<String>,
}

fn seek(root: &Root, config: &Config, started: Instant) -> Outcome {
    let places = discover::discover(root, &config.sources, started + config.wait());
    let Choice { result, tried } = choose::choose(root, &config.sources, places);
    let chosen = match result {
        Ok(Some(chosen)) => chosen,
        Ok(None) => return Outcome::new(State::Unconfigured, tried),
        Err(error) => return Outcome::failed(&error, tried),
    };
    match activate::put(&root.at(&config.env_path), &chosen.contents.user_data) {
        Ok(_) => Outcome::active(chosen, &config.env_path, tried),
        Err(error) => Outcome::failed(&error, tried),
    }
}

impl Outcome {
    fn new(state: State, tried: Vec<Tried>) -> Self {
        Self { state, source: None, instance_id: None, env: None, tried, error: None }
    }

    fn failed(error: &dyn Error, tried: Vec<Tried>) -> Self {
        Self { error: Some(chain(error)), ..Self::new(State::Failed, tried) }
    }

    fn active(chosen: Chosen, env: &Path, tried: Vec<Tried>) -> Self {
        let Chosen { node, contents } = chosen;
        let source = Source {
            kind: contents.kind.name().to_owned(),
            device: node,
            filesystem: contents.filesystem.name().to_owned(),
            file: contents.user_data_file,
        };
        Self {
            source: Some(source),
            instance_id: contents.instance_id,
            env: Some(env.display().to_string()),
            ..Self::new(State::Active, tried)
        }
    }

    fn report(self, profile: Option<Profile>, started: Instant) -> Report {
        Report {
            schema: SCHEMA,
            state: self.state,
            agent: env!("CARGO_PKG_VERSION").to_owned(),
            profile,
            source: self.source,
            instance_id: self.instance_id,
            env: self.env,
            tried: self.tried,
            error: self.error,
            elapsed_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// An error and all its causes on one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text += &format!(": {inner}");
        cause = inner.source();
    }
    text
}
