//! The whole way: a profile and an env in, a booted guest's report out, under BIOS and UEFI.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

mod common;

use std::fs;
use std::path::Path;

use common::{base, names, ok_in, run_in, text, tool};

/// An env whose cloud-init half proves that cloud-init took the seed too.
const ENV: &str = "\
#cloud-config
domain: example.org
runcmd:
  - [sh, -c, 'echo cloud-init took the seed > /dev/ttyS0']
";

fn build(dir: &Path) {
    let profile = format!(
        "name: demo\nversion: 1.0\nbase: file:{}\ndisk: {{size: 6GiB, root: grow}}\nusers: [{{name: app}}]\n\
         outputs: {{qcow2: }}\n",
        text(&base("debian"))
    );
    fs::write(dir.join("p.yml"), profile).unwrap();
    fs::write(dir.join("env.yml"), ENV).unwrap();
    ok_in(dir, &["build", "p.yml", "--out", "out"]);
    ok_in(dir, &["seed", "create", "env.yml", "seed.iso"]);
}

#[test]
fn a_guest_activates_its_seed() {
    let dir = tempfile::tempdir().unwrap();
    build(dir.path());
    let before = tool("sha256sum", &[text(&dir.path().join("out/demo-1.0.qcow2"))]);
    for firmware in ["bios", "uefi"] {
        let args =
            ["boot", "out/demo-1.0.qcow2", "--seed", "seed.iso", "--firmware", firmware, "--json"];
        let log = format!("{firmware}.log");
        let booted = ok_in(dir.path(), &[&args[..], &["--console-log", &log]].concat());
        let report: serde_json::Value = serde_json::from_str(&booted.out).unwrap();
        assert_eq!(report["state"], "active");
        assert_eq!(report["profile"]["name"], "demo");
        assert_eq!(report["source"]["kind"], "cidata");
        assert_eq!(report["env"], "/run/active-env.yml");
    }
    assert_eq!(tool("sha256sum", &[text(&dir.path().join("out/demo-1.0.qcow2"))]), before);

    // Without a seed the machine is clean and waits; a broken one is a failure.
    let bare = ok_in(dir.path(), &["boot", "out/demo-1.0.qcow2", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&bare.out).unwrap();
    assert_eq!(report["state"], "unconfigured");

    fs::write(dir.path().join("env.yml"), "#cloud-config\na: 1\n").unwrap();
    ok_in(dir.path(), &["seed", "create", "--force", "env.yml", "bad.iso"]);
    let mut iso = fs::read(dir.path().join("bad.iso")).unwrap();
    let at = iso.windows(4).position(|window| window == b"a: 1").unwrap();
    iso[at..at + 4].copy_from_slice(b"a: [");
    fs::write(dir.path().join("bad.iso"), iso).unwrap();
    let failed = run_in(dir.path(), &["boot", "out/demo-1.0.qcow2", "--seed", "bad.iso"]);
    assert_eq!(failed.code, 6, "{}", failed.err);
    assert!(
        failed.err.contains("error: the agent failed: the user-data on /dev/sr0 cannot be used"),
        "{}",
        failed.err
    );
    assert!(names(dir.path()).contains(&"bios.log".to_owned()));
}
