//! A booted guest takes a config drive. (The cidata kind boots in `boot.rs`.)

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

mod common;

use std::fs;

use common::{base, ok_in, text};

const ENV: &str = "#cloud-config\ndomain: example.org\n";

#[test]
fn a_guest_activates_a_config_drive() {
    let dir = tempfile::tempdir().unwrap();
    let profile = format!(
        "name: demo\nversion: 1.0\nbase: file:{}\ndisk: {{size: 6GiB}}\noutputs: {{qcow2: }}\n",
        text(&base("debian"))
    );
    fs::write(dir.path().join("p.yml"), profile).unwrap();
    fs::write(dir.path().join("env.yml"), ENV).unwrap();
    ok_in(dir.path(), &["build", "p.yml", "--out", "out"]);
    let create = ["seed", "create", "--kind", "config-2", "-H", "site-1", "env.yml", "seed.iso"];
    ok_in(dir.path(), &create);
    let boot = ["boot", "out/demo-1.0.qcow2", "--seed", "seed.iso", "--json"];
    let booted = ok_in(dir.path(), &boot);
    let report: serde_json::Value = serde_json::from_str(&booted.out).unwrap();
    assert_eq!(
        (&report["state"], &report["source"]["kind"]),
        (&"active".into(), &"config-2".into())
    );
}
