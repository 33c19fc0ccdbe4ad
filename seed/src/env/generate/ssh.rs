//! OpenSSH key pairs.

use std::collections::BTreeMap;

use rand::rngs::OsRng;
use ssh_key::private::{KeypairData, RsaKeypair};
use ssh_key::{Algorithm, EcdsaCurve, LineEnding, PrivateKey};

/// The kinds of keys.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Ed25519,
    Ecdsa,
    Rsa(usize),
}

pub(super) fn kind(name: &str) -> Result<Kind, String> {
    match name {
        "ed25519" => Ok(Kind::Ed25519),
        "ecdsa" => Ok(Kind::Ecdsa),
        "rsa" | "rsa4096" => Ok(Kind::Rsa(4096)),
        "rsa3072" => Ok(Kind::Rsa(3072)),
        other => {
            Err(format!("`{other}` is no kind of key; expected ed25519, ecdsa, rsa3072 or rsa4096"))
        }
    }
}

/// `private`, without a passphrase, and `public`, one line.
pub(super) fn keypair(kind: Kind, comment: &str) -> Result<BTreeMap<&'static str, String>, String> {
    let text = |error: ssh_key::Error| error.to_string();
    let mut key = match kind {
        Kind::Ed25519 => PrivateKey::random(&mut OsRng, Algorithm::Ed25519),
        Kind::Ecdsa => {
            PrivateKey::random(&mut OsRng, Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 })
        }
        Kind::Rsa(bits) => RsaKeypair::random(&mut OsRng, bits)
            .and_then(|pair| PrivateKey::new(KeypairData::Rsa(pair), "")),
    }
    .map_err(text)?;
    key.set_comment(comment);
    let private = key.to_openssh(LineEnding::LF).map_err(text)?.to_string();
    let public = key.public_key().to_openssh().map_err(text)?;
    Ok(BTreeMap::from([("private", private), ("public", public)]))
}

/// The public line of a private key.
pub(super) fn public_of(private: &str) -> Option<String> {
    PrivateKey::from_openssh(private).ok()?.public_key().to_openssh().ok()
}
