//! Roots that grow when the profile says so, or when something does not fit otherwise.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

mod common;

use std::fs;
use std::path::Path;

use common::{ok_in, profile, run_in, small_base, text, tool};

/// Where the root starts: behind the ESP, so that nothing is behind the root.
const ROOT: u64 = 9 << 20;

/// The small base with the root at the end.
fn base(dir: &Path) {
    let disk = small_base(dir);
    fs::remove_file(&disk).unwrap();
    let disk = text(&disk).to_owned();
    tool("truncate", &["-s", "64M", &disk]);
    let guid = "AAAAAAAA-0000-4000-8000-000000000000";
    let parts = ["-n15:2048:+8M", "-t15:ef00", "-n1:0:+48M", "-t1:8300"];
    tool("sgdisk", &[&["-U", guid], &parts[..], &[&disk]].concat());
    for (file, at) in [("esp.fat", "seek=1"), ("root.ext4", "seek=9")] {
        let (from, to) = (format!("if={}", text(&dir.join(file))), format!("of={disk}"));
        tool("dd", &[&from, &to, "bs=1M", at, "conv=notrunc,sparse", "status=none"]);
    }
}

/// Judges the output, and gives the size of its root in MiB.
fn root_size(dir: &Path, out: &str) -> u64 {
    let raw = dir.join(out).join("small-1.0.raw");
    let place = format!("{}?offset={ROOT}", text(&raw));
    tool("e2fsck", &["-f", "-n", &place]);
    let verdict = tool("sgdisk", &["-v", text(&raw)]);
    assert!(verdict.contains("No problems found"), "{verdict}");
    let stats = tool("debugfs", &["-R", "show_super_stats -h", &place]);
    let line = stats.lines().find(|line| line.starts_with("Block count:")).unwrap();
    let blocks: u64 = line.split_whitespace().last().unwrap().parse().unwrap();
    (blocks * 4096) >> 20
}

#[test]
fn the_root_grows_when_it_must_or_may() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    base(dir);
    fs::create_dir_all(dir.join("files/srv")).unwrap();
    fs::write(dir.join("files/etc-motd"), "hello\n").unwrap();
    fs::write(dir.join("files/srv/big"), vec![0x5a; 100 << 20]).unwrap();

    // Room that is not needed is left to the guest, unless the profile says otherwise.
    profile(dir, "disk: {size: 512MiB}\n");
    ok_in(dir, &["build", "p.yml", "--out", "kept"]);
    assert_eq!(root_size(dir, "kept"), 48);
    profile(dir, "disk: {size: 512MiB, root: grow}\n");
    assert!(ok_in(dir, &["plan", "p.yml"]).out.contains("grow: true"));
    ok_in(dir, &["build", "p.yml", "--out", "grown"]);
    assert_eq!(root_size(dir, "grown"), 512 - 9 - 1);
    ok_in(dir, &["build", "p.yml", "--out", "again"]);
    let sums = |out: &str| fs::read_to_string(dir.join(out).join("SHA256SUMS")).unwrap();
    assert_eq!(sums("grown"), sums("again"));

    // Room that is needed is taken, with what was edited before still in place.
    profile(dir, "disk: {size: 512MiB}\noverlay: [files]\nusers: [{name: app}]\n");
    let built = ok_in(dir, &["build", "p.yml", "--out", "needed"]);
    assert!(built.err.contains("the root grows from 48 to 502 MiB"), "{}", built.err);
    assert_eq!(root_size(dir, "needed"), 512 - 9 - 1);
    let place = format!("{}?offset={ROOT}", text(&dir.join("needed/small-1.0.raw")));
    assert!(tool("debugfs", &["-R", "cat /etc/passwd", &place]).contains("app:x:"));
    assert!(tool("debugfs", &["-R", "stat /srv/big", &place]).contains("Size: 104857600"));

    // Where there is none, the error says what is missing.
    profile(dir, "overlay: [files]\n");
    let full = run_in(dir, &["build", "p.yml", "--out", "full"]);
    assert_eq!(full.code, 3, "{}", full.err);
    assert!(full.err.contains("too few") && !dir.join("full/small-1.0.raw").exists());
}
