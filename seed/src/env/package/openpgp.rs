//! OpenPGP: to the keys of recipients, and back with one of their secret keys.
//!
//! The library checks signatures and nothing else, so whether a key may be used is looked at
//! here: its own bindings, expiry, revocation, and whether it is meant for encryption.

use std::io::{Cursor, Read};

use pgp::composed::{
    Deserializable, Message, MessageBuilder, SignedPublicKey, SignedPublicSubKey, SignedSecretKey,
};
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::{Fingerprint, KeyDetails, Password, Timestamp};
use rand::rngs::OsRng;

/// Largest archive that is decrypted, in bytes.
const LARGEST: u64 = 256 << 20;
const PUBLIC: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";

/// Why something cannot be encrypted or decrypted.
#[derive(Debug, thiserror::Error)]
pub enum OpenPgpError {
    /// A file holds no public key.
    #[error("{0} holds no OpenPGP public key; export one with gpg --armor --export")]
    NoKey(String),
    /// A file holds a secret key where a public one belongs.
    #[error("{0} holds a secret key; give the public one of the recipient (gpg --export)")]
    Secret(String),
    /// A key that must not be used.
    #[error("{file}: the key {fingerprint} {problem}; ask its owner for a current one")]
    Unusable {
        /// The file.
        file: String,
        /// The key.
        fingerprint: String,
        /// Why not.
        problem: &'static str,
    },
    /// A file holds no secret key.
    #[error("{0} holds no OpenPGP secret key; export it with gpg --export-secret-keys")]
    NoSecretKey(String),
    /// What was given is no encrypted message.
    #[error("{0} is no OpenPGP message")]
    NoMessage(String),
    /// The key does not open it.
    #[error(
        "{0} cannot be opened: it is encrypted to other keys, the passphrase is wrong, or it is damaged"
    )]
    Closed(String),
    /// The library failed.
    #[error("encrypting the archive")]
    Encrypt(#[from] pgp::errors::Error),
}

/// A key to encrypt to.
#[derive(Debug)]
pub struct Recipient {
    key: Target,
    /// The fingerprint of its primary key.
    pub fingerprint: String,
    /// Whose it says it is.
    pub owner: String,
}

/// The part of a key that is encrypted to.
#[derive(Debug)]
enum Target {
    Primary(Box<SignedPublicKey>),
    Sub(Box<SignedPublicSubKey>),
}

/// The keys in a file: armored blocks one behind the other, or a binary keyring.
///
/// # Errors
/// A file without one, and keys that must not be used.
pub fn recipients(file: &str, bytes: &[u8]) -> Result<Vec<Recipient>, OpenPgpError> {
    let text = String::from_utf8_lossy(bytes);
    if text.contains("-----BEGIN PGP PRIVATE KEY BLOCK-----") {
        return Err(OpenPgpError::Secret(file.to_owned()));
    }
    let none = || OpenPgpError::NoKey(file.to_owned());
    let mut keys = Vec::new();
    if text.contains(PUBLIC) {
        for block in text.split(PUBLIC).skip(1) {
            let block = format!("{PUBLIC}{block}");
            let (parsed, _) =
                SignedPublicKey::from_armor_many(block.as_bytes()).map_err(|_| none())?;
            keys.extend(parsed);
        }
    } else {
        keys.extend(SignedPublicKey::from_bytes_many(bytes).map_err(|_| none())?);
    }
    if keys.is_empty() {
        return Err(none());
    }
    keys.into_iter().map(|key| recipient(file, key.map_err(|_| none())?)).collect()
}

fn recipient(file: &str, key: SignedPublicKey) -> Result<Recipient, OpenPgpError> {
    let fingerprint = hex(&key.fingerprint());
    let unusable = |problem| OpenPgpError::Unusable {
        file: file.to_owned(),
        fingerprint: fingerprint.clone(),
        problem,
    };
    key.verify_bindings().map_err(|_| unusable("has signatures of its own that do not fit"))?;
    let details = &key.details;
    if !details.revocation_signatures.is_empty() {
        return Err(unusable("is revoked"));
    }
    let users = details.users.iter().flat_map(|user| &user.signatures);
    let own: Vec<&Signature> = details.direct_signatures.iter().chain(users).collect();
    let newest = latest(&own);
    if newest.is_some_and(|signature| expired(key.primary_key.created_at(), signature)) {
        return Err(unusable("has expired"));
    }
    let owner =
        details.users.first().map(|user| String::from_utf8_lossy(user.id.id()).into_owned());
    let owner = owner.unwrap_or_default();
    let subkey = key.public_subkeys.iter().rev().find(|subkey| usable(subkey)).cloned();
    let key = match subkey {
        Some(subkey) => Target::Sub(Box::new(subkey)),
        None if newest.is_some_and(encrypts) && key.algorithm().can_encrypt() => {
            Target::Primary(Box::new(key))
        }
        None => return Err(unusable("has no part for encryption that is valid today")),
    };
    Ok(Recipient { key, fingerprint, owner })
}

fn usable(subkey: &SignedPublicSubKey) -> bool {
    let of_type = |kind| subkey.signatures.iter().filter(move |s| s.typ() == Some(kind));
    let bindings: Vec<&Signature> = of_type(SignatureType::SubkeyBinding).collect();
    let revoked = of_type(SignatureType::SubkeyRevocation).next().is_some();
    let newest = latest(&bindings);
    !revoked
        && subkey.key.algorithm().can_encrypt()
        && newest.is_some_and(|s| encrypts(s) && !expired(subkey.key.created_at(), s))
}

fn latest<'a>(signatures: &[&'a Signature]) -> Option<&'a Signature> {
    signatures.iter().copied().max_by_key(|signature| signature.created().map(Timestamp::as_secs))
}

fn encrypts(signature: &Signature) -> bool {
    let flags = signature.key_flags();
    flags.encrypt_comms() || flags.encrypt_storage()
}

fn expired(created: Timestamp, signature: &Signature) -> bool {
    let life = signature.key_expiration_time().map(|life| life.as_secs()).filter(|life| *life > 0);
    life.is_some_and(|life| {
        u64::from(created.as_secs()) + u64::from(life) <= u64::from(Timestamp::now().as_secs())
    })
}

fn hex(fingerprint: &Fingerprint) -> String {
    fingerprint.as_bytes().iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Encrypts to every recipient: AES-256 with integrity protection that every GnuPG since 1.4
/// reads.
///
/// # Errors
/// What the library says.
pub fn encrypt(data: Vec<u8>, recipients: &[Recipient]) -> Result<Vec<u8>, OpenPgpError> {
    let builder = MessageBuilder::from_bytes("", data);
    let mut builder = builder.seipd_v1(OsRng, SymmetricKeyAlgorithm::AES256);
    for recipient in recipients {
        match &recipient.key {
            Target::Primary(key) => builder.encrypt_to_key(OsRng, &**key)?,
            Target::Sub(key) => builder.encrypt_to_key(OsRng, &**key)?,
        };
    }
    Ok(builder.to_vec(OsRng)?)
}

/// Opens a message that errors call `file` with a secret key out of `key_file`.
///
/// # Errors
/// Inputs that are neither, and a key that does not fit.
pub fn decrypt(
    (file, message): (&str, &[u8]),
    (key_file, key): (&str, &[u8]),
    passphrase: &str,
) -> Result<Vec<u8>, OpenPgpError> {
    let (key, _) = SignedSecretKey::from_reader_single(Cursor::new(key.to_vec()))
        .map_err(|_| OpenPgpError::NoSecretKey(key_file.to_owned()))?;
    let (message, _) = Message::from_reader(Cursor::new(message.to_vec()))
        .map_err(|_| OpenPgpError::NoMessage(file.to_owned()))?;
    let closed = || OpenPgpError::Closed(file.to_owned());
    let mut opened = message.decrypt(&Password::from(passphrase), &key).map_err(|_| closed())?;
    // gpg compresses what it encrypts.
    if opened.is_compressed() {
        opened = opened.decompress().map_err(|_| closed())?;
    }
    let mut data = Vec::new();
    match opened.take(LARGEST + 1).read_to_end(&mut data) {
        Ok(len) if len as u64 <= LARGEST => Ok(data),
        _ => Err(closed()),
    }
}
