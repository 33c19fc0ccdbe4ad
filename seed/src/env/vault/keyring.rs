//! Passwords of vaults, by id.

use std::fmt;

use super::{VaultError, decrypt, encrypt, id, is_vault};
use crate::env::key_path::KeyPath;
use crate::yaml::decode::DecodeError;
use crate::yaml::tree::{Node, Value};

/// A password with the id of its vault, if it has one.
#[derive(Clone)]
pub struct Password {
    /// The id; `default` opens what has none, as with Ansible.
    pub id: Option<String>,
    /// The password.
    pub secret: Vec<u8>,
}

impl Password {
    /// The password in the bytes of a file: without the line breaks and blanks around it, as
    /// Ansible takes it.
    #[must_use]
    pub fn of_file(id: Option<String>, bytes: &[u8]) -> Self {
        Self { id, secret: bytes.trim_ascii().to_vec() }
    }
}

/// Shows no secret.
impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Password").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The passwords at hand.
#[derive(Debug, Clone, Default)]
pub struct Keyring(Vec<Password>);

impl Keyring {
    /// A keyring of passwords; the first one encrypts.
    #[must_use]
    pub fn new(passwords: Vec<Password>) -> Self {
        Self(passwords)
    }

    /// Whether it holds no password.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Decrypts a text: with the passwords of its id first, then with all others, as Ansible does.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub fn open(&self, text: &str) -> Result<String, VaultError> {
        let wanted = id(text);
        let (own, others): (Vec<_>, Vec<_>) =
            self.0.iter().partition(|password| password.id.as_deref() == wanted);
        let mut last = match wanted {
            None => VaultError::Locked,
            Some(id) => VaultError::NoPassword(id.to_owned()),
        };
        for password in own.iter().chain(&others) {
            match decrypt(text, &password.secret) {
                Ok(plain) => return Ok(plain),
                // A foreign password that does not fit says nothing of the one that is missing.
                Err(VaultError::WrongPassword) if wanted.is_some() && own.is_empty() => {}
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Encrypts a text with the first password.
    ///
    /// # Errors
    /// A keyring without a password.
    pub fn close(&self, plain: &str) -> Result<String, VaultError> {
        let password = self.0.first().ok_or(VaultError::Locked)?;
        encrypt(plain, &password.secret, password.id.as_deref())
    }

    /// Decrypts every value of a tree. Without a password they stay as they are.
    ///
    /// # Errors
    /// The first value that cannot be opened, with its place.
    pub fn open_all(&self, node: &mut Node) -> Result<(), DecodeError> {
        match &mut node.value {
            Value::Scalar { text, plain } if !self.is_empty() && is_vault(text) => {
                *text = self
                    .open(text)
                    .map_err(|error| DecodeError::new(&node.at, error.to_string()))?;
                *plain = false;
                Ok(())
            }
            Value::List(items) => items.iter_mut().try_for_each(|item| self.open_all(item)),
            Value::Map(entries) => entries.iter_mut().try_for_each(|(_, node)| self.open_all(node)),
            Value::Null | Value::Scalar { .. } => Ok(()),
        }
    }
}

/// The paths of all encrypted values below a path.
#[must_use]
pub fn vaults(path: &KeyPath, node: &Node) -> Vec<KeyPath> {
    match &node.value {
        Value::Scalar { text, .. } if is_vault(text) => vec![path.clone()],
        Value::List(items) => {
            items.iter().enumerate().flat_map(|(i, item)| vaults(&path.index(i), item)).collect()
        }
        Value::Map(entries) => {
            entries.iter().flat_map(|(key, node)| vaults(&path.key(&key.name), node)).collect()
        }
        Value::Null | Value::Scalar { .. } => Vec::new(),
    }
}
