//! Profiles: what an appliance is, as data.

mod env;
mod merge;
#[cfg(feature = "image")]
pub mod outputs;
#[cfg(feature = "image")]
mod schema;
#[cfg(feature = "image")]
mod size;
mod vars;

#[cfg(feature = "image")]
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use bootwright_seed::yaml::decode::{DecodeError, Located};
use bootwright_seed::yaml::tree::{Node, Place, Value};
use bootwright_seed::yaml::{self, YamlError};

use crate::exit::Unreadable;

pub use env::{EnvFiles, env_files};
#[cfg(feature = "image")]
pub use schema::{
    AgentSpec, BaseFormat, BaseSpec, DriverCheck, Firmware, Machine, OverlayRule, Profile,
    RootRoom, Units, User,
};
#[cfg(feature = "image")]
pub use size::Size;
pub use vars::Vars;

/// Profiles that extend profiles that extend profiles; more than this is a loop.
const MAX_DEPTH: usize = 16;

/// A profile with everything it extends merged in and its variables filled in.
#[cfg(feature = "image")]
#[derive(Debug)]
pub struct Loaded {
    /// What it says.
    pub profile: Profile,
    /// The variables, for templates of overlays.
    pub vars: Vars,
}

#[cfg(feature = "image")]
/// Loads the profile at `path`; `given` are the variables of the command line.
///
/// # Errors
/// A file that cannot be read, YAML that is none, unknown and mistyped keys with their
/// place, and variables that are missing or unknown.
pub fn load(path: &Path, given: &BTreeMap<String, String>) -> Result<Loaded> {
    let mut tree = read(path, 0)?;
    let vars = Vars::resolve(tree.take("vars"), given)?;
    vars.fill(&mut tree)?;
    let profile: Profile = tree.decode()?;
    profile.check()?;
    Ok(Loaded { profile, vars })
}

/// Reads one file and merges it over what it extends.
fn read(path: &Path, depth: usize) -> Result<Node> {
    let name = path.display().to_string();
    let mut tree = parse(&name, &Unreadable::read("profile", path)?)?;
    if !matches!(tree.value, Value::Map(_)) {
        let problem = format!("{}, expected a mapping: this is no profile", tree.value.describe());
        return Err(DecodeError::new(&tree.at, problem).into());
    }
    let parents = match tree.take("extends") {
        None => Vec::new(),
        Some(node) => node.decode::<Vec<Located<String>>>()?,
    };
    let mut merged: Option<Node> = None;
    for parent in parents {
        if depth >= MAX_DEPTH {
            let problem = format!("profiles extend each other more than {MAX_DEPTH} deep; a loop?");
            return Err(DecodeError::new(&parent.at, problem).into());
        }
        let file = parent_file(path, &parent.value);
        if !file.is_file() {
            let problem =
                format!("it extends {}, but there is no {}", parent.value, file.display());
            return Err(DecodeError::new(&parent.at, problem).into());
        }
        let parent = read(&file, depth + 1)?;
        merged = Some(match merged {
            Some(base) => merge::merge(base, parent)?,
            None => parent,
        });
    }
    Ok(match merged {
        Some(base) => merge::merge(base, tree)?,
        None => merge::settle(tree)?,
    })
}

/// Parses a YAML file.
///
/// # Errors
/// Text that is no YAML, with its place.
pub fn parse(name: &str, bytes: &[u8]) -> Result<Node, DecodeError> {
    let bad = |file: Arc<str>, error: YamlError| DecodeError {
        at: Some(Place { file, line: error.line, column: error.column }),
        problem: error.reason,
    };
    let text = yaml::decode(bytes).map_err(|error| bad(name.into(), error))?;
    Node::parse(name, text).map_err(|(file, error)| bad(file, error))
}

/// The file of a profile that another one extends: a name stands for a file beside it.
fn parent_file(path: &Path, name: &str) -> PathBuf {
    let folder = path.parent().unwrap_or(Path::new(""));
    match name.ends_with(".yml") || name.ends_with(".yaml") {
        true => folder.join(name),
        false => folder.join(format!("{name}.yml")),
    }
}

/// A path of a profile, counted from the file it stands in.
pub fn resolve(path: &Located<String>) -> PathBuf {
    let folder = Path::new(&*path.at.file).parent().unwrap_or(Path::new(""));
    folder.join(&path.value)
}

#[cfg(feature = "image")]
#[cfg(test)]
mod tests;
