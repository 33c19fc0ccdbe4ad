//! systemd itself judges the unit: its syntax, and that starting it beside cloud-init leads to
//! no ordering cycle.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

const UNIT: &str = include_str!("../install/bootwright-agent.service");

/// What `systemd-analyze verify` says about starting the system with this unit enabled.
fn verify(unit: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    // verify wants the program to be there.
    let unit = unit
        .replace("/usr/lib/bootwright/bootwright-agent", env!("CARGO_BIN_EXE_bootwright-agent"));
    fs::write(dir.path().join("bootwright-agent.service"), unit).unwrap();
    let wants = dir.path().join("multi-user.target.wants");
    fs::create_dir(&wants).unwrap();
    symlink("../bootwright-agent.service", wants.join("bootwright-agent.service")).unwrap();
    let beside = ["cloud-init-local.service", "cloud-init.service", "cloud-final.service"];
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "multi-user.target", "bootwright-agent.service"])
        .args(beside)
        // The final colon adds the system's own folders.
        .env("SYSTEMD_UNIT_PATH", format!("{}:", dir.path().display()))
        .output()
        .unwrap_or_else(|e| {
            panic!(
                "systemd-analyze cannot be run ({e}); install the package systemd (ci/setup does)"
            )
        });
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !said.contains("cloud-init-local.service"),
        "install the package cloud-init (ci/setup does): {said}"
    );
    said
}

#[test]
fn the_unit_is_clean_and_makes_no_cycle() {
    let said = verify(UNIT);
    let about_us: Vec<&str> =
        said.lines().filter(|line| line.contains("bootwright") || line.contains("cycle")).collect();
    assert!(about_us.is_empty(), "{said}");
}

#[test]
fn the_check_would_see_a_cycle() {
    let twisted = UNIT.replace(
        "Before=network-pre.target",
        "Before=network-pre.target\nAfter=network-pre.target",
    );
    assert!(verify(&twisted).contains("Found ordering cycle on"));
}

#[test]
fn the_program_path_is_the_one_that_is_documented() {
    assert!(UNIT.contains("ExecStart=/usr/lib/bootwright/bootwright-agent boot\n"));
    assert!(include_str!("../../docs/agent.md").contains("`/usr/lib/bootwright/bootwright-agent`"));
}
