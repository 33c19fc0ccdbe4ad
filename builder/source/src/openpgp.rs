//! Detached OpenPGP signatures by keys whose fingerprints are pinned.
//!
//! The library checks the mathematics alone; who may sign, until when and whether the key
//! was revoked is checked here. A key is revoked or expired from the moment it says so,
//! whatever the time of the signature: a leaked key could date it back.

use std::time::{SystemTime, UNIX_EPOCH};

use pgp::composed::{Deserializable, DetachedSignature, SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::{KeyDetails, Tag, VerifyingKey};

use crate::{Error, Result};

const DAY: u64 = 24 * 60 * 60;

/// The keys that may sign, and the time at which this is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trust<'a> {
    /// Public keys, armored or not.
    pub(crate) keyring: &'a [u8],
    /// Fingerprints of primary keys in hexadecimal; others in the keyring do not count.
    pub(crate) fingerprints: &'a [String],
    /// The time.
    pub(crate) now: SystemTime,
}

impl Trust<'_> {
    /// Checks that one of the detached signatures in `signature` is a good one of `data`.
    /// Gives the fingerprint of the key that made it; `what` names the data.
    ///
    /// # Errors
    /// [`Error::Signature`] with the reason.
    pub(crate) fn verify(&self, what: &str, data: &[u8], signature: &[u8]) -> Result<String> {
        self.signer(data, signature)
            .map_err(|problem| Error::Signature { what: what.to_owned(), problem })
    }

    fn signer(&self, data: &[u8], signature: &[u8]) -> Result<String, String> {
        let keys = self.pinned_keys()?;
        let mut problem = "its signature file holds no signature".to_owned();
        let (signatures, _) = DetachedSignature::from_reader_many(signature)
            .map_err(|error| format!("its signature cannot be read: {error}"))?;
        for signature in signatures.take(MAX_SIGNATURES) {
            let signature =
                signature.map_err(|error| format!("its signature cannot be read: {error}"))?;
            match self.check(&keys, &signature, data) {
                Ok(fingerprint) => return Ok(fingerprint),
                Err(reason) => problem = reason,
            }
        }
        Err(problem)
    }

    /// The pinned keys of the keyring.
    fn pinned_keys(&self) -> Result<Vec<SignedPublicKey>, String> {
        let (keys, _) = SignedPublicKey::from_reader_many(self.keyring)
            .map_err(|error| format!("the keyring cannot be read: {error}"))?;
        // Keys of a kind that is not understood are none that was pinned.
        let keys: Vec<_> =
            keys.filter_map(|key| key.ok()).filter(|key| self.is_pinned(key)).collect();
        match keys.is_empty() {
            true => Err(format!(
                "the keyring does not hold the pinned key {}",
                self.fingerprints.join(" or ")
            )),
            false => Ok(keys),
        }
    }

    fn is_pinned(&self, key: &SignedPublicKey) -> bool {
        let own = fingerprint(key);
        self.fingerprints.iter().any(|pinned| {
            pinned
                .chars()
                .filter(char::is_ascii_hexdigit)
                .collect::<String>()
                .eq_ignore_ascii_case(&own)
        })
    }

    fn check(
        &self,
        keys: &[SignedPublicKey],
        signature: &DetachedSignature,
        data: &[u8],
    ) -> Result<String, String> {
        let packet = &signature.signature;
        for key in keys {
            let own = fingerprint(key);
            if is_by(packet, &key.primary_key) {
                self.check_key(key)?;
                verify_data(signature, &key.primary_key, data)?;
                self.check_signature(packet)?;
                return Ok(own);
            }
            let Some(subkey) = key.public_subkeys.iter().find(|sub| is_by(packet, &sub.key)) else {
                continue;
            };
            self.check_key(key)?;
            self.check_subkey(key, subkey)?;
            verify_data(signature, &subkey.key, data)?;
            self.check_signature(packet)?;
            return Ok(own);
        }
        let by: Vec<String> =
            packet.issuer_key_id().iter().map(|id| id.to_string().to_uppercase()).collect();
        Err(format!(
            "it is signed by the key {}, expected {}",
            if by.is_empty() { "of nobody".to_owned() } else { by.join(", ") },
            self.fingerprints.join(" or ")
        ))
    }

    /// Checks a primary key's own statements about itself.
    fn check_key(&self, key: &SignedPublicKey) -> Result<(), String> {
        let (primary, details) = (&key.primary_key, &key.details);
        let name = fingerprint(key);
        if details.revocation_signatures.iter().any(|sig| sig.verify_key(primary).is_ok()) {
            return Err(format!("the key {name} was revoked by its owner"));
        }
        let direct = details.direct_signatures.iter().filter(|sig| sig.verify_key(primary).is_ok());
        let named = details.users.iter().flat_map(|user| {
            let certifies = |sig: &&Signature| {
                sig.is_certification()
                    && sig.typ() != Some(SignatureType::CertRevocation)
                    && sig.verify_certification(primary, Tag::UserId, &user.id).is_ok()
            };
            user.signatures.iter().filter(certifies)
        });
        let Some(newest) = direct.chain(named).max_by_key(|sig| sig.created()) else {
            return Err(format!("the key {name} has no valid signature by itself"));
        };
        self.check_age(&format!("the key {name}"), seconds(primary), newest)
    }

    /// Checks what a primary key says about a subkey that made a signature.
    fn check_subkey(
        &self,
        key: &SignedPublicKey,
        subkey: &SignedPublicSubKey,
    ) -> Result<(), String> {
        let name = format!("the subkey {} of {}", subkey.key.legacy_key_id(), fingerprint(key));
        let primary = &key.primary_key;
        let mut bound: Option<&Signature> = None;
        for sig in &subkey.signatures {
            if sig.verify_subkey_binding(primary, &subkey.key).is_err() {
                continue;
            }
            if sig.typ() == Some(SignatureType::SubkeyRevocation) {
                return Err(format!("{name} was revoked"));
            }
            if bound.is_none_or(|other| other.created() < sig.created()) {
                bound = Some(sig);
            }
        }
        let Some(bound) = bound else {
            return Err(format!("{name} is not bound to its key"));
        };
        let back = bound.embedded_signature();
        let is_back =
            back.is_some_and(|sig| sig.verify_primary_key_binding(&subkey.key, primary).is_ok());
        if !bound.key_flags().sign() || !is_back {
            return Err(format!("{name} is not one for signing"));
        }
        self.check_age(&name, seconds(&subkey.key), bound)
    }

    /// Checks that a key, made at `created`, has not expired by what a statement about it says.
    fn check_age(&self, name: &str, created: u64, statement: &Signature) -> Result<(), String> {
        let life = statement.key_expiration_time().map_or(0, |life| u64::from(life.as_secs()));
        match self.now().checked_sub(created + life) {
            Some(since) if life > 0 => Err(format!("{name} expired {} days ago", since / DAY)),
            _ => Ok(()),
        }
    }

    /// Checks what a signature says about itself.
    fn check_signature(&self, signature: &Signature) -> Result<(), String> {
        let Some(created) = signature.created().map(|time| u64::from(time.as_secs())) else {
            return Err("its signature has no date".to_owned());
        };
        if created > self.now() + DAY {
            return Err(
                "its signature is from the future; is the clock of this machine right?".to_owned()
            );
        }
        let life =
            signature.signature_expiration_time().map_or(0, |life| u64::from(life.as_secs()));
        if life > 0 && created + life <= self.now() {
            return Err("its signature has expired".to_owned());
        }
        Ok(())
    }

    fn now(&self) -> u64 {
        self.now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}

/// More signatures than anyone makes of one file.
const MAX_SIGNATURES: usize = 16;

fn fingerprint(key: &SignedPublicKey) -> String {
    format!("{:X}", key.primary_key.fingerprint())
}

fn seconds(key: &impl KeyDetails) -> u64 {
    u64::from(key.created_at().as_secs())
}

/// Whether a signature says that it was made by a key.
fn is_by(signature: &Signature, key: &impl KeyDetails) -> bool {
    signature.issuer_fingerprint().into_iter().any(|print| *print == key.fingerprint())
        || signature.issuer_key_id().into_iter().any(|id| *id == key.legacy_key_id())
}

fn verify_data(
    signature: &DetachedSignature,
    key: &impl VerifyingKey,
    data: &[u8],
) -> Result<(), String> {
    let packet = &signature.signature;
    if !matches!(packet.typ(), Some(SignatureType::Binary | SignatureType::Text)) {
        return Err("its signature is not one of a file".to_owned());
    }
    match packet.hash_alg() {
        Some(HashAlgorithm::Md5 | HashAlgorithm::Sha1 | HashAlgorithm::Ripemd160) | None => {
            return Err("its signature uses a digest that can be forged (MD5, SHA-1)".to_owned());
        }
        Some(_) => {}
    }
    signature.verify(key, data).map_err(|_| {
        "its signature does not fit: the file was changed after it was signed".to_owned()
    })
}

#[cfg(test)]
mod tests;
