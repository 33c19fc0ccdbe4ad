//! Finds the layers that a command line names.

use std::path::{Path, PathBuf};

use anyhow::Result;
use bootwright_seed::env::layers::{Layer, Merge};
use bootwright_seed::yaml::decode::unknown;

use crate::cli::{LayerArgs, MergeKind};
use crate::exit::{Unreadable, Usage};
use crate::profile::EnvFiles;

/// Name of the lowest layer.
const DEFAULT: &str = "default";

/// The layers, the lowest first, and how they are merged.
///
/// # Errors
/// A layer that is not there: an environment that nobody knows is a mistake, not a default.
pub fn find(arguments: &LayerArgs, files: &EnvFiles) -> Result<(Vec<Layer>, Merge)> {
    let mut layers = Vec::new();
    if let Some(path) = &files.defaults {
        layers.push(read("defaults", path)?);
    }
    if let Some(folder) = &arguments.layers {
        layers.push(read(DEFAULT, &in_folder(folder, DEFAULT, "default layer")?)?);
        if let Some(name) = &arguments.environment {
            layers.push(read(name, &in_folder(folder, name, "environment")?)?);
        }
        if let Some(name) = &arguments.host {
            layers.push(read(name, &in_folder(&folder.join("hosts"), name, "host")?)?);
        }
    }
    for path in &arguments.files {
        layers.push(read(&path.display().to_string(), path)?);
    }
    if layers.is_empty() {
        return Err(Usage("no layers: give --layers DIR, --layer FILE, or --profile of an appliance with defaults".into()).into());
    }
    let how = match arguments.merge {
        Some(MergeKind::Deep) => Merge::Deep,
        Some(MergeKind::Shallow) => Merge::Shallow,
        None => files.merge,
    };
    Ok((layers, how))
}

fn read(name: &str, path: &Path) -> Result<Layer> {
    let bytes = Unreadable::read("layer", path)?;
    Ok(Layer::parse(name, &path.display().to_string(), &bytes)?)
}

/// The file of a layer in a folder: NAME.yml or NAME/main.yml.
fn in_folder(folder: &Path, name: &str, what: &str) -> Result<PathBuf> {
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(valid) {
        return Err(Usage(format!(
            "`{name}` is no name of a layer; use letters, digits, `_`, `-` and `.`"
        ))
        .into());
    }
    let choices = [folder.join(format!("{name}.yml")), folder.join(name).join("main.yml")];
    if let Some(found) = choices.iter().find(|path| path.is_file()) {
        return Ok(found.clone());
    }
    let known = names(folder);
    let known: Vec<&str> =
        known.iter().map(String::as_str).filter(|name| *name != "hosts").collect();
    let place = folder.display();
    Err(Usage(match known.is_empty() {
        true => format!("there is neither {name}.yml nor {name}/main.yml in {place}"),
        false => format!("{} in {place}", unknown(what, name, &known).trim_end_matches('?')),
    })
    .into())
}

/// The layers of a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            match name.strip_suffix(".yml") {
                Some(stem) => Some(stem.to_owned()),
                None => entry.path().join("main.yml").is_file().then_some(name),
            }
        })
        .collect();
    names.sort();
    names
}
