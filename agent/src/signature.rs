//! Whether a known key has signed a seed: SSH signatures with Ed25519, and the seed's serial.
//!
//! Source: OpenSSH's PROTOCOL.sshsig. Made with
//! `ssh-keygen -Y sign -n bootwright-seed -f KEY user-data`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256, Sha512};

/// What the signature is for, so that one made for something else is none here.
const NAMESPACE: &[u8] = b"bootwright-seed";
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";
const MAGIC: &[u8] = b"SSHSIG";
const VERSION: u32 = 1;
const ED25519: &[u8] = b"ssh-ed25519";
/// What precedes the serial in a comment line of the env.
const SERIAL: &str = "# serial:";

/// The keys in a file of public keys, one a line: `ssh-ed25519 AAAA… comment`, as in
/// `authorized_keys`, or with a name before it, as in ssh-keygen's `allowed_signers`.
pub fn keys(text: &str) -> Vec<VerifyingKey> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            words.find(|word| word.as_bytes() == ED25519)?;
            key(&STANDARD.decode(words.next()?).ok()?)
        })
        .collect()
}

/// The key in its wire form.
fn key(blob: &[u8]) -> Option<VerifyingKey> {
    let mut blob = Fields(blob);
    if blob.string()? != ED25519 {
        return None;
    }
    VerifyingKey::from_bytes(blob.string()?.try_into().ok()?).ok()
}

/// Checks that one of `keys` has signed `message`.
///
/// # Errors
/// Why the signature does not count.
pub fn verify(armored: &[u8], message: &[u8], keys: &[VerifyingKey]) -> Result<(), &'static str> {
    let blob = unarmor(armored).ok_or("its signature is no SSH signature")?;
    let parts = parts(&blob).ok_or("its signature is no SSH signature with Ed25519")?;
    if parts.namespace != NAMESPACE {
        return Err("its signature is for another purpose than bootwright-seed");
    }
    if !keys.contains(&parts.key) {
        return Err("its signature is by no key of the signers file");
    }
    let digest = match parts.hash {
        b"sha512" => Sha512::digest(message).to_vec(),
        b"sha256" => Sha256::digest(message).to_vec(),
        _ => return Err("its signature uses another hash than sha512 and sha256"),
    };
    let mut signed = MAGIC.to_vec();
    for field in [NAMESPACE, b"", parts.hash, &digest] {
        signed.extend(u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
        signed.extend(field);
    }
    let outcome = parts.key.verify_strict(&signed, &parts.signature);
    outcome.map_err(|_| "its signature does not fit its content")
}

fn unarmor(armored: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(armored).ok()?;
    let body = text.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
    let dense: String = body.split_whitespace().collect();
    STANDARD.decode(dense).ok()
}

struct Parts<'a> {
    key: VerifyingKey,
    namespace: &'a [u8],
    hash: &'a [u8],
    signature: Signature,
}

fn parts(blob: &[u8]) -> Option<Parts<'_>> {
    let mut fields = Fields(blob.strip_prefix(MAGIC)?);
    if fields.number()? != VERSION {
        return None;
    }
    let key = key(fields.string()?)?;
    let namespace = fields.string()?;
    // Reserved by the format; has to be empty in what is signed.
    if !fields.string()?.is_empty() {
        return None;
    }
    let hash = fields.string()?;
    let mut signature = Fields(fields.string()?);
    if signature.string()? != ED25519 {
        return None;
    }
    let signature = Signature::from_slice(signature.string()?).ok()?;
    Some(Parts { key, namespace, hash, signature })
}

/// Fields in SSH's wire form.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*number))
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (string, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(string)
    }
}

/// The serial of an env: the number in a comment line `# serial: N` before its first key.
pub fn serial(text: &str) -> Option<u64> {
    let mut head = text.lines().take_while(|line| line.is_empty() || line.starts_with('#'));
    head.find_map(|line| line.strip_prefix(SERIAL)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use proptest::prelude::{any, prop, proptest};

    use super::*;

    fn ssh_keygen(dir: &Path, words: &[&str]) {
        let status = Command::new("ssh-keygen").args(words).current_dir(dir).output().unwrap();
        assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    }

    fn signed(dir: &Path, key: &str, kind: &str, namespace: &str) -> Vec<u8> {
        if !dir.join(key).exists() {
            ssh_keygen(dir, &["-q", "-t", kind, "-N", "", "-f", key]);
        }
        std::fs::write(dir.join("user-data"), "#cloud-config\n# serial: 7\na: 1\n").unwrap();
        let _ = std::fs::remove_file(dir.join("user-data.sig"));
        ssh_keygen(dir, &["-q", "-Y", "sign", "-n", namespace, "-f", key, "user-data"]);
        std::fs::read(dir.join("user-data.sig")).unwrap()
    }

    #[test]
    fn what_ssh_keygen_signs_is_accepted_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let good = signed(dir, "a", "ed25519", "bootwright-seed");
        let message = std::fs::read(dir.join("user-data")).unwrap();
        let public = std::fs::read_to_string(dir.join("a.pub")).unwrap();
        let ours = keys(&format!("# ours\nsite@example {public}"));
        assert_eq!(ours.len(), 1);
        assert_eq!(verify(&good, &message, &ours), Ok(()));
        assert!(verify(&good, b"other", &ours).unwrap_err().contains("does not fit"));
        assert!(verify(&good, &message, &[]).unwrap_err().contains("by no key"));
        let other = signed(dir, "a", "ed25519", "file");
        assert!(verify(&other, &message, &ours).unwrap_err().contains("another purpose"));
        let stranger = signed(dir, "b", "ed25519", "bootwright-seed");
        assert!(verify(&stranger, &message, &ours).unwrap_err().contains("by no key"));
        let rsa = signed(dir, "c", "rsa", "bootwright-seed");
        assert!(verify(&rsa, &message, &ours).unwrap_err().contains("with Ed25519"));
        assert!(verify(b"x", &message, &ours).is_err());
    }

    #[test]
    fn serials() {
        assert_eq!(serial("#cloud-config\n# serial: 2026112501\na: 1\n"), Some(2_026_112_501));
        assert_eq!(serial("#cloud-config\na: 1\n# serial: 3\n"), None);
        assert_eq!(serial("#cloud-config\n# serial: x\n"), None);
    }

    proptest! {
        #[test]
        fn any_signature_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut blob = MAGIC.to_vec();
            blob.extend(&bytes);
            let _ = parts(&blob);
            let _ = parts(&bytes);
            let armored = format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(&blob));
            assert!(verify(armored.as_bytes(), b"x", &[]).is_err());
        }
    }
}
