//! The secrets of `env create`, judged by the programs that use them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::common::{ok_in, text, tool};
use crate::{mode, value};

const TEMPLATE: &str = r#"#cloud-config
{% set host = ssh_keypair("ed25519", comment="root@" ~ domain) %}
{% set rsa = ssh_keypair("rsa3072") %}
{% set ec = ssh_keypair("ecdsa") %}
{% set tls = tls_selfsigned("CN=" ~ domain ~ ", O=A B, C=AT", [domain, "10.0.0.1"], days=30) %}
{% set rsa_tls = tls_selfsigned(domain, [domain], kind="rsa2048") %}
{% set login = password(12) %}
{% set mail = dkim() %}
a:
  base64: {{ base64(39) | yaml }}
  hex: {{ hex(16) | yaml }}
  uuid: {{ uuid() }}
  login: {{ login | yaml }}
  crypt: {{ crypt(login) | yaml }}
  rsa: |
{{ rsa_pem(3072) | indent(4, true) }}
  dkim: |
{{ mail.key | indent(4, true) }}
  record: {{ mail.record | yaml }}
  gpg: |
{{ openpgp("ecs_backup <ecs_backup@" ~ domain ~ ">", kind="rsa2048") | indent(4, true) }}
  curve: |
{{ openpgp("ecs_authority <ecs_authority@" ~ domain ~ ">", kind="ed25519") | indent(4, true) }}
{% for name, pair in [("ed25519", host), ("rsa3072", rsa), ("ecdsa", ec)] %}
  {{ name }}_private: |
{{ pair.private | indent(4, true) }}
  {{ name }}_public: {{ pair.public | yaml }}
{% endfor %}
{% for name, pair in [("tls", tls), ("rsa_tls", rsa_tls)] %}
  {{ name }}_key: |
{{ pair.key | indent(4, true) }}
  {{ name }}_cert: |
{{ pair.cert | indent(4, true) }}
{% endfor %}
"#;

/// One env with every kind of secret, made once.
fn env() -> &'static Path {
    static MADE: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = MADE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("t.yml"), TEMPLATE).unwrap();
        let made = ok_in(dir.path(), &["env", "create", "--template", "t.yml", "x.test"]);
        assert_eq!(made.out, "x.test/env.yml\n");
        let path = dir.path().join("x.test/env.yml");
        let shown = made.out + &made.err;
        assert!(!shown.contains(&value(&path, "a.login")), "{shown}");
        (dir, path)
    });
    path
}

/// The value at a key in a file of its own.
fn file(dir: &Path, key: &str) -> PathBuf {
    let path = dir.join(key);
    fs::write(&path, value(env(), key)).unwrap();
    tool("chmod", &["600", text(&path)]);
    path
}

#[test]
fn the_file_is_its_owners_alone() {
    assert_eq!(mode(env()), 0o600);
    assert_eq!(mode(env().parent().unwrap()), 0o700);
}

#[test]
fn crypt_accepts_the_password() {
    let (login, hash) = (value(env(), "a.login"), value(env(), "a.crypt"));
    let perl = "print crypt($ARGV[0], $ARGV[1])";
    assert_eq!(tool("perl", &["-e", perl, &login, &hash]), hash);
    assert_ne!(tool("perl", &["-e", perl, "other", &hash]), hash);
}

#[test]
fn openssl_checks_the_rsa_keys() {
    let dir = tempfile::tempdir().unwrap();
    for key in ["a.rsa", "a.dkim"] {
        let said =
            tool("openssl", &["rsa", "-check", "-noout", "-in", text(&file(dir.path(), key))]);
        assert!(said.contains("RSA key ok"), "{said}");
    }
    // A signature made with the key verifies against the record's public half.
    let record = value(env(), "a.record");
    let public = record.split_once("p=").unwrap().1;
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{public}\n-----END PUBLIC KEY-----\n");
    let (data, signature, pub_file) =
        (dir.path().join("data"), dir.path().join("sig"), dir.path().join("pub"));
    fs::write(&data, "mail").unwrap();
    fs::write(&pub_file, pem).unwrap();
    let key = file(dir.path(), "a.dkim");
    tool(
        "openssl",
        &["dgst", "-sha256", "-sign", text(&key), "-out", text(&signature), text(&data)],
    );
    let said = tool(
        "openssl",
        &[
            "dgst",
            "-sha256",
            "-verify",
            text(&pub_file),
            "-signature",
            text(&signature),
            text(&data),
        ],
    );
    assert!(said.contains("Verified OK"), "{said}");
}

/// Upstream's certificates were CAs, and their lifetime was fixed.
#[test]
fn b63_certificates_are_no_ca_and_live_as_long_as_they_are_told() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a.tls", "a.rsa_tls"] {
        let cert = file(dir.path(), &format!("{name}_cert"));
        let key = file(dir.path(), &format!("{name}_key"));
        let x509 = |args: &[&str]| {
            tool("openssl", &[&["x509", "-in", text(&cert), "-noout"], args].concat())
        };
        assert_eq!(x509(&["-pubkey"]), tool("openssl", &["pkey", "-in", text(&key), "-pubout"]));
        assert!(x509(&["-checkhost", "x.test"]).contains("does match"));
        let shown = x509(&["-text"]);
        assert!(
            shown.contains("CA:FALSE") && shown.contains("TLS Web Server Authentication"),
            "{shown}"
        );
        tool("openssl", &["verify", "-check_ss_sig", "-CAfile", text(&cert), text(&cert)]);
    }
    let cert = file(dir.path(), "a.tls_cert");
    let day = 24 * 3600;
    let ends = |seconds: u32| {
        let args = ["x509", "-in", text(&cert), "-noout", "-checkend", &seconds.to_string()];
        !Command::new("openssl").args(args).stdout(Stdio::null()).status().unwrap().success()
    };
    assert!(ends(30 * day + 60) && !ends(30 * day - 3600));
    let subject = tool(
        "openssl",
        &["x509", "-in", text(&cert), "-noout", "-subject", "-ext", "subjectAltName"],
    );
    assert!(subject.contains("O = A B") && subject.contains("IP Address:10.0.0.1"), "{subject}");
}

#[test]
fn ssh_keygen_reads_the_key_pairs() {
    let dir = tempfile::tempdir().unwrap();
    for (name, kind) in
        [("ed25519", "256 SHA256:"), ("rsa3072", "3072 SHA256:"), ("ecdsa", "256 SHA256:")]
    {
        let private = file(dir.path(), &format!("a.{name}_private"));
        let public = file(dir.path(), &format!("a.{name}_public"));
        assert!(tool("ssh-keygen", &["-l", "-f", text(&public)]).starts_with(kind));
        let derived = tool("ssh-keygen", &["-y", "-f", text(&private)]);
        assert_eq!(derived.trim(), fs::read_to_string(public).unwrap().trim());
    }
    assert!(value(env(), "a.ed25519_public").ends_with(" root@x.test"));
}

/// A home for GnuPG that is gone, with its agent, when the test ends.
struct Gpg(tempfile::TempDir);

impl Gpg {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        tool("chmod", &["700", text(dir.path())]);
        Self(dir)
    }

    fn run(&self, args: &[&str]) -> String {
        let home = text(self.0.path());
        tool(
            "gpg",
            &[&["--homedir", home, "--batch", "--yes", "--trust-model", "always"], args].concat(),
        )
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let home = text(self.0.path());
        let _ = Command::new("gpgconf").args(["--homedir", home, "--kill", "all"]).status();
    }
}

/// Upstream's one key signed and encrypted, and its mail address was none.
#[test]
fn b14_gpg_signs_with_the_primary_key_and_encrypts_with_a_subkey() {
    for (key, owner) in [("a.gpg", "ecs_backup"), ("a.curve", "ecs_authority")] {
        let gpg = Gpg::new();
        let at = |name: &str| gpg.0.path().join(name);
        gpg.run(&["--import", text(&file(gpg.0.path(), key))]);
        let listed = gpg.run(&["--with-colons", "--list-secret-keys"]);
        let fields = |start: &str| {
            let line = listed.lines().find(|line| line.starts_with(start)).unwrap_or_default();
            line.split(':').map(str::to_owned).collect::<Vec<_>>()
        };
        // Capabilities in lower case are the key's own; no expiry.
        assert_eq!(
            (fields("sec")[11].trim_end_matches(char::is_uppercase), fields("sec")[6].as_str()),
            ("sc", ""),
            "{listed}"
        );
        assert_eq!(fields("ssb")[11], "e", "{listed}");
        assert_eq!(fields("uid")[9], format!("{owner} <{owner}@x.test>"));

        let (plain, locked, open) = (at("plain"), at("locked"), at("open"));
        fs::write(&plain, "hello").unwrap();
        gpg.run(&["-r", owner, "-o", text(&locked), "--sign", "--encrypt", text(&plain)]);
        let said = gpg.run(&["-o", text(&open), "--decrypt", text(&locked)]);
        assert!(said.contains("Good signature"), "{said}");
        assert_eq!(fs::read(open).unwrap(), b"hello");
    }
}

#[test]
fn duplicity_backs_up_and_restores() {
    let gpg = Gpg::new();
    let at = |name: &str| gpg.0.path().join(name);
    gpg.run(&["--import", text(&file(gpg.0.path(), "a.gpg"))]);
    let listed = gpg.run(&["--with-colons", "--list-secret-keys"]);
    let key =
        listed.lines().find(|line| line.starts_with("fpr:")).unwrap().split(':').nth(9).unwrap();
    fs::create_dir(at("data")).unwrap();
    fs::write(at("data/file"), "hello").unwrap();
    let duplicity = |args: &[&str]| {
        let ran = Command::new("/usr/bin/duplicity")
            .args(args)
            .args(["--archive-dir", text(&at("cache")), "--no-print-statistics"])
            .env("GNUPGHOME", gpg.0.path())
            .env("PASSPHRASE", "")
            .env("PATH", "/usr/bin:/bin")
            .output()
            .unwrap_or_else(|error| panic!("duplicity does not run ({error}): run ci/setup"));
        let shown = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
        assert!(ran.status.success(), "duplicity {args:?}: {shown}");
    };
    let target = format!("file://{}", text(&at("backup")));
    let trust = "--gpg-options=--trust-model always";
    duplicity(&[
        "full",
        "--encrypt-key",
        key,
        "--sign-key",
        key,
        trust,
        text(&at("data")),
        &target,
    ]);
    duplicity(&[
        "restore",
        "--encrypt-key",
        key,
        "--sign-key",
        key,
        trust,
        &target,
        text(&at("back")),
    ]);
    assert_eq!(fs::read(at("back/file")).unwrap(), b"hello");
}
