//! The verb `env`: the active env as variables, for those who asked for which keys.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::str::FromStr;

use bootwright_seed::env::KeyPath;
use bootwright_seed::env::flatten::{self, Output, Variable, compat};
use bootwright_seed::yaml::tree::{Key, Node, Value};

use crate::args::EnvVerb;
use crate::boot::chain;
use crate::config::Config;
use crate::exit::Answer;
use crate::judge::Judge;
use crate::root::Root;

/// Does it.
pub fn run(root: &Root, config: &Path, verb: &EnvVerb) -> Answer {
    match attempt(root, config, verb) {
        Ok(answer) => answer,
        Err(reason) => Answer::failed(&reason),
    }
}

fn attempt(root: &Root, config: &Path, verb: &EnvVerb) -> Result<Answer, String> {
    let config = Config::load(root, config).map_err(|error| chain(&error))?;
    let tree = active(root, &config)?;
    match verb {
        EnvVerb::Export { keys, output } => export(&tree, keys, *output).map(Answer::told),
        EnvVerb::Exec { keys, command } => Err(exec(&variables(&tree, keys)?, command)),
        EnvVerb::Flatten { keys, style } => {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let lines = compat::flatten(&tree, &keys, style).map_err(|error| chain(&error))?;
            let note = |key: &String| format!("bootwright-agent: the key `{key}` is not there\n");
            let err = lines.missing.iter().map(note).collect();
            Ok(Answer { out: lines.text, err, code: 0 })
        }
    }
}

/// The active env.
fn active(root: &Root, config: &Config) -> Result<Node, String> {
    let path = &config.env_path;
    let bytes = std::fs::read(root.at(path)).map_err(|error| {
        format!("{} cannot be read ({error}); see bootwright-agent status", path.display())
    })?;
    let name = path.display().to_string();
    let env = Judge::unbound(root, config).env(&name, &bytes)?;
    let text = std::str::from_utf8(&env.text).map_err(|error| error.to_string())?;
    Node::parse(&name, text).map_err(|(_, error)| format!("{name}: {}", error.reason))
}

fn export(tree: &Node, keys: &[String], output: Output) -> Result<String, String> {
    output.render(&variables(tree, keys)?).map_err(|error| chain(&error))
}

/// The variables of the trees below dotted keys.
fn variables(tree: &Node, keys: &[String]) -> Result<Vec<Variable>, String> {
    let mut all: Vec<Variable> = Vec::new();
    for key in keys {
        let part = if key == "." { tree.clone() } else { only(tree, key)? };
        for variable in flatten::flatten(&part, &["."], "").map_err(|error| chain(&error))? {
            match all.iter().find(|known| known.name == variable.name) {
                Some(known) if known.at == variable.at => {}
                Some(known) => {
                    return Err(format!(
                        "{} and {} both become {}; ask for one of them",
                        known.at, variable.at, variable.name
                    ));
                }
                None => all.push(variable),
            }
        }
    }
    Ok(all)
}

/// The document with one dotted key and what is below it alone.
fn only(tree: &Node, key: &str) -> Result<Node, String> {
    let path = KeyPath::from_str(key).map_err(|error| chain(&error))?;
    let node = path.of(tree).ok_or_else(|| format!("the active env has no key `{key}`"))?;
    // An item of a list is a key that is a number, as it becomes one in the variable's name.
    let dotted = key.replace('[', ".").replace(']', "");
    let names = dotted.rsplit('.').map(|name| Key { name: name.to_owned(), at: node.at.clone() });
    Ok(names.fold(node.clone(), |inner, key| Node {
        at: inner.at.clone(),
        value: Value::Map(vec![(key, inner)]),
    }))
}

/// Becomes the command. Returns only what keeps it from that.
fn exec(variables: &[Variable], command: &[OsString]) -> String {
    let Some((program, arguments)) = command.split_first() else {
        return "exec needs a command".to_owned();
    };
    if let Some(bad) = variables.iter().find(|variable| variable.value.contains('\0')) {
        return format!("{}: {} holds a NUL character", bad.at, bad.name);
    }
    let pairs = variables.iter().map(|variable| (&variable.name, &variable.value));
    let error = Command::new(program).args(arguments).envs(pairs).exec();
    format!("{} cannot be run: {error}", program.display())
}
