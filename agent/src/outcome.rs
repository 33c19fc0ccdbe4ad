//! What a run came to, and the report of it.

use std::path::Path;
use std::time::Instant;

use bootwright_seed::report::{Profile, Report, SCHEMA, Source, State, Tried};

use crate::sources::Offer;

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// The state of the machine.
    pub state: State,
    source: Option<Source>,
    instance_id: Option<String>,
    env: Option<String>,
    /// Everything that was looked at.
    pub tried: Vec<Tried>,
    /// What works but should be looked into.
    pub warnings: Vec<String>,
    /// Why the state is `failed`.
    pub error: Option<String>,
    /// Whether the active env is another one than before the run.
    pub changed: bool,
    /// Whether metadata servers are still to be asked, so that this is not the last word.
    pub pending: bool,
    /// Whether no seed could change anything: the agent itself cannot work.
    pub hopeless: bool,
}

impl Outcome {
    /// A state without an env.
    pub fn new(state: State, tried: Vec<Tried>) -> Self {
        Self {
            state,
            source: None,
            instance_id: None,
            env: None,
            tried,
            warnings: Vec::new(),
            error: None,
            changed: false,
            pending: false,
            hopeless: false,
        }
    }

    /// No env yet, but metadata servers are still to be asked.
    pub fn pending(tried: Vec<Tried>) -> Self {
        Self { pending: true, ..Self::new(State::Unconfigured, tried) }
    }

    /// A failure.
    pub fn failed(error: impl Into<String>, tried: Vec<Tried>) -> Self {
        Self { error: Some(error.into()), ..Self::new(State::Failed, tried) }
    }

    /// A failure of the agent itself, which no other seed would mend.
    pub fn hopeless(error: impl Into<String>) -> Self {
        Self { hopeless: true, ..Self::failed(error, Vec::new()) }
    }

    /// An env that was taken; `env` is where it is, unless the machine stands by.
    pub fn taken(state: State, offer: &Offer, env: Option<&Path>, tried: Vec<Tried>) -> Self {
        let source = Source {
            kind: offer.kind.name().to_owned(),
            device: offer.place.clone(),
            filesystem: offer.filesystem.clone(),
            file: offer.file.clone(),
        };
        Self {
            source: Some(source),
            instance_id: offer.instance_id.clone(),
            env: env.map(|env| env.display().to_string()),
            ..Self::new(state, tried)
        }
    }

    /// The report.
    pub fn report(self, profile: Option<Profile>, started: Instant) -> Report {
        Report {
            schema: SCHEMA,
            state: self.state,
            agent: env!("CARGO_PKG_VERSION").to_owned(),
            profile,
            source: self.source,
            instance_id: self.instance_id,
            env: self.env,
            tried: self.tried,
            warnings: self.warnings,
            error: self.error,
            elapsed_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }
}
