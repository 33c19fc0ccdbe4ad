//! Variables of a profile: declared under `vars:`, set with `--var`, used as `{{ name }}`
//! in the profile's values and in templates of its overlays (minijinja, strict).

use std::collections::BTreeMap;

use anyhow::Result;
use bootwright_seed::yaml::decode::{DecodeError, unknown};
use bootwright_seed::yaml::tree::{Node, Value};
use minijinja::{Environment, UndefinedBehavior};

use crate::exit::Usage;

/// Variables and their values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vars(BTreeMap<String, String>);

impl Vars {
    /// Resolves the declared variables with those given on the command line. A variable
    /// declared without a value has to be given.
    ///
    /// # Errors
    /// A variable that is given but not declared, or declared but not given.
    pub fn resolve(declared: Option<Node>, given: &BTreeMap<String, String>) -> Result<Self> {
        let declared: BTreeMap<String, Option<String>> = match &declared {
            Some(node) => node.decode()?,
            None => BTreeMap::new(),
        };
        let names: Vec<&str> = declared.keys().map(String::as_str).collect();
        if let Some(name) = given.keys().find(|name| !declared.contains_key(*name)) {
            let problem = match names.is_empty() {
                true => format!("--var {name}: the profile declares no variables"),
                false => format!("--var {name}: {}", unknown("variable", name, &names)),
            };
            return Err(Usage(problem).into());
        }
        let mut vars = BTreeMap::new();
        for (name, default) in declared {
            let Some(value) = given.get(&name).cloned().or(default) else {
                let problem =
                    format!("the profile needs a value for `{name}`: give --var {name}=…");
                return Err(Usage(problem).into());
            };
            vars.insert(name, value);
        }
        Ok(Self(vars))
    }

    #[cfg(feature = "image")]
    /// Adds names that templates of overlays may use beside the variables.
    pub fn with(mut self, names: &[(&str, &str)]) -> Self {
        self.0.extend(names.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    /// Fills the variables into every value of a tree.
    ///
    /// # Errors
    /// A value that is no template, or uses a variable that is not declared, with its place.
    pub fn fill(&self, node: &mut Node) -> Result<(), DecodeError> {
        match &mut node.value {
            Value::Null => Ok(()),
            Value::Scalar { text, .. } => {
                if text.contains("{{") || text.contains("{%") {
                    *text =
                        self.render(text).map_err(|problem| DecodeError::new(&node.at, problem))?;
                }
                Ok(())
            }
            Value::List(items) => items.iter_mut().try_for_each(|item| self.fill(item)),
            Value::Map(entries) => entries.iter_mut().try_for_each(|(_, value)| self.fill(value)),
        }
    }

    /// Renders a template.
    ///
    /// # Errors
    /// What is wrong with it, with the line.
    pub fn render(&self, text: &str) -> Result<String, String> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        // minijinja drops a newline at the end; a file without one is no text file.
        let end = if text.ends_with('\n') { "\n" } else { "" };
        environment.render_str(text, &self.0).map(|rendered| rendered + end).map_err(|error| {
            let line = error.line().map(|line| format!(" in line {line}")).unwrap_or_default();
            let names: Vec<&str> = self.0.keys().map(String::as_str).collect();
            let detail = error.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
            format!(
                "the template fails{line}: {}{detail}; known are {}",
                error.kind(),
                names.join(", ")
            )
        })
    }
}
