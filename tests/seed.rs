//! `bootwright seed create` from outside.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use common::{ok_in, run_in, text, tool};

const ENV: &str = "#cloud-config\ndomain: example.org\npassword: hunter2\n";

#[test]
fn a_seed_for_one_site() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("env.yml"), ENV).unwrap();
    tool(
        "ssh-keygen",
        &["-q", "-t", "ed25519", "-N", "", "-C", "ops", "-f", text(&dir.path().join("id"))],
    );
    let args = ["seed", "create", "--key", "id.pub", "--hostname", "site-1", "env.yml", "site.iso"];
    let made = ok_in(dir.path(), &args);
    assert_eq!(made.out, "site.iso\n");
    assert!(!made.err.contains("hunter2"));
    let iso = dir.path().join("site.iso");
    assert_eq!(fs::metadata(&iso).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(tool("blkid", &[text(&iso)]).contains("LABEL=\"cidata\" TYPE=\"iso9660\""));
    let user_data = tool("isoinfo", &["-R", "-x", "/user-data", "-i", text(&iso)]);
    assert_eq!(user_data, ENV);
    let meta_data = tool("isoinfo", &["-R", "-x", "/meta-data", "-i", text(&iso)]);
    assert!(meta_data.contains("site-1") && meta_data.contains("ssh-ed25519 "), "{meta_data}");
    let again = [&args[..7], &["again.iso"]].concat();
    ok_in(dir.path(), &again);
    assert_eq!(fs::read(&iso).unwrap(), fs::read(dir.path().join("again.iso")).unwrap());
}

#[test]
fn what_is_wrong_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |env: &str, args: &[&str], code: i32, message: &str| {
        fs::write(dir.path().join("env.yml"), env).unwrap();
        let ran =
            run_in(dir.path(), &[&["seed", "create"], args, &["env.yml", "site.iso"]].concat());
        assert_eq!(ran.code, code, "{}", ran.err);
        assert!(ran.err.contains(message), "{}", ran.err);
        assert!(!ran.err.contains("hunter2"), "{}", ran.err);
        assert!(!dir.path().join("site.iso").exists());
    };
    refused("domain: x\n", &[], 3, "#cloud-config");
    refused("#cloud-config\npassword: [hunter2\n", &[], 3, "env.yml");
    refused("#cloud-config\na: 1\na: 2\n", &[], 3, "env.yml:3:1: ");
    refused(ENV, &["--hostname", "a_b"], 3, "`a_b` is not a host name");
    refused(ENV, &["--key", "none.pub"], 3, "reading the public key none.pub");
    fs::write(dir.path().join("id"), "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n").unwrap();
    refused(ENV, &["--key", "id"], 3, "private key");
    fs::write(dir.path().join("site.iso"), "kept").unwrap();
    let ran = run_in(dir.path(), &["seed", "create", "env.yml", "site.iso"]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.err.ends_with("error: site.iso exists; give --force to replace it\n"),
        "{}",
        ran.err
    );
    assert_eq!(fs::read(dir.path().join("site.iso")).unwrap(), b"kept");
}
