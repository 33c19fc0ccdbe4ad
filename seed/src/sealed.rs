//! User-data that only one machine can read: encrypted to its key in the age format, version 1.
//!
//! Source: the specification of age (C2SP `age.md`). X25519 recipients only, armored when we
//! write, armored or binary when we read, so that the `age` tool can stand in on either side.
//! What is not ours to judge here is whether a machine's key was kept well: docs/seed.md has
//! the threat model.

mod armor;
mod error;
mod header;
mod keys;
#[cfg(feature = "write")]
mod seal;
mod stream;

pub use error::SealedError;
pub use keys::{Identity, Recipient};
#[cfg(feature = "write")]
pub use seal::seal;

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// The first line of armored sealed user-data.
pub const MARKER: &str = "-----BEGIN AGE ENCRYPTED FILE-----";

/// The key that a file's content is encrypted with.
type FileKey = Zeroizing<[u8; 16]>;

/// Whether this user-data is sealed, by its first bytes.
#[must_use]
pub fn is_sealed(bytes: &[u8]) -> bool {
    bytes.starts_with(MARKER.as_bytes()) || bytes.starts_with(header::VERSION.as_bytes())
}

/// Opens sealed user-data with the first of the machine's keys that fits.
///
/// # Errors
///
/// [`SealedError::NoKey`] without any identity, [`SealedError::NotForUs`] if none fits, and
/// what is damaged otherwise. No plaintext is given out unless all of it is authentic.
pub fn open(bytes: &[u8], identities: &[Identity]) -> Result<Vec<u8>, SealedError> {
    if identities.is_empty() {
        return Err(SealedError::NoKey);
    }
    let binary;
    let file = if bytes.starts_with(MARKER.as_bytes()) {
        binary = armor::decode(bytes)?;
        &binary[..]
    } else {
        bytes
    };
    let (header, payload) = header::parse(file)?;
    let stanzas = header.x25519.iter();
    let fitting = stanzas
        .flat_map(|stanza| identities.iter().map(move |identity| identity.unwrap(stanza)))
        .find_map(Result::transpose)
        .transpose()?;
    let file_key = fitting.ok_or(SealedError::NotForUs)?;
    header.authenticate(&file_key)?;
    stream::decrypt(&file_key, payload)
}

/// HKDF-SHA-256 (RFC 5869) for 32 bytes, as every key of the format is derived.
fn derive(secret: &[u8], salt: &[u8], info: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    // Fails for more than 8160 bytes only; a key of zeros would then fail to authenticate.
    let expanded = Hkdf::<Sha256>::new(Some(salt), secret).expand(info, key.as_mut());
    debug_assert!(expanded.is_ok());
    key
}

#[cfg(test)]
mod tests;
