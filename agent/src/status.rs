//! The verb `status`, and the report in words.

use std::io;

use bootwright_seed::report::Report;

use crate::channel::{self, words};
use crate::exit::{self, Answer};
use crate::root::Root;

/// Prints the report of the last run.
pub fn run(root: &Root, json: bool) -> Answer {
    let text = match text(root) {
        Ok(text) => text,
        Err(reason) => return Answer::failed(&reason),
    };
    match parse(&text) {
        Ok(report) => {
            let out = if json { text } else { describe(&report) };
            Answer { out, code: exit::code(report.state), ..Answer::default() }
        }
        Err(reason) => Answer::failed(&reason),
    }
}

/// The report of the last run.
///
/// # Errors
/// There is none, or it is not readable.
pub fn last(root: &Root) -> Result<Report, String> {
    parse(&text(root)?)
}

/// The error of the last run, if it failed.
pub fn error(root: &Root) -> Option<String> {
    last(root).ok()?.error
}

fn text(root: &Root) -> Result<String, String> {
    std::fs::read_to_string(root.at(channel::REPORT)).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            "there is no report: the agent has not run since boot; see systemctl status bootwright-agent"
                .to_owned()
        }
        _ => format!("cannot read {}: {error}", channel::REPORT),
    })
}

fn parse(text: &str) -> Result<Report, String> {
    serde_json::from_str(text).map_err(|error| {
        format!(
            "{} is no report of this agent ({error}); restart bootwright-agent",
            channel::REPORT
        )
    })
}

/// The report for people: one line a fact, and one a place that was looked at.
pub fn describe(report: &Report) -> String {
    let mut facts = vec![("state", report.state.name().to_owned())];
    let mut add =
        |name, value: &Option<String>| facts.extend(value.clone().map(|value| (name, value)));
    add("profile", &report.profile.as_ref().map(|p| format!("{} {}", p.name, p.version)));
    add(
        "source",
        &report.source.as_ref().map(|s| match &s.filesystem {
            Some(filesystem) => format!("{} on {} ({}, {filesystem})", s.file, s.device, s.kind),
            None => format!("{} from {} ({})", s.file, s.device, s.kind),
        }),
    );
    add("instance-id", &report.instance_id);
    add("env", &report.env);
    add("error", &report.error);
    facts.extend(report.warnings.iter().map(|warning| ("warning", warning.clone())));
    facts.push(("agent", format!("{}, took {} ms", report.agent, report.elapsed_ms)));
    facts.extend(report.tried.iter().map(|t| ("tried", format!("{}: {}", t.place, t.outcome))));
    facts
        .iter()
        .map(|(name, value)| format!("{:12} {}\n", format!("{name}:"), words::prose(value)))
        .collect()
}
