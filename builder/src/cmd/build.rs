//! `bootwright build` and `bootwright plan`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bootwright_export::manifest;

use crate::bases::Bases;
use crate::cli::{Build, Plan as PlanArgs, ProfileArgs};
use crate::exit::Usage;
use crate::pipeline::{self, Target};
use crate::plan::{self, Inputs, Options, Plan};
use crate::progress::Progress;
use crate::{profile, report, timings};

/// Prints the plan of a build.
///
/// # Errors
/// As [`prepare`].
pub fn plan(arguments: &PlanArgs, progress: Progress) -> Result<()> {
    let (plan, _) = prepare(&arguments.profile, progress)?;
    if arguments.json {
        return report::json(&plan);
    }
    report::data(serde_saphyr::to_string(&plan)?.trim_end());
    Ok(())
}

/// Builds the outputs of a profile.
///
/// # Errors
/// As [`prepare`] and [`pipeline::build`].
pub fn build(arguments: &Build, progress: Progress) -> Result<()> {
    let (plan, inputs) = prepare(&arguments.profile, progress)?;
    let folder = match &arguments.out {
        Some(folder) => folder.clone(),
        None => PathBuf::from("out").join(format!("{}-{}", plan.name, plan.version)),
    };
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("making the folder {}", folder.display()))?;
    if !arguments.force {
        refuse_existing(&plan, &folder)?;
    }
    let jobs = arguments.jobs.unwrap_or_else(super::processors);
    let target = Target { folder: &folder, replace: arguments.force, jobs, progress };
    let manifest = pipeline::build(&plan, &inputs, &target)?;
    if arguments.timings {
        timings::show();
    }
    if arguments.json {
        return report::json(&manifest);
    }
    for output in &manifest.outputs {
        report::data(folder.join(&output.file).display());
    }
    Ok(())
}

/// Loads and resolves a profile.
///
/// # Errors
/// A profile or base that cannot be used.
fn prepare(arguments: &ProfileArgs, progress: Progress) -> Result<(Plan, Inputs)> {
    let loaded = profile::load(&arguments.path, &vars(&arguments.vars)?)?;
    let options = Options { only: &arguments.only, agent: arguments.agent.as_deref() };
    let mut bases = Bases::open(&arguments.path, arguments.offline, progress)?;
    plan::resolve(loaded, &options, &mut bases)
}

/// Splits `NAME=VALUE`.
pub fn vars(given: &[String]) -> Result<BTreeMap<String, String>> {
    let pairs = given.iter().map(|pair| match pair.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(Usage(format!("--var {pair}: expected NAME=VALUE")).into()),
    });
    pairs.collect()
}

/// Fails before any work is done rather than after all of it.
fn refuse_existing(plan: &Plan, folder: &Path) -> Result<()> {
    let outputs = plan.outputs.iter().map(|part| &part.file);
    let files = outputs.chain(plan.descriptors.iter().map(|part| &part.file));
    let mut paths = files.map(|file| folder.join(file)).chain(manifest::paths(folder));
    match paths.find(|path| path.symlink_metadata().is_ok()) {
        Some(path) => Err(bootwright_export::Error::Exists { path }.into()),
        None => Ok(()),
    }
}
