//! Encrypted values, exchanged with ansible-vault in both directions.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::{ok_in, run_in, tool};
use crate::{mode, value};

const PLAIN: &str = "#cloud-config\n# mine\ndb:\n  password: hunter2 # the password\n  host: x.test\n  key: |\n    -----BEGIN PRIVATE KEY-----\n    ä\n    -----END PRIVATE KEY-----\n";

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [("pw", "sesame\n"), ("other", "wrong\n"), ("env.yml", PLAIN)] {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn ansible(dir: &Path, args: &[&str]) -> String {
    let ran = Command::new("/usr/bin/ansible-vault")
        .args(args)
        .current_dir(dir)
        .env("ANSIBLE_HOME", dir)
        .output();
    let ran =
        ran.unwrap_or_else(|error| panic!("ansible-vault does not run ({error}): run ci/setup"));
    let err = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success(), "ansible-vault {args:?}: {err}");
    String::from_utf8(ran.stdout).unwrap()
}

#[test]
fn ansible_vault_opens_what_we_encrypt() {
    let dir = folder();
    let ran = ok_in(
        dir.path(),
        &["env", "encrypt", "--vault-password-file", "pw", "env.yml", "db.password"],
    );
    assert_eq!(ran.err, "1 value encrypted\n");
    ok_in(dir.path(), &["env", "encrypt", "--vault-id", "prod@pw", "env.yml", "db.key"]);
    let env = dir.path().join("env.yml");
    let text = fs::read_to_string(&env).unwrap();
    assert!(
        text.starts_with(
            "#cloud-config\n# mine\ndb:\n  password: !vault |\n    $ANSIBLE_VAULT;1.1;AES256\n    "
        ),
        "{text}"
    );
    assert!(
        text.contains("\n  key: !vault |\n    $ANSIBLE_VAULT;1.2;AES256;prod\n")
            && !text.contains("hunter2")
    );
    assert_eq!(mode(&env), 0o600);
    for (key, id, plain) in [
        ("db.password", "pw", "hunter2"),
        ("db.key", "prod@pw", "-----BEGIN PRIVATE KEY-----\nä\n-----END PRIVATE KEY-----\n"),
    ] {
        fs::write(dir.path().join("vault"), value(&env, key)).unwrap();
        // It ends what it shows with a line break.
        assert_eq!(
            ansible(dir.path(), &["view", "--vault-id", id, "vault"]).trim_end(),
            plain.trim_end()
        );
    }
    // Ansible's own YAML reader finds the tag where it looks for it.
    let python = "import sys
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultSecret
loader = DataLoader()
loader.set_vault_secrets([('default', VaultSecret(b'sesame')), ('prod', VaultSecret(b'sesame'))])
print(str(loader.load_from_file(sys.argv[1])['db']['password']))";
    assert_eq!(
        tool("/usr/bin/python3", &["-c", python, env.to_str().unwrap()]).lines().last(),
        Some("hunter2")
    );
}

#[test]
fn we_open_what_ansible_vault_encrypts() {
    let dir = folder();
    for (id, header) in
        [("pw", "$ANSIBLE_VAULT;1.1;AES256\n"), ("prod@pw", "$ANSIBLE_VAULT;1.2;AES256;prod\n")]
    {
        let block = ansible(
            dir.path(),
            &["encrypt_string", "--vault-id", id, "--name", "  password", "hunter2 ä"],
        );
        let text = format!("#cloud-config\ndb:\n{block}\n  host: x.test\n");
        fs::write(dir.path().join("vaulted.yml"), &text).unwrap();
        assert!(
            value(&dir.path().join("vaulted.yml"), "db.password").starts_with(header),
            "{text}"
        );
        let out = format!("{id}.plain.yml");
        ok_in(dir.path(), &["env", "decrypt", "--vault-id", id, "--out", &out, "vaulted.yml"]);
        assert_eq!(
            fs::read_to_string(dir.path().join(&out)).unwrap(),
            "#cloud-config\ndb:\n  password: \"hunter2 ä\"\n  host: x.test\n"
        );
        assert_eq!(mode(&dir.path().join(&out)), 0o600);
        ok_in(
            dir.path(),
            &[
                "env",
                "merge",
                "--layer",
                "vaulted.yml",
                "--vault-id",
                id,
                "--decrypt",
                "--force",
                "merged.yml",
            ],
        );
        assert_eq!(value(&dir.path().join("merged.yml"), "db.password"), "hunter2 ä");
        ok_in(dir.path(), &["env", "merge", "--layer", "vaulted.yml", "--force", "merged.yml"]);
        assert!(value(&dir.path().join("merged.yml"), "db.password").starts_with(header));
    }
}

#[test]
fn a_round_trip_changes_nothing_else() {
    let dir = folder();
    ok_in(dir.path(), &["env", "encrypt", "--vault-password-file", "pw", "--secrets", "env.yml"]);
    let closed = fs::read_to_string(dir.path().join("env.yml")).unwrap();
    assert!(closed.matches("!vault").count() == 2 && closed.contains("host: x.test"), "{closed}");
    ok_in(dir.path(), &["env", "decrypt", "--vault-password-file", "pw", "env.yml"]);
    let open = fs::read_to_string(dir.path().join("env.yml")).unwrap();
    // The comment on the line of a value that becomes a block goes with it.
    assert_eq!(open, PLAIN.replace(" # the password", ""));
}

/// Upstream gave a passphrase on a command line, where every user of the machine reads it.
#[test]
fn b66_passwords_come_from_files_and_are_shown_nowhere() {
    let dir = folder();
    ok_in(dir.path(), &["env", "encrypt", "--vault-id", "prod@pw", "env.yml", "db.password"]);
    let check = |args: &[&str]| {
        let ran = run_in(dir.path(), &[&["env", "check"], args, &["env.yml"]].concat());
        let shown = format!("{}{}", ran.out, ran.err);
        assert!(
            !shown.contains("sesame") && !shown.contains("hunter2") && !shown.contains("wrong"),
            "{shown}"
        );
        (ran.code, ran.out)
    };
    assert_eq!(check(&["--vault-id", "prod@pw"]), (0, String::new()));
    assert_eq!(check(&[]), (0, String::new()));
    let (code, out) = check(&["--vault-id", "prod@other"]);
    assert!(
        code == 3
            && out
                .contains("db.password: the password does not open it, or it was changed [vault]"),
        "{out}"
    );
    let (_, out) = check(&["--vault-password-file", "other"]);
    assert!(
        out.contains("encrypted for the vault `prod`, for which no password is given"),
        "{out}"
    );
    let ran = run_in(dir.path(), &["env", "decrypt", "env.yml"]);
    assert!(ran.code == 2 && ran.err.contains("give --vault-password-file FILE"), "{}", ran.err);
    let ran =
        run_in(dir.path(), &["env", "encrypt", "--vault-password-file", "pw", "env.yml", "db"]);
    assert!(ran.code == 3 && ran.err.contains("only single values are encrypted"), "{}", ran.err);
}
