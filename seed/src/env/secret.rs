//! Which values nobody should see, and what is shown instead of them.

use super::key_path::KeyPath;
use super::schema::{Key, Schema};

/// What stands for a secret in outputs.
pub const MASK: &str = "••••••";

/// Words that make a key a secret's where no schema says so.
const WORDS: [&str; 10] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "private",
    "_pass",
    "api_key",
    "_key",
];

/// Whether the value at `path` is a secret: the schema decides, else its name and its text do.
#[must_use]
pub fn is_secret(path: &KeyPath, text: &str, schema: Option<&Schema>) -> bool {
    let key = schema.and_then(|schema| schema.key(path));
    match key.map(|key| key.secret) {
        Some(Some(secret)) => secret,
        _ => key.is_some_and(Key::is_secret) || looks_secret(path, text),
    }
}

/// Whether a name or a text gives a secret away. Errs on the side of hiding.
#[must_use]
pub fn looks_secret(path: &KeyPath, text: &str) -> bool {
    let name = path.last_key().unwrap_or_default().to_ascii_lowercase();
    let public = name.contains("public") || name.contains("authorized");
    let named = WORDS.iter().any(|word| name.contains(word)) || name == "key";
    (named && !public)
        || text.contains("PRIVATE KEY")
        || text.starts_with("$ANSIBLE_VAULT;")
        || text.starts_with("$6$")
        || text.lines().any(assigns_secret)
}

/// Whether a line of a settings file gives a secret: `SECRET_KEY = '…'`.
fn assigns_secret(line: &str) -> bool {
    let Some((name, value)) = line.split_once('=') else {
        return false;
    };
    let name = name.to_ascii_lowercase();
    WORDS.iter().any(|word| name.contains(word)) && value.contains(['\'', '"'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_give_secrets_away() {
        let secret = |path: &str, text: &str| is_secret(&path.parse().unwrap(), text, None);
        assert!(
            secret("db.db_password", "x")
                && secret("dkim.key", "x")
                && secret("a.keystore_pass", "")
        );
        assert!(secret("a.b", "-----BEGIN RSA PRIVATE KEY-----\n"));
        assert!(secret("ecs.settings", "DEBUG = False\nSECRET_KEY = 'x'\n"));
        assert!(!secret("ssh_authorized_keys[0]", "ssh-ed25519 AAAA"));
        assert!(!secret("appliance.domain", "x.test") && !secret("public_key", "x"));
    }

    #[test]
    fn the_schema_decides() {
        let schema = "keys: {a: {secret: true}, password: {secret: false}, g: {generated: uuid()}}";
        let schema = Schema::parse("s.yml", schema.as_bytes()).unwrap();
        let secret = |path: &str| is_secret(&path.parse().unwrap(), "x", Some(&schema));
        assert!(secret("a") && !secret("password") && secret("g") && secret("other_token"));
    }
}
