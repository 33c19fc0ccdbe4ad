//! Envs: the file that configures one site, and the schema that says what may stand in it.
//!
//! This half compiles without features and does no I/O: the operator's tool and the agent in
//! the guest check an env with the same code. What makes envs (templates, generators, layers,
//! vaults) needs the feature `env`.

pub mod check;
mod cloud_init;
pub mod flatten;
pub mod format;
pub mod key_path;
mod misplaced;
mod placeholder;
pub mod schema;
pub mod secret;
pub mod trap;

use std::fmt;

use crate::userdata::{self, Problem, UserDataError};
use crate::yaml::tree::Node;

pub use check::{Finding, Level, Rule, check};
pub use key_path::KeyPath;
pub use schema::Schema;

/// An env as it was read: UTF-8, `#cloud-config` first, one YAML mapping.
///
/// Its `Debug` form shows no value.
#[derive(Clone)]
pub struct Env {
    /// What errors call the file.
    pub file: String,
    /// The file, byte for byte.
    pub text: String,
    /// The document with the place of everything in it.
    pub tree: Node,
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env").field("file", &self.file).field("bytes", &self.text.len()).finish()
    }
}

impl Env {
    /// Reads an env that errors call `file`.
    ///
    /// # Errors
    /// See [`userdata::check`].
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, UserDataError> {
        let text = userdata::check(file, bytes)?;
        let tree = Node::parse(file, text).map_err(|(_, error)| UserDataError {
            file: file.to_owned(),
            line: error.line.max(1),
            column: error.column.max(1),
            problem: Problem::Yaml(error.reason),
        })?;
        Ok(Self { file: file.to_owned(), text: text.to_owned(), tree })
    }

    /// The value at a path, if the env has it.
    #[must_use]
    pub fn get(&self, path: &KeyPath) -> Option<&Node> {
        path.of(&self.tree)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_env_hides_its_values_when_it_is_printed() {
        let env = Env::parse("env.yml", b"#cloud-config\npassword: hunter2\n").unwrap();
        assert_eq!(format!("{env:?}"), "Env { file: \"env.yml\", bytes: 32 }");
    }

    #[test]
    fn b18_an_env_is_utf8_and_not_ascii_alone() {
        let text = "#cloud-config\nappliance:\n  owner: Österreich – Ärztekammer 漢字\n";
        let env = Env::parse("env.yml", text.as_bytes()).unwrap();
        let owner = env.get(&"appliance.owner".parse().unwrap()).unwrap();
        assert_eq!(owner.text(), Some("Österreich – Ärztekammer 漢字"));
        assert_eq!(check(&env, None), []);
    }

    #[test]
    fn what_is_no_env_is_refused_with_its_place() {
        let error = Env::parse("e.yml", b"a: 1\n").unwrap_err().to_string();
        assert_eq!(
            error,
            "e.yml:1:1: the first line must be `#cloud-config`, with nothing before it"
        );
        let error = Env::parse("e.yml", b"#cloud-config\na: 1\na: 2\n").unwrap_err().to_string();
        assert_eq!(error, "e.yml:3:1: the key `a` stands twice in one mapping");
    }
}
