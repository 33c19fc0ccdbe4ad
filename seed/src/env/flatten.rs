//! An env as variables: `appliance: {domain: x.test}` becomes `APPLIANCE_DOMAIN=x.test`.
//!
//! Names are the keys on the way to a value, joined with `_`, in capitals, everything but
//! letters, digits and `_` replaced by `_`. Items of a list count from 0, and `NAME_LEN` says
//! how many there are. Values keep the text that they were written with; `true` and `false` are
//! written so in any case, and nothing is empty.
//!
//! [`compat`] follows the rules of flatyaml to the letter instead. No I/O, no features: the
//! agent flattens with the same code.

pub mod compat;
mod output;
mod yaml11;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::yaml::decode;
use crate::yaml::tree::{Node, Place, Value};

pub use output::Output;

/// Names that a shell or the system reads meaning into.
const TAKEN: [&str; 17] = [
    "BASHOPTS",
    "BASH_ENV",
    "CDPATH",
    "ENV",
    "EUID",
    "GLOBIGNORE",
    "HOME",
    "IFS",
    "LOGNAME",
    "PATH",
    "PPID",
    "PS4",
    "PWD",
    "SHELL",
    "SHELLOPTS",
    "UID",
    "USER",
];

/// A variable.
#[derive(Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name, one that every shell takes.
    pub name: String,
    /// Its value; any text.
    pub value: String,
    /// The key that it comes from.
    pub at: Place,
}

impl std::fmt::Debug for Variable {
    /// Without the value, which may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Variable").field("name", &self.name).field("at", &self.at).finish()
    }
}

/// Why an env cannot be flattened. No message quotes a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlattenError {
    /// A key that is not at the top of the document.
    #[error("{at}: {message}")]
    Missing {
        /// Where the document starts.
        at: Place,
        /// The key, and the one it may be meant for.
        message: String,
    },
    /// The document is a list or a single value.
    #[error("{at}: {found}, expected a mapping with the keys to flatten")]
    NoMapping {
        /// Where it starts.
        at: Place,
        /// What it is.
        found: &'static str,
    },
    /// Two keys of one name.
    #[error("{second} and {first} both become {name}; rename one of the keys")]
    Collision {
        /// The name.
        name: String,
        /// The key that has it.
        first: Place,
        /// The key that would get it too.
        second: Place,
    },
    /// A name that the shell or the system uses itself.
    #[error("{at}: this becomes {name}, a name that shells use themselves; give a --prefix")]
    Taken {
        /// The name.
        name: String,
        /// The key.
        at: Place,
    },
    /// A name that no shell takes.
    #[error("{at}: this becomes {name}, and a name starts with a letter; give a --prefix")]
    Name {
        /// The name.
        name: String,
        /// The key.
        at: Place,
    },
    /// A key that is a number or a truth to YAML 1.1, which flatyaml does not survive.
    #[error(
        "{at}: a key that YAML 1.1 takes for a number, truth or date; flatten without --compat"
    )]
    KeyNotText {
        /// The key.
        at: Place,
    },
    /// A value that has no text.
    #[error("{at}: {problem}")]
    Value {
        /// Where it stands.
        at: Place,
        /// What is wrong.
        problem: &'static str,
    },
    /// A value that the output cannot hold.
    #[error("{at}: the value of {name} {problem}, which {output} cannot hold; {advice}")]
    Unfit {
        /// The variable.
        name: String,
        /// Its key.
        at: Place,
        /// What about the value.
        problem: &'static str,
        /// The output.
        output: &'static str,
        /// What to do.
        advice: &'static str,
    },
}

/// The variables of the trees below `keys`, in the order of the document; `.` is all of it.
/// Every name starts with `prefix`.
///
/// # Errors
/// Keys that are missing, and names that are taken, unusable or there twice.
pub fn flatten(tree: &Node, keys: &[&str], prefix: &str) -> Result<Vec<Variable>, FlattenError> {
    let mut walk = Walk { variables: Vec::new(), seen: BTreeMap::new() };
    for &key in keys {
        match &tree.value {
            Value::Map(entries) if key == "." => {
                for (key, node) in entries {
                    walk.node(node, &joined(prefix, "", &key.name), &key.at)?;
                }
            }
            Value::Map(entries) => match entries.iter().find(|(known, _)| known.name == key) {
                Some((key, node)) => walk.node(node, &joined(prefix, "", &key.name), &key.at)?,
                None => {
                    let known: Vec<&str> = entries.iter().map(|(key, _)| &*key.name).collect();
                    let message = decode::unknown("key", key, &known);
                    return Err(FlattenError::Missing { at: tree.at.clone(), message });
                }
            },
            other => {
                return Err(FlattenError::NoMapping {
                    at: tree.at.clone(),
                    found: other.describe(),
                });
            }
        }
    }
    Ok(walk.variables)
}

struct Walk {
    variables: Vec<Variable>,
    seen: BTreeMap<String, Place>,
}

impl Walk {
    fn node(&mut self, node: &Node, name: &str, at: &Place) -> Result<(), FlattenError> {
        match &node.value {
            Value::Map(entries) => {
                for (key, node) in entries {
                    self.node(node, &joined(name, "_", &key.name), &key.at)?;
                }
                Ok(())
            }
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.node(item, &format!("{name}_{index}"), &item.at)?;
                }
                self.add(format!("{name}_LEN"), items.len().to_string(), at)
            }
            Value::Null => self.add(name.to_owned(), String::new(), at),
            Value::Scalar { text, plain } => {
                let truth = matches!(&**text, "True" | "TRUE" | "False" | "FALSE");
                let value = if *plain && truth { text.to_lowercase() } else { text.clone() };
                self.add(name.to_owned(), value, at)
            }
        }
    }

    fn add(&mut self, name: String, value: String, at: &Place) -> Result<(), FlattenError> {
        let at = at.clone();
        if let Some(first) = self.seen.get(&name) {
            // The same key named twice on the command line is no clash.
            if *first == at {
                return Ok(());
            }
            return Err(FlattenError::Collision { name, first: first.clone(), second: at });
        }
        if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            return Err(FlattenError::Name { name, at });
        }
        if TAKEN.contains(&&*name) || name.starts_with("LD_") {
            return Err(FlattenError::Taken { name, at });
        }
        self.seen.insert(name.clone(), at.clone());
        self.variables.push(Variable { name, value, at });
        Ok(())
    }
}

/// A name with another part, as shells take it.
fn joined(name: &str, separator: &str, part: &str) -> String {
    let part = part.chars().map(|c| match c {
        c if c.is_ascii_alphanumeric() => c.to_ascii_uppercase(),
        _ => '_',
    });
    name.chars().chain(separator.chars()).chain(part).collect()
}
