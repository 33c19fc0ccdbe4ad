//! `bootwright env dns`.

use std::net::SocketAddr;

use anyhow::Result;
use bootwright_export::sink::{SinkOptions, write_file};
use bootwright_seed::env::Env;
use bootwright_seed::env::dns::{Policy, Records, verify};

use crate::cli::{DnsFormat, EnvDns};
use crate::exit::{Failed, Unreadable};
use crate::report;

/// Prints, writes or looks up the records of an env.
///
/// # Errors
/// Inputs that cannot be used, and records that are not there.
pub fn run(arguments: &EnvDns) -> Result<()> {
    let file = arguments.env.display().to_string();
    let env = Env::parse(&file, &Unreadable::read("env", &arguments.env)?)?;
    let policy = policy(&arguments.policy)?;
    let records = Records::of(&env, &policy, &arguments.addresses, arguments.zone.as_deref())?;
    if let Some(resolver) = arguments.verify {
        return check(&records, resolver);
    }
    if arguments.update {
        let text = records.into_env(&env.text);
        let options = SinkOptions { mode: 0o600, replace: true, patched: false };
        write_file(&arguments.env, text.as_bytes(), options)?;
        report::data(file);
        return Ok(());
    }
    match arguments.format {
        DnsFormat::Zone => report::text(records.zone_file()),
        DnsFormat::Reverse => report::text(records.reverse_file()),
        DnsFormat::Comment => report::text(records.comment()),
        DnsFormat::Web => report::text(records.web_form()),
        DnsFormat::Json => report::json(&records.json())?,
    }
    Ok(())
}

/// A policy that came with the tool, or one in a file.
fn policy(name: &str) -> Result<Policy> {
    if let Some(text) = Policy::shipped(name) {
        return Ok(Policy::parse(name, text.as_bytes())?);
    }
    Ok(Policy::parse(name, &Unreadable::read("DNS policy", name.as_ref())?)?)
}

fn check(records: &Records, resolver: SocketAddr) -> Result<()> {
    let findings = verify::verify(records, resolver)?;
    for finding in &findings {
        let verdict = match (finding.found, finding.others.is_empty()) {
            (true, true) => "ok     ",
            (true, false) => "extra  ",
            (false, false) => "differs",
            (false, true) => "missing",
        };
        let (name, data) = (&finding.record.name, &finding.record.data);
        report::data(format_args!("{verdict} {name}. {} {}", data.kind(), data.value()));
        for other in &finding.others {
            report::data(format_args!("        there is {other}"));
        }
    }
    match findings.iter().filter(|finding| !finding.good()).count() {
        0 => Ok(()),
        bad => {
            let all = findings.len();
            Err(Failed(format!("{bad} of {all} records are not as they should be")).into())
        }
    }
}
