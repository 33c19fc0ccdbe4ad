//! RSA keys.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::rngs::OsRng;
use rsa::RsaPrivateKey;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding};

/// Sizes that are taken: less is broken, more takes minutes to make and is of no use.
const BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

pub(super) fn check_bits(bits: usize) -> Result<(), String> {
    match BITS.contains(&bits) && bits.is_multiple_of(8) {
        true => Ok(()),
        false => Err(format!(
            "{bits} bits, expected a multiple of 8 from {} to {}",
            BITS.start(),
            BITS.end()
        )),
    }
}

pub(super) fn pem(bits: usize) -> Result<String, String> {
    encode(&generate(bits)?)
}

pub(super) fn generate(bits: usize) -> Result<RsaPrivateKey, String> {
    RsaPrivateKey::new(&mut OsRng, bits).map_err(|error| error.to_string())
}

pub(super) fn encode(key: &RsaPrivateKey) -> Result<String, String> {
    let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|error| error.to_string())?;
    Ok(pem.as_str().to_owned())
}

/// A key for DKIM: `key` in PEM, `public` and `record`, the text of its DNS record.
pub(super) fn dkim(bits: usize) -> Result<BTreeMap<&'static str, String>, String> {
    let key = generate(bits)?;
    let public = public_of(&key)?;
    let record = record(&public);
    Ok(BTreeMap::from([("key", encode(&key)?), ("public", public), ("record", record)]))
}

/// The text of the DNS record of a DKIM key.
pub(super) fn record(public: &str) -> String {
    format!("v=DKIM1; k=rsa; p={public}")
}

fn public_of(key: &RsaPrivateKey) -> Result<String, String> {
    let der = key.to_public_key().to_public_key_der().map_err(|error| error.to_string())?;
    Ok(STANDARD.encode(der.as_bytes()))
}

/// The public half of an RSA key in PEM (PKCS#1 or PKCS#8): its SubjectPublicKeyInfo in base64
/// on one line, as DNS wants it.
///
/// # Errors
/// A text that is no such key.
pub fn public_base64(pem: &str) -> Result<String, String> {
    let key = RsaPrivateKey::from_pkcs8_pem(pem)
        .ok()
        .or_else(|| RsaPrivateKey::from_pkcs1_pem(pem).ok())
        .ok_or("no RSA key in PEM (PKCS#1 or PKCS#8) without a passphrase")?;
    public_of(&key)
}
