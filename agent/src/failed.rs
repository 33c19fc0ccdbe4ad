//! The verb `failed`: what runs when a unit of the image fails (OnFailure=).

use std::path::Path;
use std::time::Instant;

use bootwright_seed::report::{Report, State};

use crate::boot::{self, chain};
use crate::channel;
use crate::config::Config;
use crate::exit::Answer;
use crate::flags;
use crate::outcome::Outcome;
use crate::root::Root;

/// Raises the failure flag and reports that `unit` failed.
pub fn run(root: &Root, config: &Path, unit: &str) -> Answer {
    let started = Instant::now();
    let config = match Config::load(root, config) {
        Ok(config) => config,
        Err(error) => return Answer::failed(&chain(&error)),
    };
    let _lock = match boot::lock(root) {
        Ok(lock) => lock,
        Err(error) => return Answer::failed(&chain(&error)),
    };
    // When a step before it failed, every unit that waits for it fails too. The first report
    // names the step, so it stays (B38).
    if flags::is_raised(root, &config.failure_flag) {
        return Answer::told(format!("{unit} failed after an earlier failure\n"));
    }
    let mut complaints: Vec<String> =
        flags::raise(root, &config.failure_flag).err().into_iter().collect();
    let report = report(root, &config, unit, started);
    complaints.extend(channel::deliver(root, &config, &report));
    Answer {
        out: format!("{unit} failed; reported\n"),
        err: complaints.iter().map(|line| format!("bootwright-agent: {line}\n")).collect(),
        code: 0,
    }
}

/// The last report with the failure in it: where the env came from still holds.
fn report(root: &Root, config: &Config, unit: &str, started: Instant) -> Report {
    let error = format!(
        "the unit {unit} failed; see `journalctl -u {unit}`, then `bootwright-agent recover`"
    );
    match crate::status::last(root) {
        Ok(last) => Report { state: State::Failed, error: Some(error), ..last },
        Err(_) => Outcome::failed(error, Vec::new()).report(config.profile(), started),
    }
}
