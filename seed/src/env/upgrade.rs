//! Makes envs out of templates, and brings envs that are there up to a newer template.
//!
//! An upgrade adds the keys that are missing, with the template's comments, and keeps every
//! value, every secret and every comment of the env. A rotation makes chosen secrets anew.

mod embedded;
mod markers;

use super::Env;
use super::generate::Made;
use super::key_path::KeyPath;
use super::schema::Schema;
use super::template::{Inputs, Session, TemplateError};
use super::vault::{Keyring, is_vault};
use crate::userdata::Problem;
use crate::yaml::decode::DecodeError;
use crate::yaml::edit::{Block, EditError, Editor};
use crate::yaml::tree::{Node, Value};
use markers::Markers;

/// Why an env cannot be made or upgraded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MakeError {
    /// The template.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A place that cannot be edited.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// A value of the env or of the extras.
    #[error(transparent)]
    Value(#[from] DecodeError),
    /// An env of another domain.
    #[error(
        "{at}: this env belongs to the domain `{found}`, not to `{wanted}`; make a new one, so that two domains share no secrets"
    )]
    Domain {
        /// Where it says so.
        at: String,
        /// Its domain.
        found: String,
        /// The domain asked for.
        wanted: String,
    },
    /// A key to rotate that nothing makes.
    #[error(
        "`{0}` cannot be rotated: the template makes no secret there, and the schema has no `generated` for it"
    )]
    NotGenerated(KeyPath),
}

/// What an env is made from.
#[derive(Debug)]
pub struct Maker<'a> {
    /// The template's name, for errors.
    pub file: &'a str,
    /// The template.
    pub template: &'a str,
    /// What it is filled with.
    pub inputs: &'a Inputs,
    /// The schema, if there is one.
    pub schema: Option<&'a Schema>,
}

/// An env that was brought up to date.
#[derive(Clone)]
pub struct Upgraded {
    /// The whole text.
    pub text: String,
    /// The keys that were added.
    pub added: Vec<KeyPath>,
    /// The keys that were made anew.
    pub rotated: Vec<KeyPath>,
}

impl Maker<'_> {
    /// Makes a new env.
    ///
    /// # Errors
    /// See [`MakeError`].
    pub fn create(&self) -> Result<String, MakeError> {
        let session = Session::new(self.file, self.template, self.inputs);
        self.parse(&session.dry()?)?;
        session.make(&(0..session.count()).collect::<Vec<_>>())?;
        let text = session.real()?;
        let env = self.parse(&text)?;
        let mut editor = Editor::new(self.file, &text, &env.tree);
        self.apply_extra(&mut editor)?;
        Ok(editor.text().to_owned())
    }

    /// Brings an env up to the template and makes the secrets at `rotate` anew. `add` says
    /// whether missing keys are added.
    ///
    /// # Errors
    /// See [`MakeError`].
    pub fn upgrade(
        &self,
        old: &Env,
        add: bool,
        rotate: &[KeyPath],
        vault: &Keyring,
    ) -> Result<Upgraded, MakeError> {
        self.check_domain(old)?;
        let session = Session::new(self.file, self.template, self.inputs);
        let dry = self.parse(&session.dry()?)?;
        let markers = Markers::of(&dry.tree);
        let rotated: Vec<usize> = markers.below(rotate);
        self.keep_old(&session, &markers, old, &rotated, vault)?;
        let needed = |index: &usize| rotated.contains(index) || !markers.all_in(*index, &old.tree);
        session.make(&(0..session.count()).filter(needed).collect::<Vec<_>>())?;
        // What is not needed ends up nowhere: the env has it already.
        for index in (0..session.count()).filter(|index| !needed(index)) {
            session.fill(index);
        }
        let new = session.real()?;
        let new_env = self.parse(&new)?;
        let mut editor = Editor::new(&old.file, &old.text, &old.tree);
        let mut added = Vec::new();
        if add {
            let source = Source { text: &new, tree: &new_env.tree, markers: &markers };
            source.add_missing(&KeyPath::default(), &mut editor, &mut added)?;
            self.apply_extra(&mut editor)?;
        }
        let mut done = Vec::new();
        for path in markers.of_calls(&rotated) {
            let (Some(dry), Some(new)) = (path.of(&dry.tree), path.of(&new_env.tree)) else {
                continue;
            };
            if rotate_value(&mut editor, &path, (dry, new), &rotated, vault)? {
                done.push(path);
            }
        }
        for path in rotate {
            if !done.iter().any(|done| path.contains(done)) {
                self.rotate_by_schema(&mut editor, path, vault)?;
                done.push(path.clone());
            }
        }
        Ok(Upgraded { text: editor.text().to_owned(), added, rotated: done })
    }

    fn parse(&self, text: &str) -> Result<Env, TemplateError> {
        Env::parse(self.file, text.as_bytes()).map_err(|error| TemplateError::NoEnv {
            file: self.file.to_owned(),
            line: error.line,
            problem: match error.problem {
                Problem::Yaml(reason) => reason,
                problem => problem.to_string(),
            },
        })
    }

    fn check_domain(&self, old: &Env) -> Result<(), MakeError> {
        let node =
            self.schema.and_then(|schema| schema.domain.as_ref()).and_then(|path| old.get(path));
        match node.and_then(|node| node.text().map(|text| (node, text))) {
            Some((node, found)) if found != self.inputs.domain => Err(MakeError::Domain {
                at: node.at.to_string(),
                found: found.to_owned(),
                wanted: self.inputs.domain.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// Puts the secrets that the env has into the places of the template.
    fn keep_old(
        &self,
        session: &Session<'_>,
        markers: &Markers,
        old: &Env,
        rotated: &[usize],
        vault: &Keyring,
    ) -> Result<(), MakeError> {
        for index in (0..session.count()).filter(|index| !rotated.contains(index)) {
            let Some(call) = session.call(index) else { continue };
            let mut parts = std::collections::BTreeMap::new();
            let mut whole = None;
            for (path, dry) in markers.of_call(index) {
                let Some(node) = old.get(path) else { continue };
                let Some(text) = node.text() else { continue };
                let opened = match is_vault(text) {
                    true if vault.is_empty() => continue,
                    true => vault
                        .open(text)
                        .map_err(|error| DecodeError::new(&node.at, error.to_string()))?,
                    false => text.to_owned(),
                };
                for (marker, value) in embedded::values(dry, &opened) {
                    if marker.index != index {
                        continue;
                    }
                    match call.parts().iter().find(|part| **part == marker.part) {
                        Some(part) => drop(parts.insert(*part, value)),
                        None => whole = Some(value),
                    }
                }
            }
            if let Some(text) = whole {
                session.keep(index, Made::Text(text));
            } else if !parts.is_empty() {
                call.derive(&mut parts);
                if call.parts().iter().all(|part| parts.contains_key(part)) {
                    session.keep(index, Made::Parts(parts));
                }
            }
        }
        Ok(())
    }

    /// Sets what the operator gave, wherever the template has not done it.
    fn apply_extra(&self, editor: &mut Editor) -> Result<(), MakeError> {
        match &self.inputs.extra {
            Some(extra) => set_leaves(&KeyPath::default(), extra, editor),
            None => Ok(()),
        }
    }

    fn rotate_by_schema(
        &self,
        editor: &mut Editor,
        path: &KeyPath,
        vault: &Keyring,
    ) -> Result<(), MakeError> {
        let generated = self
            .schema
            .and_then(|schema| schema.key(path))
            .and_then(|key| key.generated.as_deref());
        let (Some(expression), Some(old)) = (generated, path.of(editor.tree()).cloned()) else {
            return Err(MakeError::NotGenerated(path.clone()));
        };
        let text = Session::new("the schema", "", self.inputs).evaluate(expression)?;
        let text = if text.contains('\n') { text + "\n" } else { text };
        set_secret(editor, path, &old, text, vault)
    }
}

/// Sets every single value and list of a tree.
fn set_leaves(path: &KeyPath, node: &Node, editor: &mut Editor) -> Result<(), MakeError> {
    match &node.value {
        Value::Map(entries) => entries
            .iter()
            .try_for_each(|(key, node)| set_leaves(&path.key(&key.name), node, editor)),
        Value::Null => Ok(()),
        Value::List(_) | Value::Scalar { .. } => Ok(editor.set(path, node)?),
    }
}

/// A rendered template that missing keys are taken from.
struct Source<'a> {
    text: &'a str,
    tree: &'a Node,
    markers: &'a Markers,
}

impl Source<'_> {
    fn add_missing(
        &self,
        path: &KeyPath,
        editor: &mut Editor,
        added: &mut Vec<KeyPath>,
    ) -> Result<(), MakeError> {
        let Some(Value::Map(entries)) = path.of(self.tree).map(|node| &node.value) else {
            return Ok(());
        };
        for (key, node) in entries {
            let path = path.key(&key.name);
            match path.of(editor.tree()).map(|old| &old.value) {
                None => {
                    let block = Block::of_text(self.text, self.tree, &path);
                    editor.insert(&path, &block.unwrap_or_else(|| Block::of_value(node)))?;
                    added.push(path);
                }
                // Without a value a key is as it was meant to be, unless a secret is missing.
                Some(Value::Null) if self.markers.is_secret(&path) => {
                    editor.set(&path, node)?;
                    added.push(path);
                }
                Some(Value::Map(_) | Value::Null) => self.add_missing(&path, editor, added)?,
                Some(Value::List(_) | Value::Scalar { .. }) => {}
            }
        }
        Ok(())
    }
}

/// Puts new secrets into a value of the env. False if it is not there.
fn rotate_value(
    editor: &mut Editor,
    path: &KeyPath,
    (dry, new): (&Node, &Node),
    rotated: &[usize],
    vault: &Keyring,
) -> Result<bool, MakeError> {
    let Some(old) = path.of(editor.tree()).cloned() else {
        return Ok(false);
    };
    let (Some(dry), Some(new), Some(text)) = (dry.text(), new.text(), old.text()) else {
        return Err(DecodeError::new(
            &old.at,
            format!("`{path}` is {}, expected a secret", old.value.describe()),
        )
        .into());
    };
    let open = match is_vault(text) {
        true => vault.open(text).map_err(|error| DecodeError::new(&old.at, error.to_string()))?,
        false => text.to_owned(),
    };
    let replaced = embedded::replace(dry, &open, new, rotated)
        .ok_or_else(|| DecodeError::new(&old.at, format!("`{path}` differs too much from the template to find the secret in it; change it by hand")))?;
    set_secret(editor, path, &old, replaced, vault)?;
    Ok(true)
}

/// Sets a secret; one that was in a vault goes into the vault again.
fn set_secret(
    editor: &mut Editor,
    path: &KeyPath,
    old: &Node,
    text: String,
    vault: &Keyring,
) -> Result<(), MakeError> {
    let text = match old.text().is_some_and(is_vault) {
        true => vault.close(&text).map_err(|error| DecodeError::new(&old.at, error.to_string()))?,
        false => text,
    };
    Ok(editor
        .set(path, &Node { value: Value::Scalar { text, plain: false }, at: old.at.clone() })?)
}

#[cfg(test)]
mod tests;
