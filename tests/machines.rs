//! Every hypervisor's devices: the artefact made for each boots until the agent reports.
//! All in one test, one guest after the other, since each takes both processors.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

mod common;

use std::fs;
use std::path::Path;

use common::{base, ok_in, text, tool};

const ENV: &str = "#cloud-config\ndomain: example.org\n";

/// Artefact, machine and firmware of every boot.
const BOOTS: [(&str, &str, &str); 7] = [
    ("out/demo-1.0.vmdk", "vmware", "bios"),
    ("ova/demo-1.0-disk1.vmdk", "vmware-lsi", "bios"),
    ("out/demo-1.0-vmware/demo-1.0.vmdk", "vmware", "uefi"),
    ("out/demo-1.0.vhdx", "hyperv", "bios"),
    ("out/demo-1.0.vhdx", "hyperv", "uefi"),
    ("out/demo-1.0.vhd", "xen", "bios"),
    ("out/demo-1.0.vhd", "xen", "uefi"),
];

fn build(dir: &Path) {
    let profile = format!(
        "name: demo\nversion: 1.0\nbase: file:{}\ndisk: {{size: 6GiB}}\n\
         outputs: {{vmdk: , vmware: , ova: , vhdx: , vhd: {{flavour: xenserver}}}}\n",
        text(&base("debian"))
    );
    fs::write(dir.join("p.yml"), profile).unwrap();
    fs::write(dir.join("env.yml"), ENV).unwrap();
    ok_in(dir, &["build", "p.yml", "--out", "out"]);
    ok_in(dir, &["seed", "create", "env.yml", "seed.iso"]);
    fs::create_dir(dir.join("ova")).unwrap();
    tool("tar", &["-xf", text(&dir.join("out/demo-1.0.ova")), "-C", text(&dir.join("ova"))]);
}

#[test]
fn every_hypervisors_artefact_boots() {
    let dir = tempfile::tempdir().unwrap();
    build(dir.path());
    for (image, machine, firmware) in BOOTS {
        let args = ["boot", image, "--seed", "seed.iso", "--json", "--timeout", "600"];
        let choice = ["--machine", machine, "--firmware", firmware];
        let booted = ok_in(dir.path(), &[&args[..], &choice].concat());
        let report: serde_json::Value = serde_json::from_str(&booted.out).unwrap();
        assert_eq!(report["state"], "active", "{image} {machine} {firmware}");
        assert_eq!(report["profile"]["name"], "demo");
        assert_eq!(report["source"]["kind"], "cidata");
    }
}
