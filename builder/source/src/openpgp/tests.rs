//! Signatures made by GnuPG, judged here.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use super::*;

/// Runs gpg in a home of its own; gives its stdout.
fn gpg(home: &Path, args: &[&str]) -> Vec<u8> {
    let output = Command::new("gpg")
        .args(["--homedir", home.to_str().unwrap(), "--batch", "--quiet", "--passphrase", ""])
        .args(["--pinentry-mode", "loopback", "--yes"])
        .args(args)
        .stdin(Stdio::null())
        .output()
        .expect("gpg does not run: run ci/setup");
    assert!(output.status.success(), "gpg {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A home with one key; gives its fingerprint.
fn key(home: &Path, name: &str, algorithm: &str, more: &[&str]) -> String {
    gpg(home, &[more, &["--quick-generate-key", name, algorithm, "sign", "2y"]].concat());
    let listed = gpg(home, &["--with-colons", "--list-keys", name]);
    let listed = String::from_utf8(listed).unwrap();
    let line = listed.lines().find(|line| line.starts_with("fpr:")).unwrap();
    line.split(':').nth(9).unwrap().to_owned()
}

fn home() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
    home
}

fn sign(home: &Path, by: &str, more: &[&str], data: &[u8]) -> Vec<u8> {
    let file = home.join("data");
    fs::write(&file, data).unwrap();
    let file = file.to_str().unwrap();
    gpg(home, &[more, &["--local-user", by, "--detach-sign", "-o", "-", file]].concat())
}

fn verdict(home: &Path, pins: &[String], signature: &[u8], data: &[u8]) -> Result<String, String> {
    let keyring = gpg(home, &["--export"]);
    let trust = Trust { keyring: &keyring, fingerprints: pins, now: SystemTime::now() };
    trust.verify("SHA256SUMS", data, signature).map_err(|error| error.to_string())
}

#[test]
fn good_ones_pass_and_the_others_say_why() {
    let home = home();
    let home = home.path();
    let good = key(home, "good", "ed25519", &[]);
    let other = key(home, "other", "rsa2048", &[]);
    let pins = [good.to_lowercase()];
    let signature = sign(home, &good, &[], b"sums");
    assert_eq!(verdict(home, &pins, &signature, b"sums"), Ok(good.clone()));
    let armored = sign(home, &good, &["--armor"], b"sums");
    assert_eq!(verdict(home, &pins, &armored, b"sums"), Ok(good.clone()));
    let refused = |pins: &[String], signature: &[u8], data: &[u8], reason: &str| {
        let error = verdict(home, pins, signature, data).unwrap_err();
        assert!(error.contains(reason), "{error}");
    };
    refused(&pins, &signature, b"sumz", "changed after it was signed");
    refused(&pins, &sign(home, &other, &[], b"sums"), b"sums", "expected");
    refused(&pins, b"", b"sums", "signature");
    refused(&pins, b"not a signature at all", b"sums", "signature");
    refused(&["00".repeat(20)], &signature, b"sums", "does not hold the pinned key");
    let weak = sign(home, &other, &["--digest-algo", "sha1"], b"sums");
    refused(std::slice::from_ref(&other), &weak, b"sums", "can be forged");
    // A second signature by somebody else does no harm.
    let both = [sign(home, &other, &[], b"sums"), signature.clone()].concat();
    assert_eq!(verdict(home, &pins, &both, b"sums"), Ok(good));
    for at in 0..signature.len() {
        let mut broken = signature.clone();
        broken[at] ^= 0x10;
        let _ = verdict_fast(home, &pins, &broken);
    }
}

/// Only that hostile bytes do no harm.
fn verdict_fast(home: &Path, pins: &[String], signature: &[u8]) -> Result<String> {
    let cached = home.join("ring");
    if !cached.exists() {
        fs::write(&cached, gpg(home, &["--export"])).unwrap();
    }
    let keyring = fs::read(cached).unwrap();
    let trust = Trust { keyring: &keyring, fingerprints: pins, now: SystemTime::now() };
    trust.verify("SHA256SUMS", b"sums", signature)
}

#[test]
fn subkeys_count_while_they_are_bound() {
    let home = home();
    let home = home.path();
    let primary = key(home, "primary", "ed25519", &[]);
    gpg(home, &["--quick-add-key", &primary, "ed25519", "sign", "1y"]);
    let signature = sign(home, "primary", &[], b"sums");
    assert_eq!(
        verdict(home, std::slice::from_ref(&primary), &signature, b"sums"),
        Ok(primary.clone())
    );
    let keyring = gpg(home, &["--export"]);
    let later = SystemTime::now() + Duration::from_secs(500 * DAY);
    let trust = Trust { keyring: &keyring, fingerprints: &[primary], now: later };
    let error = trust.verify("SHA256SUMS", b"sums", &signature).unwrap_err().to_string();
    assert!(error.contains("the subkey") && error.contains("expired"), "{error}");
}

#[test]
fn expired_and_revoked_keys_sign_nothing() {
    let home = home();
    let home = home.path();
    let past = ["--faked-system-time", "20200101T000000!"];
    let old = key(home, "old", "ed25519", &past);
    let signature = sign(home, &old, &past, b"sums");
    let error = verdict(home, &[old], &signature, b"sums").unwrap_err();
    assert!(error.contains("expired") && error.contains("days ago"), "{error}");

    let lost = key(home, "lost", "ed25519", &[]);
    let signature = sign(home, &lost, &[], b"sums");
    assert!(verdict(home, std::slice::from_ref(&lost), &signature, b"sums").is_ok());
    // gpg keeps a revocation ready for each key, with a colon against accidents.
    let ready = home.join(format!("openpgp-revocs.d/{lost}.rev"));
    let text = fs::read_to_string(&ready).unwrap().replace(":-----BEGIN", "-----BEGIN");
    fs::write(home.join("revocation"), text).unwrap();
    gpg(home, &["--import", home.join("revocation").to_str().unwrap()]);
    let error = verdict(home, &[lost], &signature, b"sums").unwrap_err();
    assert!(error.contains("was revoked"), "{error}");
}
