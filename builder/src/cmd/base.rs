//! `bootwright base`.

use anyhow::Result;
use bootwright_source::Location;

use super::build;
use crate::bases::{self, Bases};
use crate::cli::{Base as Arguments, BaseCommand, BaseFetch, BaseLs, BaseProfile, BaseUpdate};
use crate::exit::{Failed, Usage};
use crate::progress::Progress;
use crate::{plan, profile, report};

/// Runs a command around base images.
///
/// # Errors
/// Whatever it fails with.
pub fn run(arguments: &Arguments, progress: Progress) -> Result<()> {
    match &arguments.command {
        BaseCommand::Ls(arguments) => list(arguments),
        BaseCommand::Fetch(arguments) => fetch(arguments, progress),
        BaseCommand::Verify(_) => verify(progress),
        BaseCommand::Update(arguments) => update(arguments, progress),
    }
}

fn list(arguments: &BaseLs) -> Result<()> {
    let records = bases::store(true)?.cache.list()?;
    if arguments.json {
        return report::json(&records);
    }
    for record in records {
        let mib = record.size.div_ceil(1 << 20);
        report::data(format_args!("{:>8} MiB  {}  {}", mib, record.name, record.digest));
    }
    Ok(())
}

fn fetch(arguments: &BaseFetch, progress: Progress) -> Result<()> {
    let location = location(&arguments.profile)?;
    let mut bases = Bases::open(&arguments.profile.path, arguments.offline, progress)?;
    let base = bases.fetch(&location)?;
    report::data(base.path.display());
    Ok(())
}

fn verify(progress: Progress) -> Result<()> {
    let store = bases::store(true)?;
    let mut damaged = Vec::new();
    for record in store.cache.list()? {
        let is_whole = bases::watched(progress, |watch| store.cache.verify(&record, watch))?;
        report::data(format_args!(
            "{} {}",
            if is_whole { "good    " } else { "damaged " },
            record.name
        ));
        if !is_whole {
            damaged.push(record.name);
        }
    }
    match damaged.is_empty() {
        true => Ok(()),
        false => Err(Failed(format!(
            "removed from the cache, for they were damaged: {}",
            damaged.join(", ")
        ))
        .into()),
    }
}

fn update(arguments: &BaseUpdate, progress: Progress) -> Result<()> {
    let Location::Catalog(wanted) = location(&arguments.profile)? else {
        let text =
            "the base of this profile is no name of a catalog, so there is nothing to update";
        return Err(Usage(text.to_owned()).into());
    };
    let mut bases = Bases::open(&arguments.profile.path, false, progress)?;
    let (old, new) = bases.update(&wanted)?;
    if old.as_ref() == Some(&new) {
        report::message(format_args!("{} is up to date", wanted.name()));
    }
    for (sign, entry) in [("-", old.filter(|old| *old != new)), ("+", Some(new))] {
        if let Some(entry) = entry {
            let serial = entry.serial.as_deref().unwrap_or("newest");
            let signed = entry.signed_by.as_deref().unwrap_or("nobody");
            report::data(format_args!(
                "{sign} {} {serial} {} (signed by {signed})",
                entry.base, entry.digest
            ));
        }
    }
    Ok(())
}

fn location(arguments: &BaseProfile) -> Result<Location> {
    let loaded = profile::load(&arguments.path, &build::vars(&arguments.vars)?)?;
    plan::location(&loaded.profile.base)
}
