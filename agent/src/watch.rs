//! The verb `watch`: waits for a seed that is attached while the machine runs.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use bootwright_seed::report::State;

use crate::boot::{self, chain};
use crate::config::Config;
use crate::exit::{self, Answer};
use crate::flags;
use crate::judge::Judge;
use crate::outcome::Outcome;
use crate::root::Root;
use crate::search::Search;
use crate::services;
use crate::status;
use crate::uevent::Listener;

/// Longest pause between two looks. The kernel tells about devices; nobody tells about files.
const PAUSE: Duration = Duration::from_secs(5);

/// Waits until the machine has an env.
pub fn run(root: &Root, config: &Path) -> Answer {
    let listener = Listener::new();
    let config = match Config::load(root, config) {
        Ok(config) => config,
        Err(error) => return Answer::failed(&chain(&error)),
    };
    let mut watch = Watch { root, config: &config, said: status::error(root) };
    let mut answer = Answer::default();
    let mut seen = None;
    while flags::is_raised(root, flags::WATCH) {
        let now = watch.situation();
        if seen.as_ref() != Some(&now) {
            match watch.look() {
                Ok(Some(ended)) => return ended,
                Ok(None) => {}
                Err(error) => return Answer::failed(&error),
            }
            seen = Some(now);
        }
        listener.wait(PAUSE);
    }
    answer.out = "there is nothing to wait for: this machine has an env\n".to_owned();
    answer
}

struct Watch<'a> {
    root: &'a Root,
    config: &'a Config,
    /// The error that was reported last.
    said: Option<String>,
}

impl Watch<'_> {
    /// What would change if a seed came.
    fn situation(&self) -> (String, Option<(u64, i64, i64, u64)>) {
        let drives = crate::discover::summary(self.root);
        let file = std::fs::metadata(self.root.at(&self.config.env_file)).ok();
        (drives, file.map(|file| (file.ino(), file.mtime(), file.mtime_nsec(), file.len())))
    }

    /// Looks once; the answer if the watch is over.
    fn look(&mut self) -> Result<Option<Answer>, String> {
        let started = Instant::now();
        // Held until the report is out.
        let _lock = boot::lock(self.root).map_err(|error| chain(&error))?;
        let judge = match Judge::new(self.root, self.config) {
            Ok(judge) => judge,
            Err(error) => {
                self.report_failure(Outcome::failed(error, Vec::new()), started);
                return Ok(None);
            }
        };
        let found = Search::new(self.root, self.config, &judge).once();
        if found.result.is_none() && found.refused.is_empty() {
            return Ok(None);
        }
        let outcome = boot::conclude(self.root, self.config, &judge, found);
        if outcome.state == State::Failed {
            self.report_failure(outcome, started);
            return Ok(None);
        }
        let changed = outcome.changed || outcome.state == State::Standby;
        let mut answer = boot::finish(self.root, self.config, outcome, started);
        if changed {
            for complaint in services::restart(self.root, &self.config.consumers) {
                answer.err += &format!("bootwright-agent: {complaint}\n");
            }
        }
        Ok(Some(answer))
    }

    /// Reports a seed that cannot be used, once.
    fn report_failure(&mut self, outcome: Outcome, started: Instant) {
        if outcome.error == self.said {
            return;
        }
        self.said.clone_from(&outcome.error);
        let answer = boot::finish(self.root, self.config, outcome, started);
        exit::say(&answer);
    }
}
