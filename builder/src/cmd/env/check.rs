//! `bootwright env check`.

use anyhow::Result;
use bootwright_seed::env::vault::{Keyring, vaults};
use bootwright_seed::env::{self, Env, Finding, KeyPath, Level, Rule, Schema};
use bootwright_seed::userdata::UserDataError;
use serde::Serialize;

use super::common;
use crate::cli::EnvCheck;
use crate::exit::{Unreadable, Unusable};
use crate::report;

/// What `--json` prints.
#[derive(Serialize)]
struct Outcome<'a> {
    file: &'a str,
    errors: usize,
    warnings: usize,
    findings: &'a [Finding],
}

/// Checks an env and prints what it finds.
///
/// # Errors
/// Files that cannot be read, a schema that is none, and findings that are errors.
pub fn run(arguments: &EnvCheck) -> Result<()> {
    let schema = common::schema(&arguments.schema, &common::files(&arguments.schema)?)?;
    let vault = common::keyring(&arguments.vault)?;
    let file = arguments.env.display().to_string();
    let bytes = Unreadable::read("env", &arguments.env)?;
    let findings = match Env::parse(&file, &bytes) {
        Ok(env) => all(env, schema.as_ref(), &vault),
        Err(error) => vec![syntax(error)],
    };
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (errors, warnings) = (count(Level::Error), count(Level::Warning));
    if arguments.json {
        report::json(&Outcome { file: &file, errors, warnings, findings: &findings })?;
    } else {
        findings.iter().for_each(report::data);
    }
    match errors {
        0 => Ok(()),
        _ => {
            Err(Unusable(format!("{file}: {} to correct", common::counted(errors, "finding")))
                .into())
        }
    }
}

/// All findings; what is in a vault that opens is checked too.
fn all(mut env: Env, schema: Option<&Schema>, vault: &Keyring) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !vault.is_empty() {
        for path in vaults(&KeyPath::default(), &env.tree) {
            let node = env.get(&path);
            let opened = node.and_then(|node| node.text()).map(|text| vault.open(text));
            if let (Some(node), Some(Err(error))) = (node, opened) {
                findings.push(Finding {
                    file: node.at.file.to_string(),
                    line: node.at.line,
                    column: node.at.column,
                    level: Level::Error,
                    rule: Rule::Vault,
                    key: path.to_string(),
                    message: error.to_string(),
                });
            }
        }
        if findings.is_empty() && vault.open_all(&mut env.tree).is_err() {
            return findings;
        }
    }
    findings.extend(env::check(&env, schema));
    findings.sort_by_key(|finding| (finding.line, finding.column));
    findings
}

/// A file that is no env, as a finding.
fn syntax(error: UserDataError) -> Finding {
    Finding {
        file: error.file,
        line: error.line,
        column: error.column,
        level: Level::Error,
        rule: Rule::Syntax,
        key: String::new(),
        message: error.problem.to_string(),
    }
}
