//! systemd itself judges the units: their syntax, and that starting them beside cloud-init leads
//! to no ordering cycle. shellcheck judges the scripts for OpenRC.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

const UNIT: &str = include_str!("../install/bootwright-agent.service");

/// The files in `agent/install`, or below it.
fn installed(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("install").join(folder);
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// What `systemd-analyze verify` says about starting the system with all units enabled, and
/// `unit` in place of the main one.
fn verify(unit: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let wants = dir.path().join("multi-user.target.wants");
    fs::create_dir(&wants).unwrap();
    let mut names = vec!["multi-user.target".to_owned()];
    for path in installed("").iter().filter(|path| !name(path).ends_with(".yml")) {
        let name = name(path);
        let text = match name.as_str() {
            "bootwright-agent.service" => unit.to_owned(),
            _ => fs::read_to_string(path).unwrap(),
        };
        // verify wants the program to be there.
        let program = env!("CARGO_BIN_EXE_bootwright-agent");
        let text = text.replace("/usr/lib/bootwright/bootwright-agent", program);
        fs::write(dir.path().join(&name), &text).unwrap();
        if text.contains("\nWantedBy=multi-user.target\n") {
            symlink(format!("../{name}"), wants.join(&name)).unwrap();
        }
        names.push(name.replace("@.", "@x."));
    }
    assert_eq!(names.len(), 10, "{names:?}");
    let beside = ["cloud-init-local.service", "cloud-init.service", "cloud-final.service"];
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .args(names)
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
fn the_units_are_clean_and_make_no_cycle() {
    let said = verify(UNIT);
    let about_us: Vec<&str> =
        said.lines().filter(|line| line.contains("bootwright") || line.contains("cycle")).collect();
    assert!(about_us.is_empty(), "{said}");
}

#[test]
fn the_scripts_are_clean() {
    let scripts = installed("openrc");
    assert_eq!(scripts.len(), 4);
    let output = Command::new("shellcheck")
        // OpenRC's own words are functions of openrc-run, which is a shell of its own.
        .args(["--shell=sh", "--exclude=SC2034"])
        .args(&scripts)
        .output()
        .unwrap_or_else(|e| panic!("shellcheck cannot be run ({e}); ci/setup installs it"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    for script in scripts {
        assert!(fs::read_to_string(script).unwrap().starts_with("#!/sbin/openrc-run\n"));
    }
}

/// Every flag that a path unit or a script waits for is one that the agent raises.
#[test]
fn units_and_program_agree_on_the_flags() {
    let flags = include_str!("../src/flags.rs");
    let waiting = [installed(""), installed("openrc")].concat();
    let texts = waiting.iter().map(|path| fs::read_to_string(path).unwrap());
    let mut seen = 0;
    for text in texts {
        for line in text.lines() {
            let path = line.strip_prefix("PathExists=");
            let path = path.or_else(|| line.trim().strip_prefix("[ -e ")?.split(' ').next());
            if let Some(path) = path.filter(|path| path.starts_with('/')) {
                assert!(flags.contains(&format!("\"{path}\"")), "{path}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 6);
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
