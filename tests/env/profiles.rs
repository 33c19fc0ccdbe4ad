//! The templates and schemas of the appliances that we ship.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::common::{ok_in, run_in, text};
use crate::value;

fn profiles() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiles")
}

/// Arguments that name template and schema of an appliance.
fn of(name: &str) -> [String; 4] {
    let file = |file: &str| text(&profiles().join(name).join(file)).to_owned();
    ["--template".into(), file("env.template.yml"), "--schema".into(), file("env.schema.yml")]
}

fn create(dir: &Path, name: &str, domain: &str) -> (PathBuf, String) {
    let files = of(name);
    let mut args = vec!["env", "create"];
    args.extend(files.iter().map(String::as_str));
    args.push(domain);
    let made = ok_in(dir, &args);
    (dir.join(domain).join("env.yml"), made.err)
}

/// The env of an ECS appliance, made once: its keys take a while.
fn ecs() -> &'static (tempfile::TempDir, PathBuf, String) {
    static MADE: OnceLock<(tempfile::TempDir, PathBuf, String)> = OnceLock::new();
    MADE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let (path, said) = create(dir.path(), "ecs", "sub.whatever.me");
        (dir, path, said)
    })
}

#[test]
fn an_ecs_env_has_one_thing_left_to_do() {
    let (dir, path, said) = ecs();
    assert!(said.starts_with("still to do before it is used:\n"), "{said}");
    assert!(said.contains("ecs.settings: the sample UUID") && said.lines().count() == 2, "{said}");
    let env = fs::read_to_string(path).unwrap();
    let filled = dir.path().join("filled.yml");
    fs::write(&filled, env.replace(&"ec".repeat(16), "c7d4a2de5b4c4f0b9d5e0e7d6a1b2c3d")).unwrap();
    let [_, _, option, schema] = of("ecs");
    ok_in(dir.path(), &["env", "check", &option, &schema, "filled.yml"]);
    for key in ["appliance.backup.encrypt", "ecs.vault_encrypt", "ecs.vault_sign"] {
        assert!(value(path, key).starts_with("-----BEGIN PGP PRIVATE KEY BLOCK-----\n"), "{key}");
    }
    assert!(env.contains("  # metric:\n  #   exporter: false\n"), "comments are kept");
}

#[test]
fn b09_the_one_line_form_of_the_dkim_record_has_its_underscore() {
    let env = fs::read_to_string(&ecs().1).unwrap();
    assert!(env.contains("#   default._domainkey: v=DKIM1; k=rsa; s=email; p=MII"));
    assert!(!env.contains("default.domainkey"));
}

#[test]
fn b10_dns_records_are_complete_names_with_their_dot() {
    let env = fs::read_to_string(&ecs().1).unwrap();
    for line in [
        "#   sub.whatever.me.  IN  A    1.2.3.4",
        "#   sub.whatever.me.  IN  MX   10 sub.whatever.me.",
        "#   sub.whatever.me.  IN  TXT  \"v=spf1 a mx -all\"",
        "#   _dmarc.sub.whatever.me.  IN  TXT  \"v=DMARC1; p=quarantine\"",
        "# in the zone of the address, at its owner's:\n#   4.3.2.1.in-addr.arpa.  IN  PTR  sub.whatever.me.",
    ] {
        assert!(env.contains(&format!("{line}\n")), "{line}");
    }
    let dkim = env
        .lines()
        .find(|line| line.contains("default._domainkey.sub.whatever.me.  IN  TXT"))
        .unwrap();
    let strings: Vec<&str> = dkim.split('"').skip(1).step_by(2).collect();
    assert!(strings.len() == 2 && strings.iter().all(|part| part.len() <= 255), "{dkim}");
    assert!(env.contains("AAAA") && !env.contains(" ptr "));
}

#[test]
fn a_securitymetrics_env_is_ready() {
    let dir = tempfile::tempdir().unwrap();
    let (path, said) = create(dir.path(), "securitymetrics", "lists.test");
    assert_eq!(said, "");
    let password = value(&path, "postgres_password");
    assert!(password.len() == 32 && password.chars().all(|c| c.is_ascii_alphanumeric()));
    assert_eq!(
        value(&path, "postgres_url"),
        format!("postgres://mailman:{password}@postgres/mailmandb")
    );
    assert_eq!(value(&path, "server_name"), "lists.lists.test");
    let [_, _, option, schema] = of("securitymetrics");
    ok_in(dir.path(), &["env", "check", &option, &schema, text(&path)]);
}

#[test]
fn the_quickstart_profile_names_its_files() {
    let dir = tempfile::tempdir().unwrap();
    let profile = profiles().join("quickstart.yml");
    ok_in(dir.path(), &["env", "create", "--profile", text(&profile), "x.test", "e.yml"]);
    ok_in(dir.path(), &["env", "check", "--profile", text(&profile), "e.yml"]);
    let site = profiles().join("quickstart/env.yml");
    ok_in(dir.path(), &["env", "check", "--profile", text(&profile), text(&site)]);
    fs::write(dir.path().join("p.yml"), "name: x\nversion: 1\n").unwrap();
    let ran = run_in(dir.path(), &["env", "check", "--profile", "p.yml", "e.yml"]);
    assert!(
        ran.code == 2 && ran.err.contains("p.yml: the profile says nothing of envs"),
        "{}",
        ran.err
    );
}

/// Upstream had private keys in its repository, and used them where no env was.
#[test]
fn b15_no_private_key_is_shipped() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(&root).output().unwrap();
    assert!(listed.status.success());
    let names = String::from_utf8(listed.stdout).unwrap();
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        let bytes = fs::read(root.join(name)).unwrap_or_default();
        let content = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = content.lines().map(str::trim).collect();
        for pair in lines.windows(2) {
            let head = pair[0].starts_with("-----BEGIN ") && pair[0].contains("PRIVATE KEY");
            let body = pair[1].len() >= 60
                && pair[1].chars().all(|c| c.is_ascii_alphanumeric() || "+/=".contains(c));
            assert!(!(head && body), "{name} holds a private key");
        }
    }
}
