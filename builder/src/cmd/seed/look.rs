//! `bootwright seed inspect` and `bootwright seed verify`.

use anyhow::Result;
use bootwright_seed::inspect::Inspection;
use bootwright_seed::verify::{CONSUMERS, Outcome, Verdict, meant_for, verify};
use serde::Serialize;

use super::device::Device;
use crate::cli::{SeedInspect, SeedVerify};
use crate::exit::{Failed, Usage};
use crate::report;

/// Shows what is on a medium.
///
/// # Errors
/// A medium that cannot be read.
pub fn inspect(arguments: &SeedInspect) -> Result<()> {
    #[derive(Serialize)]
    struct Shown<'a> {
        format: &'static str,
        #[serde(flatten)]
        inspection: &'a Inspection,
    }
    let (mut device, format) = Device::open(&arguments.medium)?;
    let inspection = device.medium(&arguments.medium)?.inspect();
    if arguments.json {
        return report::json(&Shown { format: format.name(), inspection: &inspection });
    }
    let none = || "none".to_owned();
    let lines = [
        ("format", format.name().to_owned()),
        ("file system", inspection.filesystem.to_owned()),
        ("label", inspection.labels.join(", ")),
        ("kind", inspection.kind.map_or_else(none, str::to_owned)),
        ("instance-id", inspection.instance_id.clone().unwrap_or_else(none)),
        ("host name", inspection.hostname.clone().unwrap_or_else(none)),
        ("user-data", inspection.user_data_type.map_or_else(none, str::to_owned)),
    ];
    for (name, value) in lines {
        report::data(format_args!("{name:12} {}", plain(&value)));
    }
    for key in &inspection.public_keys {
        report::data(format_args!("{:12} {}", "public key", plain(key)));
    }
    for file in &inspection.files {
        report::data(format_args!("{:12} {} ({} bytes)", "file", plain(&file.path), file.size));
    }
    for text in &inspection.texts {
        report::data(format_args!("\n--- {}, secrets masked", plain(&text.path)));
        report::data(text.masked.trim_end());
    }
    Ok(())
}

/// Text of a medium, without what could drive a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Says what each program would do with a medium.
///
/// # Errors
/// [`Failed`] if one of those that were asked for would not take it.
pub fn verdicts(arguments: &SeedVerify) -> Result<()> {
    if let Some(unknown) = arguments.consumers.iter().find(|name| !CONSUMERS.contains(&&***name)) {
        let problem = bootwright_seed::yaml::decode::unknown("consumer", unknown, &CONSUMERS);
        return Err(Usage(format!("--for: {problem}")).into());
    }
    let (mut device, _) = Device::open(&arguments.medium)?;
    let medium = device.medium(&arguments.medium)?;
    let verdicts = verify(&medium, device);
    let asked = |verdict: &&Verdict| match arguments.consumers.is_empty() {
        true => meant_for(medium.kind).contains(&verdict.consumer),
        false => arguments.consumers.iter().any(|name| name == verdict.consumer),
    };
    match arguments.json {
        true => report::json(&verdicts)?,
        false => {
            for verdict in &verdicts {
                let Verdict { consumer, outcome, reason } = verdict;
                report::data(format_args!("{consumer:22} {:6}  {}", outcome.name(), plain(reason)));
            }
        }
    }
    let mut failing = verdicts.iter().filter(asked).filter(|v| v.outcome != Outcome::Accept);
    match failing.next() {
        Some(verdict) => {
            let reason = plain(&verdict.reason);
            Err(Failed(format!("{} does not take this medium: {reason}", verdict.consumer)).into())
        }
        None => Ok(()),
    }
}
