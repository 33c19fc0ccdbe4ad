//! What `bootwright doctor` finds, on this machine and on ones that lack something.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

mod common;

use common::{bootwright, ran};
use serde_json::Value;

/// Runs the doctor with a search path and a catalog; gives its code and findings.
fn findings(dir: &std::path::Path, path: &str, catalog: &str) -> (i32, Vec<Value>) {
    let file = dir.join("catalog.yml");
    std::fs::write(&file, catalog).unwrap();
    let mut command = bootwright();
    command.args(["doctor", "--json"]).env("PATH", path).env("BOOTWRIGHT_CATALOG", &file);
    command.env("XDG_CACHE_HOME", dir.join("cache")).current_dir(dir);
    let ran = ran(command.output().unwrap());
    let json: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}", ran.err));
    (ran.code, json.as_array().unwrap().clone())
}

fn of<'a>(findings: &'a [Value], name: &str) -> &'a Value {
    findings.iter().find(|finding| finding["name"] == name).unwrap()
}

#[test]
fn what_is_missing_names_its_packages() {
    let dir = tempfile::tempdir().unwrap();
    let (code, bare) = findings(dir.path(), "/nonexistent", "{}");
    assert_eq!(code, 0, "nothing that a build needs is missing");
    assert_eq!(of(&bare, "QEMU")["state"], "missing");
    assert_eq!(of(&bare, "QEMU")["package"]["debian"], "qemu-system-x86");
    assert_eq!(of(&bare, "mmdebstrap")["package"]["fedora"], "mmdebstrap");
    assert_eq!(of(&bare, "catalog")["state"], "missing");
    assert_eq!(of(&bare, "libext2fs")["state"], "good");

    // This machine has all that ci/setup installs.
    let path = std::env::var("PATH").unwrap() + ":/usr/bin:/usr/sbin";
    let keyring = dir.path().join("keyring.gpg");
    std::fs::write(&keyring, "").unwrap();
    let catalog = format!("ubuntu: {{mirrors: [\"https://h/\"], keyring: {}}}", keyring.display());
    let (code, here) = findings(dir.path(), &path, &catalog);
    assert_eq!(code, 0);
    for name in ["QEMU", "UEFI firmware", "mmdebstrap", "catalog", "Ubuntu's keys"] {
        assert_eq!(of(&here, name)["state"], "good", "{name}: {here:?}");
    }
    let accelerator = of(&here, "accelerator")["detail"].as_str().unwrap();
    assert!(accelerator.starts_with("kvm (") || accelerator.starts_with("tcg ("), "{accelerator}");
    assert!(of(&here, "QEMU")["detail"].as_str().unwrap().contains("version"));
}
