//! The rules of docs/architecture.md that no compiler keeps.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Longest file of ours, in lines.
const MAX_LINES: usize = 500;
/// The files that may speak to C and to the kernel.
const UNSAFE: [&str; 2] = ["builder/rootfs/src/ext4/sys.rs", "agent/src/sys.rs"];
/// What each crate may use of the others.
const LAYERS: [(&str, &[&str]); 8] = [
    ("bootwright-disk", &[]),
    ("bootwright-seed", &[]),
    ("bootwright-source", &["bootwright-disk"]),
    ("bootwright-rootfs", &["bootwright-disk"]),
    ("bootwright-export", &["bootwright-disk"]),
    ("bootwright-guest", &["bootwright-disk", "bootwright-seed"]),
    ("bootwright-agent", &["bootwright-seed"]),
    (
        "bootwright",
        &[
            "bootwright-disk",
            "bootwright-export",
            "bootwright-guest",
            "bootwright-rootfs",
            "bootwright-seed",
            "bootwright-source",
        ],
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All Rust files that git would take, with their text.
fn sources() -> Vec<(String, String)> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(listed.status.success(), "git ls-files fails here");
    let names = String::from_utf8(listed.stdout).unwrap();
    let files: Vec<_> = names
        .lines()
        .filter(|name| root().join(name).exists())
        .map(|name| (name.to_owned(), fs::read_to_string(root().join(name)).unwrap()))
        .collect();
    assert!(files.len() > 50, "git lists {} files only", files.len());
    files
}

/// The lines of a file that are code.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim_start).filter(|line| !line.starts_with("//"))
}

#[test]
fn every_file_says_what_lives_there() {
    for (name, text) in sources() {
        // Fuzz targets start with an attribute that has to come first.
        let first = text.lines().find(|line| !line.starts_with("#!["));
        assert!(
            first.is_some_and(|line| line.starts_with("//! ")),
            "{name} does not start with //!"
        );
    }
}

#[test]
fn no_file_is_a_giant() {
    for (name, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= MAX_LINES, "{name} has {lines} lines");
    }
}

#[test]
fn unsafe_stays_in_the_binding() {
    for (name, text) in sources().iter().filter(|(name, _)| !UNSAFE.contains(&name.as_str())) {
        let word = |line: &&str| {
            line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == "unsafe")
        };
        if name != "tests/tidy.rs" {
            assert_eq!(code(text).find(word), None, "{name}");
        }
    }
}

#[test]
fn export_never_writes_to_a_view() {
    for (name, text) in sources().iter().filter(|(name, _)| name.starts_with("builder/export/src"))
    {
        assert_eq!(code(text).find(|line| line.contains("WriteView")), None, "{name}");
    }
}

#[test]
fn layouts_do_no_io() {
    for (name, text) in sources().iter().filter(|(name, _)| name.ends_with("/layout.rs")) {
        let io = |line: &&str| {
            ["std::fs", "std::io", "View", "read_at"].iter().any(|w| line.contains(w))
        };
        assert_eq!(code(text).find(io), None, "{name}");
    }
}

#[test]
fn crates_depend_downwards() {
    let cargo = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&cargo.stdout).unwrap();
    let mut seen = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let dependencies = package["dependencies"].as_array().unwrap();
        let ours: BTreeSet<&str> = dependencies
            .iter()
            .filter(|dependency| dependency["kind"].is_null())
            .filter_map(|dependency| dependency["name"].as_str())
            .filter(|name| name.starts_with("bootwright"))
            .collect();
        seen.insert(package["name"].as_str().unwrap(), ours);
    }
    assert_eq!(seen.len(), LAYERS.len(), "a crate is missing in LAYERS");
    for (name, allowed) in LAYERS {
        for used in &seen[name] {
            assert!(allowed.contains(used), "{name} must not use {used}");
        }
    }
}
