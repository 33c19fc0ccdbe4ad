//! Checks a single value against its key in the schema.

use super::super::schema::{Key, Kind};
use super::super::trap;
use super::Rule;
use crate::yaml::tree::{Node, Value};

/// First bytes of a value that is encrypted by ansible-vault.
const VAULT: &str = "$ANSIBLE_VAULT;";

/// Checks what is neither mapping nor list where one belongs.
pub(super) fn scalar(key: &Key, node: &Node) -> Result<(), (Rule, String)> {
    let wrong_type = |found: &str| {
        let found = found.to_owned();
        Err((Rule::WrongType, format!("{found}, expected {}", expected(key.kind))))
    };
    let Value::Scalar { text, plain } = &node.value else {
        return wrong_type(node.value.describe());
    };
    // What it holds is known once the vault is open.
    if text.starts_with(VAULT) {
        return Ok(());
    }
    match key.kind {
        Kind::Text if *plain && trap::of_plain(text).is_none() => {
            if let Some(found) = trap::typed(text) {
                return wrong_type(&format!("unquoted, this is {found}; quote it"));
            }
        }
        Kind::Bool if !(*plain && matches!(text.as_str(), "true" | "false")) => {
            // What is no truth to anybody; yes and no have a finding of their own.
            return match *plain && trap::of_plain(text).is_some() {
                true => Ok(()),
                false => wrong_type("not a truth value"),
            };
        }
        Kind::Int | Kind::Number => return number(key, text, *plain),
        Kind::List | Kind::Map => return wrong_type(node.value.describe()),
        Kind::Text | Kind::Bool | Kind::Any => {}
    }
    content(key, text).map_or(Ok(()), |problem| Err((Rule::WrongValue, problem)))
}

fn number(key: &Key, text: &str, plain: bool) -> Result<(), (Rule, String)> {
    if plain && trap::of_plain(text).is_some() {
        return Ok(());
    }
    let wrong = |problem: String| Err((Rule::WrongType, problem));
    if !plain {
        return wrong(format!("quoted, this is text; expected {}", expected(key.kind)));
    }
    let whole = text.parse::<i64>();
    if key.kind == Kind::Int && whole.is_err() || text.parse::<f64>().is_err() {
        return wrong(format!("expected {}", expected(key.kind)));
    }
    let number = text.parse::<f64>().unwrap_or_default();
    let outside = key.min.is_some_and(|min| number < min as f64)
        || key.max.is_some_and(|max| number > max as f64);
    if outside {
        return Err((Rule::WrongValue, format!("out of range; expected {}", range(key, ""))));
    }
    match allowed(key, text) {
        Some(problem) => Err((Rule::WrongValue, problem)),
        None => Ok(()),
    }
}

/// What is wrong with a text of the right type.
fn content(key: &Key, text: &str) -> Option<String> {
    if let Some(problem) = allowed(key, text) {
        return Some(problem);
    }
    if text.is_empty() {
        return key.required.then(|| "the text is empty, but the key is required".to_owned());
    }
    if let Some(format) = key.format.filter(|format| !format.matches(text)) {
        return Some(format!("expected {}", format.describe()));
    }
    if let Some(pattern) = key.pattern.as_ref().filter(|pattern| !pattern.matches(text)) {
        return Some(format!("does not match the pattern {}", pattern.as_str()));
    }
    match key.kind {
        Kind::Text => count(key, text.chars().count(), "characters"),
        _ => None,
    }
}

fn allowed(key: &Key, text: &str) -> Option<String> {
    let known = key.values.is_empty() || key.values.iter().any(|value| value == text);
    (!known).then(|| format!("expected one of {}", key.values.join(", ")))
}

/// What is wrong with the length of a text or a list.
pub(super) fn count(key: &Key, count: usize, what: &str) -> Option<String> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let fits = key.min.is_none_or(|min| count >= min) && key.max.is_none_or(|max| count <= max);
    (!fits).then(|| format!("{count} {what}, expected {}", range(key, what)))
}

fn range(key: &Key, what: &str) -> String {
    let range = match (key.min, key.max) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, Some(max)) => format!("at most {max}"),
        (None, None) => "any number".to_owned(),
    };
    format!("{range} {what}").trim_end().to_owned()
}

fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Bool => "true or false",
        Kind::Int => "a whole number",
        Kind::Number => "a number",
        Kind::List => "a list",
        Kind::Map => "a mapping",
        Kind::Any => "anything",
    }
}
