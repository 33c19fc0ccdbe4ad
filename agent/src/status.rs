//! The verb `status`, and the report in words.

use std::io;

use bootwright_seed::report::Report;

use crate::channel::{self, words};
use crate::exit::{self, Answer};
use crate::root::Root;

/// Prints the report of the last run.
pub fn run(root: &Root, json: bool) -> Answer {
    let text = match std::fs::read_to_string(root.at(channel::REPORT)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Answer::failed(
                "there is no report: the agent has not run since boot; see systemctl status bootwright-agent",
            );
        }
        Err(error) => return Answer::failed(&format!("cannot read {}: {error}", channel::REPORT)),
    };
    let report: Report = match serde_json::from_str(&text) {
        Ok(report) => report,
        Err(error) => {
            return Answer::failed(&format!(
                "{} is no report of this agent ({error}); restart bootwright-agent",
                channel::REPORT
            ));
        }
    };
    let out = if json { text } else { describe(&report) };
    Answer { out, code: exit::code(report.state), ..Answer::default() }
}

/// The report for people: one line a fact, and one a place that was looked at.
pub fn describe(report: &Report) -> String {
    let mut facts = vec![("state", report.state.name().to_owned())];
    let mut add =
        |name, value: &Option<String>| facts.extend(value.clone().map(|value| (name, value)));
    add("profile", &report.profile.as_ref().map(|p| format!("{} {}", p.name, p.version)));
    add(
        "source",
        &report
            .source
            .as_ref()
            .map(|s| format!("{} on {} ({}, {})", s.file, s.device, s.kind, s.filesystem)),
    );
    add("instance-id", &report.instance_id);
    add("env", &report.env);
    add("error", &report.error);
    facts.push(("agent", format!("{}, took {} ms", report.agent, report.elapsed_ms)));
    facts.extend(report.tried.iter().map(|t| ("tried", format!("{}: {}", t.place, t.outcome))));
    facts
        .iter()
        .map(|(name, value)| format!("{:12} {}\n", format!("{name}:"), words::prose(value)))
        .collect()
}
