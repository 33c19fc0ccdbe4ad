//! `bootwright env package`.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use bootwright_export::sink::{SinkOptions, write_file};
use bootwright_seed::env::format::is_domain;
use bootwright_seed::env::package::{Package, openpgp};
use bootwright_seed::env::{self, Env, KeyPath, Level};

use crate::cli::EnvPackage;
use crate::exit::{Unreadable, Unusable, Usage};
use crate::report;

/// Writes the archive and the paper copy of an env.
///
/// # Errors
/// Inputs that cannot be used, and outputs that cannot be written.
pub fn run(arguments: &EnvPackage) -> Result<()> {
    let file = arguments.env.display().to_string();
    let env = Env::parse(&file, &Unreadable::read("env", &arguments.env)?)?;
    refuse_unfinished(&env)?;
    let name = name(&env, &arguments.name_key)?;
    let base = arguments.env.file_name().map(|name| name.to_string_lossy().into_owned());
    let base = base.unwrap_or_else(|| "env.yml".to_owned());
    let package = Package { env: &env, name: &name, file: &base, time: now()? };
    let options = SinkOptions { mode: 0o600, replace: arguments.force, patched: false };
    // Both are made before either is written.
    let archive = match arguments.recipients.is_empty() {
        true => None,
        false => Some(package.archive(&recipients(arguments)?).context("making the archive")?),
    };
    if let Some(path) = &arguments.paper {
        write_file(path, &package.paper().context("making the paper copy")?, options)?;
        report::data(path.display());
    }
    if let Some(archive) = archive {
        let path = arguments.out.join(package.archive_name());
        write_file(&path, &archive, options)?;
        report::data(path.display());
    }
    Ok(())
}

/// What is put away has to bring the site back, so nothing in it may still be to do.
fn refuse_unfinished(env: &Env) -> Result<()> {
    let findings = env::check(env, None);
    let errors = findings.iter().filter(|finding| finding.level == Level::Error);
    let count = errors.inspect(|finding| report::message(finding)).count();
    match count {
        0 => Ok(()),
        _ => Err(Unusable(format!("{}: correct this before it is put away", env.file)).into()),
    }
}

/// The site's name, which becomes part of a file's.
fn name(env: &Env, key: &str) -> Result<String> {
    let path: KeyPath = key.parse().map_err(|error| Usage(format!("--name-key: {error}")))?;
    match env.get(&path).and_then(|node| node.text()) {
        Some(name) if is_domain(name) => Ok(name.to_owned()),
        Some(_) => Err(Unusable(format!("{}: {path} is no domain name", env.file)).into()),
        None => {
            let advice = "give the key with the site's domain with --name-key";
            Err(Unusable(format!("{} has no {path}; {advice}", env.file)).into())
        }
    }
}

fn recipients(arguments: &EnvPackage) -> Result<Vec<openpgp::Recipient>> {
    let mut all = Vec::new();
    for path in &arguments.recipients {
        let bytes = Unreadable::read("public key", path)?;
        all.extend(openpgp::recipients(&path.display().to_string(), &bytes)?);
    }
    for recipient in &all {
        report::message(format_args!("to {} {}", recipient.fingerprint, recipient.owner));
    }
    Ok(all)
}

/// The time in names and on paper: the environment's, or the clock's.
fn now() -> Result<u64> {
    if let Ok(text) = std::env::var("SOURCE_DATE_EPOCH") {
        return text.parse().map_err(|_| {
            Usage(format!("SOURCE_DATE_EPOCH is {text:?}, expected seconds since 1970")).into()
        });
    }
    Ok(SystemTime::now().duration_since(UNIX_EPOCH).context("reading the clock")?.as_secs())
}
