//! The verb `boot`: configuration, search, activation, report.

use std::error::Error;
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Instant;

use bootwright_seed::report::State;

use crate::activate;
use crate::apply;
use crate::atomic;
use crate::channel;
use crate::config::{Config, SourceKind};
use crate::exit::{self, Answer};
use crate::flags;
use crate::judge::Judge;
use crate::kept::{self, Which};
use crate::outcome::Outcome;
use crate::root::Root;
use crate::search::{Found, Search};
use crate::sources::{Dmi, Offer, remote};
use crate::status;
use crate::uevent::Listener;

/// Held while a run lasts, so that a second one does not write the same files.
const LOCK: &str = "/run/bootwright/agent.lock";

/// Which sources a run looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Those of the machine itself.
    Local,
    /// The metadata servers.
    Network,
}

/// Runs the agent once.
pub fn run(root: &Root, config: &Path, stage: Stage) -> Answer {
    let started = Instant::now();
    // Held until the report is out.
    let lock = lock(root);
    let (config, outcome) = match lock.as_ref().map(|_| Config::load(root, config)) {
        Ok(Ok(config)) => {
            let outcome = seek(root, &config, stage, started);
            (config, outcome)
        }
        // The report still has to get out, by the channels that work without configuration.
        Ok(Err(error)) => (Config::default(), Outcome::hopeless(chain(&error))),
        Err(error) => (Config::default(), Outcome::hopeless(chain(error))),
    };
    finish(root, &config, outcome, started)
}

/// Sets the flags of an outcome and delivers its report.
pub fn finish(root: &Root, config: &Config, outcome: Outcome, started: Instant) -> Answer {
    let pending = outcome.pending;
    let mut complaints = raise(root, config, &outcome);
    let report = outcome.report(config.profile(), started);
    complaints.extend(if pending {
        // The second stage has the last word; who listens outside gets one report a boot.
        channel::keep(root, &report)
    } else {
        channel::deliver(root, config, &report)
    });
    Answer {
        out: status::describe(&report),
        err: complaints.iter().map(|line| format!("bootwright-agent: {line}\n")).collect(),
        code: exit::code(report.state),
    }
}

fn raise(root: &Root, config: &Config, outcome: &Outcome) -> Vec<String> {
    if outcome.pending {
        return flags::raise(root, flags::NETWORK.as_ref()).err().into_iter().collect();
    }
    let mut complaints = flags::set(root, config, outcome.state);
    // A medium that is attached or corrected later is to be noticed.
    let watched = matches!(outcome.state, State::Unconfigured | State::Failed) && !outcome.hopeless;
    let change = if watched { flags::raise } else { flags::lower };
    complaints.extend(change(root, flags::WATCH.as_ref()).err());
    complaints
}

/// The lock cannot be taken.
#[derive(Debug, thiserror::Error)]
#[error("cannot lock {LOCK}; check that /run is mounted and writable")]
pub struct LockError(#[source] io::Error);

/// Waits for other runs to end and keeps new ones from starting.
///
/// # Errors
/// There is no place for the lock.
pub fn lock(root: &Root) -> Result<File, LockError> {
    let path = root.at(LOCK);
    path.parent().map_or(Ok(()), atomic::make_folder).map_err(LockError)?;
    let mut options = File::options();
    let file = options.create(true).truncate(false).write(true).mode(0o600).open(path);
    let file = file.map_err(LockError)?;
    file.lock().map_err(LockError)?;
    Ok(file)
}

fn seek(root: &Root, config: &Config, stage: Stage, started: Instant) -> Outcome {
    let judge = match Judge::new(root, config) {
        Ok(judge) => judge,
        Err(error) => return Outcome::failed(error, Vec::new()),
    };
    let mut search = Search::new(root, config, &judge);
    // A stage that fails is not started over and over by the flag.
    let lowered = flags::lower(root, flags::NETWORK.as_ref());
    let (found, pending) = match stage {
        Stage::Local => {
            let found = search.until(started + config.wait(), &Listener::new());
            (found, !remote::wanted(config, &Dmi::read(root)).is_empty())
        }
        Stage::Network => {
            let deadline = remote::deadline(config, started);
            (search.remote(&Dmi::read(root), deadline), false)
        }
    };
    let mut outcome = match (&found.result, pending) {
        (None, true) => Outcome::pending(found.tried),
        _ => conclude(root, config, &judge, found),
    };
    outcome.warnings.extend(lowered.err());
    outcome
}

/// Makes of a search what the machine is then.
pub fn conclude(root: &Root, config: &Config, judge: &Judge<'_>, found: Found) -> Outcome {
    let Found { result, refused, tried } = found;
    let mut outcome = match result {
        Some(Ok((offer, env))) => activate::take(root, config, &offer, &env, tried),
        Some(Err(error)) => Outcome::failed(error, tried),
        None => match kept_env(root, config, judge) {
            Ok(Some((offer, env))) => activate::take(root, config, &offer, &env, tried),
            Err(error) => Outcome::failed(error, tried),
            Ok(None) if refused.is_empty() => Outcome::new(State::Unconfigured, tried),
            Ok(None) => {
                Outcome::failed(format!("no seed may be used: {}", refused.join("; ")), tried)
            }
        },
    };
    if matches!(outcome.state, State::Active | State::WaitingForRestore) {
        apply::early(root, config, &mut outcome);
    }
    if outcome.state != State::Failed {
        let refused = refused.into_iter().map(|reason| format!("a seed was refused: {reason}"));
        outcome.warnings.extend(refused);
    }
    outcome
}

/// The env that this machine keeps for boots without its source.
fn kept_env(
    root: &Root,
    config: &Config,
    judge: &Judge<'_>,
) -> Result<Option<(Offer, crate::judge::Env)>, String> {
    // Without a binding the kept env is that of the machine this disk was copied from.
    if !config.keep.is_lasting() || judge.binding().is_none() {
        return Ok(None);
    }
    let Some(bytes) = kept::load(root, config.keep, Which::Last)? else {
        return Ok(None);
    };
    let env = judge.env("kept.yml", &bytes).map_err(|error| {
        format!("the env that was kept from the last boot cannot be used: {error}")
    })?;
    Ok(Some((Offer::plain(SourceKind::Kept, "kept.yml", bytes), env)))
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
