//! Masks what may be a secret in a document that is shown.
//!
//! No schema is at hand, so names and looks decide, and doubt counts as secret: a value that is
//! masked for nothing can be looked up in the env, one that is shown for nothing is lost.

use crate::yaml::tree::{Node, Value};

/// What stands for a secret.
const MASK: &str = "***";

/// Parts of names that stand for a secret.
const NAMES: [&str; 21] = [
    "pass",
    "pwd",
    "secret",
    "token",
    "key",
    "dsn",
    "credential",
    "private",
    "auth",
    "hash",
    "salt",
    "encrypt",
    "sign",
    "vault",
    "pin",
    "cookie",
    "seed",
    "content",
    "settings",
    "cert",
    "license",
];
/// Names that have such a part and are public.
const PUBLIC: [&str; 12] = [
    "ssh_authorized_keys",
    "ssh-authorized-keys",
    "ssh_deprecated_keys",
    "public-keys",
    "public_keys",
    "keyboard",
    "lock_passwd",
    "chpasswd",
    "ssh_pwauth",
    "client_certs_mandatory",
    "ssh_import_id",
    "userswitcher",
];
/// Names of what looks random and is no secret.
const IDS: [&str; 2] = ["instance-id", "uuid"];
/// What only secrets look like, anywhere in a value.
const LOOKS: [&str; 12] = [
    "PRIVATE KEY",
    "BEGIN PGP",
    "$ANSIBLE_VAULT",
    "AGE-SECRET-KEY",
    "$5$",
    "$6$",
    "$y$",
    "$2",
    "$7$",
    "$argon2",
    "pass",
    "secret",
];
/// Shortest word that is long enough for a token.
const TOKEN: usize = 20;

/// Masks every value of the document that may be a secret.
pub(super) fn mask(node: &mut Node) {
    match &mut node.value {
        Value::Null => {}
        Value::Scalar { text, plain } => {
            if looks_secret(text) {
                (*text, *plain) = (MASK.to_owned(), false);
            }
        }
        Value::List(items) => items.iter_mut().for_each(mask),
        Value::Map(entries) => {
            for (key, value) in entries {
                let name = key.name.to_ascii_lowercase();
                if IDS.contains(&name.as_str()) {
                    continue;
                } else if PUBLIC.contains(&name.as_str()) {
                    mask_unless_public(value);
                } else if NAMES.iter().any(|part| name.contains(part)) {
                    mask_all(value);
                } else {
                    mask(value);
                }
            }
        }
    }
}

/// Under a public name: keys and user names are shown, private keys are not even there.
fn mask_unless_public(node: &mut Node) {
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(mask_unless_public),
        Value::Map(_) => mask(node),
        Value::Scalar { text, .. } if is_public_key(text) => {}
        Value::Scalar { .. } => mask(node),
        Value::Null => {}
    }
}

fn mask_all(node: &mut Node) {
    match &mut node.value {
        Value::Null => {}
        // On or off tells nothing.
        Value::Scalar { text, plain: true } if text == "true" || text == "false" => {}
        Value::Scalar { text, plain } => (*text, *plain) = (MASK.to_owned(), false),
        Value::List(items) => items.iter_mut().for_each(mask_all),
        Value::Map(entries) => entries.iter_mut().for_each(|(_, value)| mask_all(value)),
    }
}

fn is_public_key(text: &str) -> bool {
    let kinds = ["ssh-", "ecdsa-sha2-", "sk-"];
    kinds.iter().any(|kind| text.starts_with(kind)) && !text.contains('\n')
}

fn looks_secret(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    text.contains('\n')
        || LOOKS.iter().any(|look| lower.contains(&look.to_ascii_lowercase()))
        || text
            .split_once("://")
            .is_some_and(|(_, rest)| rest.split('/').next().is_some_and(|host| host.contains('@')))
        || text.split([' ', ',', '=', '"', '\'']).any(is_token)
}

/// Whether a word is long and mixed enough to be a random one.
fn is_token(word: &str) -> bool {
    let of = |class: fn(&char) -> bool| word.chars().filter(class).count();
    let letters = of(char::is_ascii_alphabetic);
    let digits = of(char::is_ascii_digit);
    let encoded = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '-' | '_');
    word.len() >= TOKEN
        && !word.starts_with('/')
        && letters > 0
        && digits > 0
        && word.chars().all(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::emit::document;

    fn masked(text: &str) -> String {
        let mut node = Node::parse("env.yml", text).unwrap();
        mask(&mut node);
        document(&node)
    }

    #[test]
    fn secrets_are_masked() {
        let secret = "hunter2";
        for text in [
            format!("password: {secret}\n"),
            format!("ssh: {{a: [{{user_Password: {secret}}}]}}\n"),
            format!("dkim:\n  key: |\n    -----BEGIN RSA PRIVATE KEY-----\n    {secret}\n"),
            format!("url: \"postgres://app:{secret}@db/x\"\n"),
            format!("options: user=x,pass={secret}\n"),
            format!("write_files: [{{path: /x, content: {secret}}}]\n"),
            format!("text: |\n  a = 1\n  b = {secret}\n"),
            format!("ecs: {{settings: {secret}}}\n"),
            format!("passwd: [{secret}]\n"),
            format!("runcmd: [login --token={secret}0123456789abcdefghij]\n"),
            format!("word: {secret}0123456789ABCDEFghij+/==\n"),
            format!("users: [{{name: x, x: $6$salt${secret}}}]\n"),
            format!("ssh_keys: {{rsa_private: {secret}}}\n"),
            format!("chpasswd: {{list: ['x:{secret}pass']}}\n"),
            format!("chpasswd: {{users: [{{name: x, password: {secret}}}]}}\n"),
        ] {
            let shown = masked(&text);
            assert!(shown.contains("***") && !shown.contains(secret), "{text} -> {shown}");
        }
    }

    #[test]
    fn what_is_public_is_shown() {
        let text = "appliance:\n  domain: whatever.example.test\n  ssl:\n    client_certs_mandatory: false\nssh_authorized_keys:\n  - \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYH ops\"\npackages:\n  - cloud-guest-utils\npath: /etc/x\nurl: \"https://example.test/a/b\"\ninstance-id: aaee91af-d6f0-5c51-94c5-3aa05cb945c9\n";
        let shown = masked(text);
        for word in [
            "whatever.example.test",
            "ssh-ed25519 AAAA",
            "cloud-guest-utils",
            "/etc/x",
            "https://example.test/a/b",
            "client_certs_mandatory: false",
            "aaee91af",
        ] {
            assert!(shown.contains(word), "{word}: {shown}");
        }
    }

    #[test]
    fn comments_are_not_shown() {
        assert_eq!(masked("a: 1 # password hunter2\n"), "a: 1\n");
    }
}
