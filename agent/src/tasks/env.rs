//! Values of the active env, by dotted path. Errors name key and place, never a value.

use std::fmt;

use bootwright_seed::yaml::tree::{Node, Value};

/// A value that is not what a task can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {key}: {problem}")]
pub struct EnvError {
    at: String,
    key: String,
    problem: String,
}

/// Refuses a value, at its place.
pub fn refuse(node: &Node, key: &str, problem: impl fmt::Display) -> EnvError {
    EnvError { at: node.at.to_string(), key: key.to_owned(), problem: problem.to_string() }
}

/// The value at a dotted path; nothing if it is missing or null.
pub fn find<'a>(env: &'a Node, path: &str) -> Option<&'a Node> {
    let found = path.split('.').try_fold(env, |node, key| node.get(key))?;
    (found.value != Value::Null).then_some(found)
}

/// The text at a path, blanks around it removed; nothing if it is missing or empty.
pub fn text<'a>(env: &'a Node, path: &str) -> Result<Option<&'a str>, EnvError> {
    match find(env, path) {
        None => Ok(None),
        Some(node) => match node.text() {
            Some(text) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
            None => Err(refuse(node, path, "expected a single value")),
        },
    }
}

/// The text at a path as it stands.
pub fn exact<'a>(env: &'a Node, path: &str) -> Result<Option<&'a str>, EnvError> {
    match find(env, path) {
        None => Ok(None),
        Some(node) => {
            node.text().map(Some).ok_or_else(|| refuse(node, path, "expected a single value"))
        }
    }
}

/// A switch: true or false in any case, and `default` if it is missing or empty.
pub fn flag(env: &Node, path: &str, default: bool) -> Result<bool, EnvError> {
    let Some(text) = text(env, path)? else {
        return Ok(default);
    };
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Ok(true),
        "false" | "no" | "off" => Ok(false),
        _ => {
            let node = find(env, path).unwrap_or(env);
            Err(refuse(node, path, "expected true or false"))
        }
    }
}

/// The items of a list; none if it is missing.
pub fn list<'a>(env: &'a Node, path: &str) -> Result<&'a [Node], EnvError> {
    match find(env, path) {
        None => Ok(&[]),
        Some(Node { value: Value::List(items), .. }) => Ok(items),
        Some(node) => Err(refuse(node, path, "expected a list")),
    }
}

/// The single values of a list; none if it is missing, blanks around them removed.
pub fn texts<'a>(env: &'a Node, path: &str) -> Result<Vec<&'a str>, EnvError> {
    let text = |item: &'a Node| {
        let text = item.text().map(str::trim).filter(|text| !text.is_empty());
        text.ok_or_else(|| refuse(item, path, "expected a list of single values"))
    };
    list(env, path)?.iter().map(text).collect()
}

/// The entries of a mapping in the order written; none if it is missing.
pub fn entries<'a>(env: &'a Node, path: &str) -> Result<Vec<(&'a str, &'a Node)>, EnvError> {
    match find(env, path) {
        None => Ok(Vec::new()),
        Some(node) => mapping(node, path),
    }
}

/// The entries of a node that has to be a mapping.
pub fn mapping<'a>(node: &'a Node, key: &str) -> Result<Vec<(&'a str, &'a Node)>, EnvError> {
    match &node.value {
        Value::Map(entries) => {
            Ok(entries.iter().map(|(key, value)| (key.name.as_str(), value)).collect())
        }
        Value::Null => Ok(Vec::new()),
        _ => Err(refuse(node, key, "expected a mapping")),
    }
}

/// Refuses keys of a mapping that are not `known`.
pub fn only(node: &Node, key: &str, known: &[&str]) -> Result<(), EnvError> {
    for (name, value) in mapping(node, key)? {
        if !known.contains(&name) {
            let problem = bootwright_seed::yaml::decode::unknown("key", name, known);
            return Err(refuse(value, key, problem));
        }
    }
    Ok(())
}

/// Permissions: octal digits. Without quotes a leading zero stays as written, too.
pub fn mode(node: &Node, path: &str, default: u32) -> Result<u32, EnvError> {
    match text(node, path)? {
        None => Ok(default),
        Some(text) => parse_mode(text).ok_or_else(|| {
            let at = find(node, path).unwrap_or(node);
            refuse(at, path, "expected permissions as octal digits in quotes, such as \"0640\"")
        }),
    }
}

/// Octal digits up to 7777.
pub fn parse_mode(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("0o").unwrap_or(text);
    u32::from_str_radix(digits, 8).ok().filter(|mode| *mode <= 0o7777)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_errors_without_values() {
        let env = Node::parse(
            "env.yml",
            "a: {t: ' x ', on: True, off: 'no', l: [1, 2], e: '', m: {}}\nbad: hunter2\nmode: 0640\n",
        )
        .unwrap();
        assert_eq!(text(&env, "a.t").unwrap(), Some("x"));
        assert_eq!(exact(&env, "a.t").unwrap(), Some(" x "));
        assert_eq!((text(&env, "a.e").unwrap(), text(&env, "a.z.q").unwrap()), (None, None));
        assert!(flag(&env, "a.on", false).unwrap() && !flag(&env, "a.off", true).unwrap());
        assert!(flag(&env, "a.none", true).unwrap());
        assert_eq!(texts(&env, "a.l").unwrap(), ["1", "2"]);
        assert_eq!(mode(&env, "mode", 0).unwrap(), 0o640);
        for error in [
            flag(&env, "bad", true).unwrap_err(),
            list(&env, "bad").unwrap_err(),
            entries(&env, "bad").unwrap_err(),
            mode(&env, "bad", 0).unwrap_err(),
        ] {
            assert!(error.to_string().starts_with("env.yml:2:6: bad: expected "), "{error}");
            assert!(!error.to_string().contains("hunter2"));
        }
        let error = only(find(&env, "a").unwrap(), "a", &["t", "on", "off", "l", "e"]);
        assert!(error.unwrap_err().to_string().contains("unknown key `m`"));
    }
}
