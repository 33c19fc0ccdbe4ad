//! Random texts, and hashes of passwords.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::RngCore;
use rand::rngs::OsRng;
use sha_crypt::{PasswordHasher, ShaCrypt};

/// Letters and digits.
pub const ALPHANUMERIC: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
/// Most bytes of one secret.
const MOST: usize = 4096;
/// Bytes of salt; they become 16 characters, all that crypt(3) takes.
const SALT: usize = 12;

fn bytes(count: usize) -> Result<Vec<u8>, String> {
    match count {
        1..=MOST => {
            let mut bytes = vec![0; count];
            OsRng.fill_bytes(&mut bytes);
            Ok(bytes)
        }
        _ => Err(format!("{count} bytes, expected 1 to {MOST}")),
    }
}

pub(super) fn base64(count: usize) -> Result<String, String> {
    Ok(STANDARD.encode(bytes(count)?))
}

pub(super) fn hex(count: usize) -> Result<String, String> {
    Ok(bytes(count)?.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A UUID of version 4 and the variant of RFC 9562.
pub(super) fn uuid() -> String {
    let mut bytes = [0; 16];
    OsRng.fill_bytes(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid().hyphenated().to_string()
}

/// Characters of the alphabet, each as likely as every other: bytes that would favour the first
/// ones are thrown away.
pub(super) fn password(length: usize, alphabet: &str) -> Result<String, String> {
    let letters: Vec<char> = alphabet.chars().collect();
    let mut distinct = letters.clone();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() != letters.len() || !(2..=256).contains(&letters.len()) {
        return Err("the alphabet needs 2 to 256 characters, none of them twice".to_owned());
    }
    if !(1..=MOST).contains(&length) {
        return Err(format!("{length} characters, expected 1 to {MOST}"));
    }
    let fair = 256 / letters.len() * letters.len();
    let mut out = String::new();
    let mut count = 0;
    let mut buffer = [0; 64];
    while count < length {
        OsRng.fill_bytes(&mut buffer);
        let fair = buffer.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < fair);
        let letters = fair.filter_map(|byte| letters.get(byte % letters.len()));
        for letter in letters.take(length - count) {
            out.push(*letter);
            count += 1;
        }
    }
    Ok(out)
}

/// The SHA-512 hash of a password as crypt(3) writes it.
pub(super) fn crypt(password: &str) -> Result<String, String> {
    let mut salt = [0; SALT];
    OsRng.fill_bytes(&mut salt);
    let hash = ShaCrypt::default().hash_password_with_salt(password.as_bytes(), &salt);
    hash.map(|hash| hash.to_string()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b14_lengths_are_honoured() {
        for count in [1, 16, 39, 48] {
            assert_eq!(STANDARD.decode(base64(count).unwrap()).unwrap().len(), count);
            assert_eq!(hex(count).unwrap().len(), 2 * count);
        }
        assert_eq!(base64(39).unwrap().len(), 52);
        assert_ne!(base64(39).unwrap(), base64(39).unwrap());
        assert!(base64(0).is_err() && hex(MOST + 1).is_err());
        let uuid = uuid();
        assert_eq!((uuid.len(), uuid.as_bytes()[14]), (36, b'4'));
    }

    /// Upstream took bytes modulo 62, so that the first eight letters came a quarter more often.
    #[test]
    fn b58_no_letter_is_likelier_than_another() {
        let text = password(4000, ALPHANUMERIC).unwrap() + &password(4000, ALPHANUMERIC).unwrap();
        let first = text.chars().filter(|c| ('a'..='h').contains(c)).count();
        // Of 8000, 1032 are expected; 1290 with the bias. The distance is 8 deviations.
        assert!((900..1160).contains(&first), "{first}");
        assert_eq!(password(22, "ab").unwrap().chars().count(), 22);
        assert_eq!(password(3, "äö").unwrap().chars().count(), 3);
        for alphabet in ["", "a", "aa", "aba"] {
            assert!(password(3, alphabet).is_err());
        }
    }

    #[test]
    fn salts_have_the_length_that_crypt_takes() {
        let hash = crypt("hunter2").unwrap();
        let parts: Vec<&str> = hash.split('$').collect();
        let [_, "6", "rounds=5000", salt, digest] = *parts else { panic!("{hash}") };
        assert_eq!((salt.len(), digest.len()), (16, 86), "{hash}");
    }
}
