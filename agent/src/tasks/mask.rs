//! Keeps secret values of the env out of everything that is said.

use bootwright_seed::yaml::tree::{Node, Value};

/// Words in a key that make its value a secret.
const WORDS: [&str; 14] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "dsn",
    "private",
    "credential",
    "encrypt",
    "sign",
    "contents",
    "content",
    "options",
    "proxy",
];
/// A line shorter than this is no secret worth the name, and masking it would garble words.
const SHORTEST: usize = 4;
/// What stands for a secret.
const MASKED: &str = "***";

/// Texts that must not be shown, the longest first.
#[derive(Debug, Clone, Default)]
pub struct Mask(Vec<String>);

impl Mask {
    /// The secrets of an env: values whose key says so, at any depth, and all values of more
    /// than one line.
    pub fn of(env: &Node) -> Self {
        let mut found = Vec::new();
        walk(env, false, &mut found);
        Self(found).sorted()
    }

    /// This mask and one more secret.
    pub fn with(&self, secret: &str) -> Self {
        let mut all = self.clone();
        add(secret, &mut all.0);
        all.sorted()
    }

    /// The text without any secret.
    pub fn over(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, MASKED))
    }

    fn sorted(mut self) -> Self {
        self.0.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        self.0.dedup();
        self
    }
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key == "key" || key.ends_with("_key") || WORDS.iter().any(|word| key.contains(word))
}

fn walk(node: &Node, secret: bool, found: &mut Vec<String>) {
    match &node.value {
        Value::Null => {}
        // A switch is no secret, and its word stands in many texts.
        Value::Scalar { text, plain: true } if text == "true" || text == "false" => {}
        Value::Scalar { text, .. } if secret || text.trim_end().contains('\n') => add(text, found),
        Value::Scalar { .. } => {}
        Value::List(items) => items.iter().for_each(|item| walk(item, secret, found)),
        Value::Map(entries) => {
            for (key, value) in entries {
                walk(value, secret || is_secret(&key.name), found);
            }
        }
    }
}

/// Whole and line by line: tools quote single lines.
fn add(text: &str, found: &mut Vec<String>) {
    let lines = std::iter::once(text).chain(text.lines());
    found.extend(lines.map(str::trim).filter(|line| line.len() >= SHORTEST).map(str::to_owned));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_blocks_are_masked() {
        let env = "a: {password: hunter2, domain: x.test}\nssl: {key: \"KEYTEXT\"}\nblock: |\n  first line\n  second line\nlist: {tokens: [tok-1]}\n";
        let mask = Mask::of(&Node::parse("env", env).unwrap());
        assert_eq!(mask.over("hunter2 x.test KEYTEXT second line tok-1"), "*** x.test *** *** ***");
        assert_eq!(mask.with("more").over("no more"), "no ***");
    }
}
