//! `bootwright env check`.

use anyhow::Result;
use bootwright_seed::env::{self, Env, Finding, Level, Rule, Schema};
use bootwright_seed::userdata::UserDataError;
use serde::Serialize;

use crate::cli::EnvCheck;
use crate::exit::{BadInput, Unreadable};
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
    let schema = match &arguments.schema {
        Some(path) => {
            let bytes = Unreadable::read("schema", path)?;
            Some(Schema::parse(&path.display().to_string(), &bytes)?)
        }
        None => None,
    };
    let file = arguments.env.display().to_string();
    let bytes = Unreadable::read("env", &arguments.env)?;
    let findings = match Env::parse(&file, &bytes) {
        Ok(env) => env::check(&env, schema.as_ref()),
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
        _ => Err(BadInput(format!("{file}: {} to correct", counted(errors, "finding"))).into()),
    }
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

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
