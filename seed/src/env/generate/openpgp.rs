//! OpenPGP keys that GnuPG (2.2 and later, and 1.4 for RSA) and duplicity import and use.
//!
//! Version 4 keys: the primary key certifies and signs, a subkey encrypts. No passphrase,
//! because services use them unattended, and no expiry.

use pgp::composed::{
    ArmorOptions, EncryptionCaps, KeyType, SecretKeyParams, SecretKeyParamsBuilder,
    SubkeyParamsBuilder,
};
use pgp::crypto::ecc_curve::ECCCurve;
use pgp::crypto::hash::HashAlgorithm;
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::types::CompressionAlgorithm;
use rand::rngs::OsRng;

use super::super::format::Format;

/// The kinds by name.
const KINDS: &str = "rsa2048, rsa3072, rsa4096 or ed25519";

/// What a key is made of.
pub(super) fn parameters(uid: &str, kind: &str) -> Result<SecretKeyParams, String> {
    check_uid(uid)?;
    let (sign, encrypt) = match kind {
        "rsa2048" => (KeyType::Rsa(2048), KeyType::Rsa(2048)),
        "rsa3072" => (KeyType::Rsa(3072), KeyType::Rsa(3072)),
        "rsa4096" => (KeyType::Rsa(4096), KeyType::Rsa(4096)),
        "ed25519" => (KeyType::Ed25519Legacy, KeyType::ECDH(ECCCurve::Curve25519Legacy)),
        other => return Err(format!("`{other}` is no kind of key; expected {KINDS}")),
    };
    let subkey = SubkeyParamsBuilder::default()
        .key_type(encrypt)
        .can_encrypt(EncryptionCaps::All)
        .build()
        .map_err(|error| error.to_string())?;
    SecretKeyParamsBuilder::default()
        .key_type(sign)
        .can_certify(true)
        .can_sign(true)
        .primary_user_id(uid.to_owned())
        .preferred_symmetric_algorithms(
            [SymmetricKeyAlgorithm::AES256, SymmetricKeyAlgorithm::AES128].into_iter().collect(),
        )
        .preferred_hash_algorithms(
            [HashAlgorithm::Sha512, HashAlgorithm::Sha256].into_iter().collect(),
        )
        .preferred_compression_algorithms(
            [CompressionAlgorithm::ZLIB, CompressionAlgorithm::ZIP].into_iter().collect(),
        )
        .subkeys(vec![subkey])
        .build()
        .map_err(|error| error.to_string())
}

/// A user id is `name` or `name <mail address>`. The address is one, if there is one.
fn check_uid(uid: &str) -> Result<(), String> {
    let (name, address) = match uid.split_once('<') {
        None => (uid, None),
        Some((name, rest)) => (name, Some(rest)),
    };
    let named =
        name.trim().len() >= 5 && !name.trim_start().starts_with(|c: char| c.is_ascii_digit());
    if !named || uid.contains(char::is_control) {
        return Err(format!(
            "`{uid}` is no user id; GnuPG wants a name of at least 5 characters that starts with none of 0 to 9"
        ));
    }
    match address {
        None if !uid.contains(['>', '@']) => Ok(()),
        Some(rest) if rest.strip_suffix('>').is_some_and(|mail| Format::Email.matches(mail)) => {
            Ok(())
        }
        _ => Err(format!("`{uid}` is no user id; write it like `name <name@domain>`")),
    }
}

/// Makes the key, armored.
pub(super) fn key(parameters: SecretKeyParams) -> Result<String, String> {
    let key = parameters.generate(OsRng).map_err(|error| error.to_string())?;
    key.to_armored_string(ArmorOptions::default()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b14_a_mail_address_in_a_user_id_is_one() {
        for uid in ["ecs_backup", "ecs_backup <ecs_backup@x.test>"] {
            assert_eq!(check_uid(uid), Ok(()), "{uid}");
        }
        for uid in [
            "ecs_backup <ecs_backup>",
            "",
            "abc",
            "1abcde",
            "ecs_backup <a@b",
            "a@b.test",
            "ecs_b\nx",
        ] {
            assert!(check_uid(uid).is_err(), "{uid}");
        }
        assert!(parameters("ecs_backup", "dsa").is_err());
    }
}
