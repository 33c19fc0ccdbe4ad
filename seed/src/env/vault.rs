//! Values encrypted as ansible-vault does it (formats 1.1 and 1.2, AES256), read and written.
//!
//! Source: Ansible's user guide, chapter "Ansible Vault payload format". The text is a header
//! `$ANSIBLE_VAULT;1.1;AES256` (1.2 adds the vault's id) and hexadecimal lines of 80 characters.
//! They hold three hexadecimal texts, joined by line breaks: salt, HMAC and ciphertext. PBKDF2
//! (HMAC-SHA-256, 10,000 rounds) makes 80 bytes out of password and salt: a key for AES-256 in
//! counter mode, one for HMAC-SHA-256, and the first counter.

mod keyring;

use aes::Aes256;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use hmac::{Hmac, KeyInit, Mac};
use rand::RngCore;
use rand::rngs::OsRng;
use sha2::Sha256;

pub use keyring::{Keyring, Password, vaults};

const MAGIC: &str = "$ANSIBLE_VAULT";
const CIPHER: &str = "AES256";
const ROUNDS: u32 = 10_000;
const BLOCK: usize = 16;
const SALT: usize = 32;
const LINE: usize = 80;

/// Why a value cannot be decrypted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// Not the format.
    #[error("no vault that can be read: {0}")]
    Malformed(&'static str),
    /// The HMAC differs.
    #[error("the password does not open it, or it was changed")]
    WrongPassword,
    /// No password is at hand for it.
    #[error(
        "encrypted for the vault `{0}`, for which no password is given; add --vault-id {0}@FILE"
    )]
    NoPassword(String),
    /// No password at all.
    #[error("encrypted; give --vault-password-file FILE to open it")]
    Locked,
    /// Not text.
    #[error("what it holds is not UTF-8 text")]
    NotText,
}

/// Whether a text is encrypted.
#[must_use]
pub fn is_vault(text: &str) -> bool {
    text.starts_with(MAGIC)
}

/// The id in the header of an encrypted text; version 1.1 has none.
#[must_use]
pub fn id(text: &str) -> Option<&str> {
    let mut fields = text.lines().next()?.trim_end().split(';').skip(1);
    (fields.next()? == "1.2").then(|| fields.nth(1)).flatten()
}

/// Decrypts a text.
///
/// # Errors
/// See [`VaultError`].
pub fn decrypt(text: &str, password: &[u8]) -> Result<String, VaultError> {
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default().trim_end();
    let fields: Vec<&str> = header.split(';').collect();
    match *fields.as_slice() {
        [MAGIC, "1.1", CIPHER] | [MAGIC, "1.2", CIPHER, _] => {}
        [MAGIC, ..] => return Err(VaultError::Malformed("expected version 1.1 or 1.2 and AES256")),
        _ => return Err(VaultError::Malformed("the header is missing")),
    }
    let body: String = lines.map(str::trim).collect();
    let inner = unhex(body.as_bytes())?;
    let parts: Vec<&[u8]> = inner.split(|byte| *byte == b'\n').collect();
    let [salt, mac, cipher] = *parts.as_slice() else {
        return Err(VaultError::Malformed("expected salt, HMAC and ciphertext"));
    };
    let (salt, mac, mut data) = (unhex(salt)?, unhex(mac)?, unhex(cipher)?);
    let keys = Keys::derive(password, &salt)?;
    keys.mac(&data)?.verify_slice(&mac).map_err(|_| VaultError::WrongPassword)?;
    keys.apply(&mut data);
    let padding = usize::from(data.last().copied().unwrap_or_default());
    let length = data.len().checked_sub(padding).filter(|_| (1..=BLOCK).contains(&padding));
    data.truncate(length.ok_or(VaultError::Malformed("the padding is wrong"))?);
    String::from_utf8(data).map_err(|_| VaultError::NotText)
}

/// Encrypts a text; with an id in format 1.2, else in 1.1.
///
/// # Errors
/// None that happens: the system's random numbers and the algorithms do not fail.
pub fn encrypt(plain: &str, password: &[u8], id: Option<&str>) -> Result<String, VaultError> {
    let mut salt = [0; SALT];
    OsRng.fill_bytes(&mut salt);
    let keys = Keys::derive(password, &salt)?;
    let mut data = plain.as_bytes().to_vec();
    let padding = BLOCK - data.len() % BLOCK;
    data.resize(data.len() + padding, padding as u8);
    keys.apply(&mut data);
    let mac = keys.mac(&data)?.finalize().into_bytes();
    let inner = format!("{}\n{}\n{}", hex(&salt), hex(&mac), hex(&data));
    let body = hex(inner.as_bytes());
    let mut out = match id {
        Some(id) => format!("{MAGIC};1.2;{CIPHER};{id}\n"),
        None => format!("{MAGIC};1.1;{CIPHER}\n"),
    };
    for line in body.as_bytes().chunks(LINE) {
        out += &String::from_utf8_lossy(line);
        out.push('\n');
    }
    Ok(out)
}

/// What is derived from password and salt.
struct Keys([u8; 80]);

impl Keys {
    fn derive(password: &[u8], salt: &[u8]) -> Result<Self, VaultError> {
        let mut keys = [0; 80];
        pbkdf2::pbkdf2::<Hmac<Sha256>>(password, salt, ROUNDS, &mut keys)
            .map_err(|_| VaultError::WrongPassword)?;
        Ok(Self(keys))
    }

    fn mac(&self, data: &[u8]) -> Result<Hmac<Sha256>, VaultError> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0[32..64])
            .map_err(|_| VaultError::WrongPassword)?;
        mac.update(data);
        Ok(mac)
    }

    fn apply(&self, data: &mut [u8]) {
        if let Ok(mut cipher) = Ctr128BE::<Aes256>::new_from_slices(&self.0[..32], &self.0[64..]) {
            cipher.apply_keystream(data);
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &[u8]) -> Result<Vec<u8>, VaultError> {
    let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
    let pair = |pair: &[u8]| match *pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = text.chunks(2).map(pair).collect();
    bytes.ok_or(VaultError::Malformed("expected hexadecimal digits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encrypted_comes_back() {
        for text in ["", "hunter2", "sixteen bytes ok", "-----BEGIN\nä 漢\n"] {
            for name in [None, Some("prod")] {
                let vault = encrypt(text, b"pw", name).unwrap();
                assert_eq!(decrypt(&vault, b"pw").unwrap(), text);
                assert_eq!(decrypt(&vault, b"px"), Err(VaultError::WrongPassword));
                assert_eq!(id(&vault), name);
                assert!(is_vault(&vault) && vault.lines().all(|line| line.len() <= 80));
            }
        }
    }

    #[test]
    fn damage_is_found() {
        let vault = encrypt("hunter2", b"pw", None).unwrap();
        let last = vault.trim_end().len() - 1;
        for (at, by) in [(0, "x"), (16, "9"), (30, "z"), (last, "0"), (last, "1"), (last, "")] {
            let mut broken = vault.clone();
            broken.replace_range(at..=at, by);
            if broken != vault {
                assert!(decrypt(&broken, b"pw").is_err(), "{at} {by}");
            }
        }
        for text in [
            "",
            "$ANSIBLE_VAULT;1.1;AES256",
            "$ANSIBLE_VAULT;1.0;AES\n00\n",
            "$ANSIBLE_VAULT;1.1;AES256\n0a0a\n",
        ] {
            assert!(decrypt(text, b"pw").is_err(), "{text}");
        }
    }
}
