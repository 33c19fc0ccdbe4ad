//! The part of a profile that is about envs: schema, template, defaults.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use bootwright_seed::env::layers::Merge;
use bootwright_seed::yaml::decode::Located;
use bootwright_seed::yaml::tree::{Node, Value};
use serde::Deserialize;

use super::{Vars, read, resolve};
use crate::exit::Usage;

/// How envs of the appliance are made and checked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvSpec {
    /// File with the schema.
    #[serde(default)]
    pub schema: Option<Located<String>>,
    /// File with the template of `env create`.
    #[serde(default)]
    pub template: Option<Located<String>>,
    /// File with the lowest layer of `env merge`.
    #[serde(default)]
    pub defaults: Option<Located<String>>,
    /// How layers go over each other.
    #[serde(default)]
    pub merge: Merge,
}

/// The files of a profile that are about envs.
#[derive(Debug, Default)]
pub struct EnvFiles {
    pub schema: Option<PathBuf>,
    pub template: Option<PathBuf>,
    pub defaults: Option<PathBuf>,
    pub merge: Merge,
}

/// Reads what a profile says of envs. Neither its base nor its variables without a default are
/// needed for that.
///
/// # Errors
/// A profile that cannot be read, and one that says nothing of envs.
pub fn env_files(path: &Path) -> Result<EnvFiles> {
    let mut tree = read(path, 0)?;
    let vars = tree.take("vars");
    let Some(mut node) = tree.take("env") else {
        let problem = format!(
            "{}: the profile says nothing of envs; add `env: {{schema: FILE, template: FILE}}` to it, or give --schema and --template",
            path.display()
        );
        return Err(Usage(problem).into());
    };
    if is_template(&node) {
        Vars::resolve(vars, &BTreeMap::new())?.fill(&mut node)?;
    }
    let EnvSpec { schema, template, defaults, merge } = node.decode()?;
    let path = |file: Option<Located<String>>| file.as_ref().map(resolve);
    Ok(EnvFiles { schema: path(schema), template: path(template), defaults: path(defaults), merge })
}

fn is_template(node: &Node) -> bool {
    match &node.value {
        Value::Map(entries) => entries.iter().any(|(_, node)| is_template(node)),
        _ => node.text().is_some_and(|text| text.contains("{{")),
    }
}
