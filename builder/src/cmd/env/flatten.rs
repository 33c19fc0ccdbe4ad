//! `bootwright env flatten`.

use std::io::Read;

use anyhow::{Context, Result};
use bootwright_seed::env::flatten::{self, Output, compat};
use bootwright_seed::userdata::{Problem, UserDataError};
use bootwright_seed::yaml::{self, YamlError, tree::Node};

use crate::cli::{EnvFlatten, FlattenFormat};
use crate::exit::{Unreadable, Usage};
use crate::report;

/// Prints an env as variables.
///
/// # Errors
/// What cannot be read, and what cannot be flattened.
pub fn run(arguments: &EnvFlatten) -> Result<()> {
    let in_names = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !arguments.compat && !arguments.prefix.chars().all(in_names) {
        let message = "--prefix may hold letters, digits and `_`; other text needs --compat";
        return Err(Usage(message.to_owned()).into());
    }
    let tree = read(arguments)?;
    let keys: Vec<&str> = arguments.keys.iter().map(String::as_str).collect();
    if arguments.compat {
        return with_old_rules(arguments, &tree, &keys);
    }
    let variables = flatten::flatten(&tree, &keys, &arguments.prefix)?;
    let output = match arguments.format {
        FlattenFormat::Sh => Output::Sh,
        FlattenFormat::Systemd => Output::Systemd,
        FlattenFormat::Docker => Output::Docker,
    };
    report::text(output.render(&variables)?);
    Ok(())
}

fn with_old_rules(arguments: &EnvFlatten, tree: &Node, keys: &[&str]) -> Result<()> {
    let style = compat::Style {
        prefix: arguments.prefix.clone(),
        postfix: arguments.postfix.clone(),
        combine: arguments.combine.clone(),
        assign: arguments.assign.clone(),
    };
    let lines = compat::flatten(tree, keys, &style)?;
    for key in &lines.missing {
        report::message(format_args!("the key `{key}` is not there"));
    }
    report::text(lines.text);
    Ok(())
}

/// The document. It need not be an env: flatyaml takes any.
fn read(arguments: &EnvFlatten) -> Result<Node> {
    let (file, bytes) = match &arguments.file {
        Some(path) => (path.display().to_string(), Unreadable::read("env", path)?),
        None => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).context("reading stdin")?;
            ("stdin".to_owned(), bytes)
        }
    };
    let located = |error: YamlError| UserDataError {
        file: file.clone(),
        line: error.line.max(1),
        column: error.column.max(1),
        problem: Problem::Yaml(error.reason),
    };
    let text = yaml::decode(&bytes).map_err(located)?;
    Ok(Node::parse(&file, text).map_err(|(_, error)| located(error))?)
}
