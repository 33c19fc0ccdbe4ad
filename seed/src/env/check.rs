//! Checks an env: against its schema, for what YAML readers disagree on, and for values that
//! somebody was meant to replace.
//!
//! A finding names its place and never quotes a value: what is checked here is full of secrets.

mod value;

use std::fmt;

use serde::Serialize;

use super::key_path::KeyPath;
use super::schema::{Key, Keys, Kind, Schema};
use super::{Env, cloud_init, misplaced, placeholder, trap};
use crate::yaml::tree::{Node, Place, Value};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The env works but should be changed.
    Warning,
    /// The env is not usable as it is.
    Error,
}

/// The rule that was broken. Names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The file is no env: encoding, header, YAML, a key that stands twice.
    Syntax,
    /// A key that the schema does not know at this place.
    UnknownKey,
    /// A required key that is not there or has no value.
    MissingKey,
    /// A value of another type.
    WrongType,
    /// A value that the schema does not allow.
    WrongValue,
    /// A key that should not be used any more.
    DeprecatedKey,
    /// A value that somebody was meant to replace.
    Placeholder,
    /// An unquoted value that YAML readers take for different things.
    AmbiguousYaml,
    /// A value in a vault that cannot be opened.
    Vault,
}

impl Rule {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::UnknownKey => "unknown-key",
            Self::MissingKey => "missing-key",
            Self::WrongType => "wrong-type",
            Self::WrongValue => "wrong-value",
            Self::DeprecatedKey => "deprecated-key",
            Self::Placeholder => "placeholder",
            Self::AmbiguousYaml => "ambiguous-yaml",
            Self::Vault => "vault",
        }
    }
}

/// Something to change in an env.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// Line, counted from 1.
    pub line: u64,
    /// Column in characters, counted from 1.
    pub column: u64,
    /// How bad it is.
    pub level: Level,
    /// The rule.
    pub rule: Rule,
    /// The key it is about.
    pub key: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        let key = if self.key.is_empty() { String::new() } else { format!("{}: ", self.key) };
        let Self { file, line, column, rule, message, .. } = self;
        write!(f, "{file}:{line}:{column}: {level}: {key}{message} [{}]", rule.name())
    }
}

/// Checks an env; without a schema for what needs none. The findings are in the file's order.
#[must_use]
pub fn check(env: &Env, schema: Option<&Schema>) -> Vec<Finding> {
    let mut checker = Checker { schema, findings: Vec::new() };
    checker.node(&KeyPath::default(), &env.tree);
    if let Some(schema) = schema {
        let level = Mapping {
            path: &KeyPath::default(),
            at: &env.tree.at,
            keys: &schema.keys,
            others: schema.others.as_deref(),
        };
        checker.mapping(level, &env.tree);
    }
    let mut findings = checker.findings;
    findings.sort_by_key(|finding| (finding.line, finding.column));
    findings
}

/// Collects findings.
struct Checker<'a> {
    schema: Option<&'a Schema>,
    findings: Vec<Finding>,
}

/// A mapping of the env and what the schema says of it.
struct Mapping<'a> {
    path: &'a KeyPath,
    at: &'a Place,
    keys: &'a Keys,
    others: Option<&'a Key>,
}

impl Checker<'_> {
    fn add(&mut self, at: &Place, rule: Rule, path: &KeyPath, message: impl Into<String>) {
        let level = match rule {
            Rule::DeprecatedKey => Level::Warning,
            _ => Level::Error,
        };
        self.findings.push(Finding {
            file: at.file.to_string(),
            line: at.line,
            column: at.column,
            level,
            rule,
            key: path.to_string(),
            message: message.into(),
        });
    }

    /// What needs no schema, for a value and all below it.
    fn node(&mut self, path: &KeyPath, node: &Node) {
        match &node.value {
            Value::Null => {}
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.node(&path.index(index), item);
                }
            }
            Value::Map(entries) => {
                for (key, value) in entries {
                    self.node(&path.key(&key.name), value);
                }
            }
            Value::Scalar { text, plain } => {
                if let Some(trap) = trap::of_plain(text).filter(|_| *plain) {
                    self.add(&node.at, Rule::AmbiguousYaml, path, trap.explain());
                }
                let more = self.schema.map_or(&[][..], |schema| &schema.placeholders);
                if let Some(problem) = placeholder::of_text(text) {
                    self.add(&node.at, Rule::Placeholder, path, problem);
                } else if more.iter().any(|pattern| pattern.matches(text)) {
                    self.add(
                        &node.at,
                        Rule::Placeholder,
                        path,
                        "a placeholder; put the real value there",
                    );
                }
            }
        }
    }

    fn mapping(&mut self, level: Mapping<'_>, node: &Node) {
        let Value::Map(entries) = &node.value else {
            return;
        };
        let top = level.path.0.is_empty();
        for (name, value) in entries {
            let path = level.path.key(&name.name);
            match level.keys.get(&name.name).or(level.others) {
                Some(key) => {
                    if let Some(instead) = &key.deprecated {
                        self.add(
                            &name.at,
                            Rule::DeprecatedKey,
                            &path,
                            format!("deprecated: {instead}"),
                        );
                    }
                    self.value(&path, key, value);
                }
                None if top && self.reserved(&name.name) => {}
                None => {
                    let message = self.schema.map(|schema| {
                        misplaced::explain(schema, level.path, &name.name, level.keys)
                    });
                    self.add(&name.at, Rule::UnknownKey, level.path, message.unwrap_or_default());
                }
            }
        }
        for (name, key) in level.keys.iter().filter(|(_, key)| key.required) {
            let found = entries.iter().find(|(known, _)| known.name == *name);
            let path = level.path.key(name);
            let make = match &key.generated {
                Some(_) => "; `env create --upgrade` makes one",
                None => "",
            };
            match found {
                None => {
                    self.add(level.at, Rule::MissingKey, &path, format!("the key is missing{make}"))
                }
                Some((_, value)) if value.value == Value::Null => {
                    self.add(
                        &value.at,
                        Rule::MissingKey,
                        &path,
                        format!("the key has no value{make}"),
                    );
                }
                Some(_) => {}
            }
        }
    }

    /// Whether a top-level key needs no word in the schema.
    fn reserved(&self, name: &str) -> bool {
        let discovery = matches!(name, "USERDATA_TYPE" | "USERDATA_ERR");
        discovery || self.schema.is_some_and(|schema| schema.cloud_init) && cloud_init::knows(name)
    }

    fn value(&mut self, path: &KeyPath, key: &Key, node: &Node) {
        // A key without a value is as good as none; a required one is reported by its mapping.
        if node.value == Value::Null || key.kind == Kind::Any {
            return;
        }
        match (&node.value, key.kind) {
            (Value::Map(_), Kind::Map) => {
                let level =
                    Mapping { path, at: &node.at, keys: &key.keys, others: key.others.as_deref() };
                // A mapping that says nothing of its keys may hold any.
                if !key.keys.is_empty() || key.others.is_some() {
                    self.mapping(level, node);
                }
            }
            (Value::List(items), Kind::List) => {
                for (index, item) in items.iter().enumerate() {
                    if let Some(key) = &key.items {
                        self.value(&path.index(index), key, item);
                    }
                }
                if let Some(problem) = value::count(key, items.len(), "entries") {
                    self.add(&node.at, Rule::WrongValue, path, problem);
                }
            }
            _ => {
                if let Err((rule, problem)) = value::scalar(key, node) {
                    self.add(&node.at, rule, path, problem);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
