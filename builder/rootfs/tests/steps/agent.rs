//! The agent goes into images of its own architecture.

use bootwright_rootfs::steps::agent::{self, Agent, Arch};
use bootwright_rootfs::{Edit, Tree};

use crate::common::{NOW, Sandbox, base, layer};

/// The first bytes of a program for a machine.
fn program(machine: u8) -> Vec<u8> {
    let mut head = b"\x7fELF\x02\x01\x01".to_vec();
    head.resize(64, 0);
    head[18] = machine;
    head
}

fn agent(binary: &[u8]) -> Agent<'_> {
    let units = &[("bootwright-agent.service", "[Unit]\n"), ("bootwright-failed@.service", "x\n")];
    Agent { binary, units, scripts: &[("bootwright-agent", "#!run\n")], config: "a: b\n" }
}

#[test]
fn into_an_image_of_the_same_architecture() {
    let disk = layer(&base("xboot"));
    let mut tree = Tree::open(&disk, NOW).unwrap();
    assert_eq!(Arch::of_image(&mut tree).unwrap(), Arch::Amd64);
    let edits = agent::edits(&mut tree, agent(&program(62))).unwrap();
    tree.apply(&edits).unwrap();
    tree.apply(&[agent::env_schema("keys: {}\n")]).unwrap();
    let schema = b"/etc/bootwright/env.schema.yml";
    assert_eq!(tree.read(schema).unwrap().unwrap(), b"keys: {}\n");
    let binary = tree.attr(b"/usr/lib/bootwright/bootwright-agent").unwrap().unwrap();
    assert_eq!((binary.mode, binary.uid, binary.size), (0o755, 0, 64));
    // The link that starts it leads to the unit.
    let link = b"/etc/systemd/system/multi-user.target.wants/bootwright-agent.service";
    assert_eq!(tree.read(link).unwrap().unwrap(), b"[Unit]\n");
    assert_eq!(tree.read(b"/etc/bootwright/agent.yml").unwrap().unwrap(), b"a: b\n");
    // A template is started by those that name it; OpenRC is not there.
    assert!(!tree.exists(&[&link[..46], b"/bootwright-failed@.service"].concat()).unwrap());
    assert!(!tree.exists(b"/etc/init.d/bootwright-agent").unwrap());
    tree.finish().unwrap();
}

#[test]
fn not_into_another() {
    let mut tree = Tree::open(&layer(&base("xboot")), NOW).unwrap();
    let mut refused =
        |binary: &[u8]| agent::edits(&mut tree, agent(binary)).unwrap_err().to_string();
    let path = "/usr/lib/bootwright/bootwright-agent";
    assert_eq!(
        refused(&program(183)),
        format!("{path}: the agent is arm64, but the image is amd64")
    );
    assert_eq!(
        refused(b"#!/bin/sh\n"),
        format!("{path}: the agent is no known program, but the image is amd64")
    );
}

#[test]
fn images_that_cannot_run_it() {
    let empty = Sandbox::with(&[Edit::text("/bin/sh", "#!x", 0o755)]);
    let error = agent::edits(&mut empty.tree(), agent(&program(62))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/bin/sh: the image holds no program of a known architecture (amd64, arm64)"
    );
    let openrc = Sandbox::with(&[
        Edit::text("/sbin/init", program(62), 0o755),
        Edit::text("/sbin/openrc-run", "", 0o755),
    ]);
    let mut tree = openrc.tree();
    let edits = agent::edits(&mut tree, agent(&program(62))).unwrap();
    tree.apply(&edits).unwrap();
    assert_eq!(tree.read(b"/etc/runlevels/boot/bootwright-agent").unwrap().unwrap(), b"#!run\n");
    let script = tree.attr(b"/etc/init.d/bootwright-agent").unwrap().unwrap();
    assert_eq!(script.mode, 0o755);
    assert!(!tree.exists(b"/etc/systemd").unwrap());
    tree.finish().unwrap();
    let without_systemd = Sandbox::with(&[Edit::text("/sbin/init", program(183), 0o755)]);
    let error = agent::edits(&mut without_systemd.tree(), agent(&program(183))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/usr/lib/systemd/system: the image has neither systemd nor OpenRC, so nothing would start the agent"
    );
}
