//! `bootwright env encrypt` and `bootwright env decrypt`.

use anyhow::Result;
use bootwright_seed::env::secret::is_secret;
use bootwright_seed::env::vault::{is_vault, vaults};
use bootwright_seed::env::{Env, KeyPath, Schema};
use bootwright_seed::yaml::decode::DecodeError;
use bootwright_seed::yaml::edit::Editor;
use bootwright_seed::yaml::tree::{Node, Value};

use super::common;
use crate::cli::{EnvDecrypt, EnvEncrypt};
use crate::exit::{Unusable, Usage};
use crate::report;

/// Encrypts values in place.
///
/// # Errors
/// A key that is not there or no text, and an env that cannot be edited.
pub fn encrypt(arguments: &EnvEncrypt) -> Result<()> {
    let schema = common::schema(&arguments.schema, &common::files(&arguments.schema)?)?;
    let vault = common::keyring(&arguments.vault)?;
    if vault.is_empty() {
        return Err(no_password());
    }
    let env = common::read(&arguments.env)?;
    let mut paths = parse(&arguments.keys)?;
    if arguments.secrets {
        secrets(&KeyPath::default(), &env.tree, schema.as_ref(), &mut paths);
    }
    let mut editor = Editor::new(&env.file, &env.text, &env.tree);
    let mut count = 0;
    for path in &paths {
        let (node, text) = value(&env, path)?;
        if is_vault(text) {
            continue;
        }
        set(&mut editor, path, node, vault.close(text)?)?;
        count += 1;
    }
    if count > 0 {
        common::write(&arguments.env, editor.text(), true)?;
    }
    report::message(format_args!("{} encrypted", common::counted(count, "value")));
    report::data(&env.file);
    Ok(())
}

/// Decrypts values, in place or into another file.
///
/// # Errors
/// A value that no password opens, and an env that cannot be edited.
pub fn decrypt(arguments: &EnvDecrypt) -> Result<()> {
    let vault = common::keyring(&arguments.vault)?;
    if vault.is_empty() {
        return Err(no_password());
    }
    let env = common::read(&arguments.env)?;
    let paths = match arguments.keys.is_empty() {
        true => vaults(&KeyPath::default(), &env.tree),
        false => parse(&arguments.keys)?,
    };
    let mut editor = Editor::new(&env.file, &env.text, &env.tree);
    for path in &paths {
        let (node, text) = value(&env, path)?;
        if is_vault(text) {
            let open =
                vault.open(text).map_err(|error| DecodeError::new(&node.at, error.to_string()))?;
            set(&mut editor, path, node, open)?;
        }
    }
    let out = arguments.out.as_ref().unwrap_or(&arguments.env);
    if editor.text() != env.text || arguments.out.is_some() {
        common::write(out, editor.text(), arguments.out.is_none())?;
    }
    report::data(out.display());
    Ok(())
}

fn no_password() -> anyhow::Error {
    Usage("no password: give --vault-password-file FILE or --vault-id ID@FILE".into()).into()
}

fn parse(keys: &[String]) -> Result<Vec<KeyPath>> {
    Ok(keys.iter().map(|key| key.parse()).collect::<Result<_, _>>()?)
}

/// The value at a path and its text.
fn value<'a>(env: &'a Env, path: &KeyPath) -> Result<(&'a Node, &'a str)> {
    let node =
        env.get(path).ok_or_else(|| Unusable(format!("{} has no key `{path}`", env.file)))?;
    let text = node.text().ok_or_else(|| {
        DecodeError::new(
            &node.at,
            format!("`{path}` is {}; only single values are encrypted", node.value.describe()),
        )
    })?;
    Ok((node, text))
}

fn set(editor: &mut Editor, path: &KeyPath, old: &Node, text: String) -> Result<()> {
    let value = Value::Scalar { text, plain: false };
    Ok(editor.set(path, &Node { value, at: old.at.clone() })?)
}

/// The paths of all secrets.
fn secrets(path: &KeyPath, node: &Node, schema: Option<&Schema>, found: &mut Vec<KeyPath>) {
    match &node.value {
        Value::Scalar { text, plain } => {
            let truth = *plain && matches!(text.as_str(), "true" | "false");
            if !truth && is_secret(path, text, schema) {
                found.push(path.clone());
            }
        }
        Value::Null => {}
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                secrets(&path.index(index), item, schema, found);
            }
        }
        Value::Map(entries) => {
            for (key, node) in entries {
                secrets(&path.key(&key.name), node, schema, found);
            }
        }
    }
}
