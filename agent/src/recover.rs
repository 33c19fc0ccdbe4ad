//! The verb `recover`: what an administrator does about a failure, by one switch each.

use std::path::Path;
use std::time::Instant;

use bootwright_seed::report::State;

use crate::binding::Binding;
use crate::boot::{self, chain};
use crate::config::{Config, SourceKind};
use crate::exit::Answer;
use crate::flags;
use crate::judge::Judge;
use crate::kept::{self, Which};
use crate::outcome::Outcome;
use crate::root::Root;
use crate::sources::Offer;
use crate::{activate, restored, services};

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// Clear the failure and start the services again.
    Clear,
    /// Activate the env that was active last.
    Last,
    /// Activate the one before it.
    Previous,
    /// Note that the data has been restored.
    Restored,
    /// Forget the seed the machine is bound to.
    Unbind,
}

/// Does it.
pub fn run(root: &Root, config: &Path, recovery: Recovery) -> Answer {
    match attempt(root, config, recovery) {
        Ok(answer) => answer,
        Err(reason) => Answer::failed(&reason),
    }
}

fn attempt(root: &Root, config: &Path, recovery: Recovery) -> Result<Answer, String> {
    let started = Instant::now();
    let _lock = boot::lock(root).map_err(|error| chain(&error))?;
    let config = Config::load(root, config).map_err(|error| chain(&error))?;
    let outcome = match recovery {
        Recovery::Clear => {
            flags::lower(root, &config.failure_flag)?;
            None
        }
        Recovery::Unbind => {
            Binding::remove(root)?;
            return Ok(Answer::told(
                "the machine takes the next seed; restart bootwright-agent\n".to_owned(),
            ));
        }
        Recovery::Restored => {
            restored::record(root)?;
            if !flags::is_raised(root, flags::WAITING) {
                return Ok(Answer::told("noted; the machine was not waiting for it\n".to_owned()));
            }
            Some(active(root, &config)?)
        }
        Recovery::Last => Some(kept_env(root, &config, Which::Last)?),
        Recovery::Previous => Some(kept_env(root, &config, Which::Previous)?),
    };
    let mut answer = match outcome {
        Some(outcome) => boot::finish(root, &config, outcome, started),
        None => Answer::told("the failure is cleared\n".to_owned()),
    };
    for complaint in services::restart(root, &config.consumers) {
        answer.err += &format!("bootwright-agent: {complaint}\n");
    }
    Ok(answer)
}

/// Takes the env that is in place once more, now that the restore is over.
fn active(root: &Root, config: &Config) -> Result<Outcome, String> {
    let path = &config.env_path;
    let bytes = std::fs::read(root.at(path))
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    Judge::new(root, config)?.env(&path.display().to_string(), &bytes)?;
    let offer = Offer::plain(SourceKind::File, path.display().to_string(), Vec::new());
    Ok(Outcome::taken(State::Active, &offer, Some(path), Vec::new()))
}

fn kept_env(root: &Root, config: &Config, which: Which) -> Result<Outcome, String> {
    let bytes = kept::load(root, config.keep, which)?.ok_or_else(|| {
        "no such env is kept; the key `keep` of the configuration says where one is".to_owned()
    })?;
    let env = Judge::new(root, config)?.env("kept.yml", &bytes)?;
    let offer = Offer::plain(SourceKind::Kept, "kept.yml", bytes);
    Ok(activate::take(root, config, &offer, &env, Vec::new()))
}
