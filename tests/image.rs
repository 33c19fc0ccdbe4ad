//! `bootwright image` from outside: listings judged by debugfs, checks by what damage they
//! find. Conversions are in convert.rs.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

mod common;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{
    SMALL_ROOT, base, bootwright, debugfs, json, ok_in, run_in, small_base, small_project, text,
    tool,
};
use serde_json::Value;

#[test]
fn inspect_says_what_an_image_is() {
    let dir = small_project("outputs: {qcow2: }\n");
    ok_in(dir.path(), &["build", "p.yml", "--out", "out"]);
    let found = json(dir.path(), &["image", "inspect", "--json", "out/small-1.0.qcow2"]);
    assert_eq!(found["container"]["variant"], "version 3, zlib");
    assert_eq!(found["container"]["block_size"], 65536);
    assert_eq!(found["disk"]["size"], 64 << 20);
    assert_eq!(found["partition_table"]["id"], "aaaaaaaa-0000-4000-8000-000000000000");
    let root = &found["volumes"][0];
    assert_eq!((&root["number"], &root["start"]), (&1.into(), &SMALL_ROOT.into()));
    assert_eq!(root["file_system"]["uuid"], "11111111-2222-3333-4444-555555555555");
    assert_eq!(root["file_system"]["mounted_at"], "/");
    let esp = &found["volumes"][1]["file_system"];
    assert_eq!((&esp["type"], &esp["mounted_at"]), (&"vfat".into(), &"/boot/efi".into()));
    let at = (49 << 20).to_string();
    let raw = dir.path().join("base.raw");
    let args = ["-p", "-o", "value", "-s", "UUID", "--offset", &at, text(&raw)];
    assert_eq!(esp["uuid"].as_str().unwrap(), tool("blkid", &args).trim());
    let system = &found["system"];
    assert_eq!(system, &Value::Null, "there is no release, kernel or package in it");
    assert_eq!(found["problems"], Value::Array(Vec::new()));

    let debian = base("debian");
    let found = json(dir.path(), &["image", "inspect", "--json", "--drivers", text(&debian)]);
    let info = tool("qemu-img", &["info", "--output=json", text(&debian)]);
    let info: Value = serde_json::from_str(&info).unwrap();
    assert_eq!(found["disk"]["size"], info["virtual-size"]);
    let system = &found["system"];
    assert_eq!((&system["arch"], &system["machine_id"]), (&"amd64".into(), &"empty".into()));
    assert!(system["packages"][0]["installed"].as_u64().unwrap() > 150, "{system}");
    let kernel = &system["kernels"][0];
    assert_eq!(kernel["image"], format!("/boot/vmlinuz-{}", kernel["version"].as_str().unwrap()));
    // That kernel has the drivers of every hypervisor, and initramfs-tools takes them along.
    for part in system["drivers"].as_array().unwrap() {
        assert_eq!(part["missing"], Value::Array(Vec::new()), "{part}");
    }
    assert_eq!(system["drivers"].as_array().unwrap().len(), 4);
    let shown = ok_in(dir.path(), &["image", "inspect", text(&debian)]).out;
    assert!(shown.contains("partitions: gpt ") && shown.contains("at /boot/efi"), "{shown}");
}

#[test]
fn ls_and_cat_show_what_debugfs_shows() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let raw = small_base(dir);
    for path in ["/etc/shadow", "/boot/grub/grub.cfg"] {
        let place = format!("{}?offset={SMALL_ROOT}", text(&raw));
        let judge = Command::new("debugfs").args(["-R", &format!("cat {path}"), &place]).output();
        let own = ok_in(dir, &["image", "cat", "base.raw", path]).out;
        assert_eq!(own.as_bytes(), judge.unwrap().stdout);
    }
    // Through a symlink to a directory.
    assert!(ok_in(dir, &["image", "cat", "base.raw", "/bin/sh"]).out.starts_with("\u{7f}ELF"));
    for folder in ["/etc", "/etc/ssh", "/var/log"] {
        let judge = debugfs(&raw, &format!("ls -p {folder}"));
        let mut expected: Vec<(String, String, String, u64)> = judge
            .lines()
            .filter_map(|line| {
                let fields: Vec<&str> = line.split('/').collect();
                let &[_, _, mode, uid, gid, name, size, _] = &fields[..] else { return None };
                let mode = format!("0{}", mode.get(mode.len() - 3..)?);
                let is_file = !name.starts_with('.') || name == ".profile";
                let size = size.parse().unwrap_or(4096);
                is_file.then(|| (name.to_owned(), mode, format!("{uid}:{gid}"), size))
            })
            .collect();
        expected.sort();
        let own = json(dir, &["image", "ls", "--json", "base.raw", folder]);
        let own: Vec<_> = own
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| {
                let path = entry["path"].as_str().unwrap();
                (
                    path.rsplit('/').next().unwrap().to_owned(),
                    entry["mode"].as_str().unwrap().to_owned(),
                    format!("{}:{}", entry["uid"], entry["gid"]),
                    entry["size"].as_u64().unwrap(),
                )
            })
            .collect();
        assert!(!own.is_empty());
        assert_eq!(own, expected, "{folder}");
    }
    let long = ok_in(dir, &["image", "ls", "-l", "base.raw", "/"]).out;
    let link = long.lines().find(|line| line.contains(" bin")).unwrap();
    assert!(link.starts_with("lrwxrwxrwx") && link.ends_with("2020-09-13 12:26 bin -> usr/bin"));
    // The ESP is where the fstab mounts it.
    tool("mmd", &["-i", &format!("{}@@49M", text(&raw)), "::/EFI"]);
    let all = ok_in(dir, &["image", "ls", "-R", "base.raw", "/boot"]).out;
    assert_eq!(all, "/boot/efi\n/boot/efi/EFI\n/boot/grub\n/boot/grub/grub.cfg\n");
    let missing = run_in(dir, &["image", "cat", "base.raw", "/etc/none"]);
    assert_eq!(missing.code, 3);
    assert!(missing.err.contains("/etc/none: there is no such file in the image"));
    assert_eq!(run_in(dir, &["image", "cat", "base.raw", "/etc"]).code, 3);
}

/// Overwrites bytes of a file.
fn patch(file: &Path, at: u64, bytes: &[u8]) {
    File::options().write(true).open(file).unwrap().write_all_at(bytes, at).unwrap();
}

#[test]
fn verify_names_what_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let raw = small_base(dir);
    ok_in(dir, &["image", "verify", "base.raw"]);
    let damaged = |damage: &dyn Fn(&Path), expected: &[&str]| {
        let file = dir.join("bad.raw");
        fs::copy(&raw, &file).unwrap();
        damage(&file);
        let ran = run_in(dir, &["image", "verify", "bad.raw"]);
        assert_eq!(ran.code, 4, "{expected:?}: {}{}", ran.out, ran.err);
        for part in expected {
            assert!(ran.out.contains(part), "{part:?} is not in {}", ran.out);
        }
    };
    let size = 64 << 20;
    damaged(&|file| patch(file, 512 + 60, &[9]), &["gpt: HeaderCRC32 at 0x200"]);
    damaged(&|file| patch(file, size - 512, &[0; 512]), &["backup of the GPT", "no GPT header"]);
    damaged(&|file| patch(file, size - 33 * 512, &[9]), &["PartitionEntryArrayCRC32"]);
    damaged(&|file| patch(file, 450, &[0x83]), &["protective MBR: expected"]);
    damaged(
        &|file| drop(tool("truncate", &["-s", "+1M", text(file)])),
        &["AlternateLBA", "sgdisk -e"],
    );
    damaged(
        &|file| patch(file, SMALL_ROOT + 1024 + 0x30, &[9]),
        &["(ext4, cloudimg-rootfs): checksum of the super block"],
    );
    damaged(
        &|file| {
            drop(tool(
                "debugfs",
                &[
                    "-w",
                    "-R",
                    "feature needs_recovery",
                    &format!("{}?offset={SMALL_ROOT}", text(file)),
                ],
            ))
        },
        &["state: expected a clean file system", "journal has to be replayed"],
    );
    // The second table of the ESP, and the mark of a mounted one.
    let esp = 49 << 20;
    damaged(&|file| patch(file, esp + 37, &[1]), &["(FAT, UEFI): state"]);
    let fat = fs::read(&raw).unwrap();
    let le16 = |at: usize| u64::from(u16::from_le_bytes([fat[at], fat[at + 1]]));
    let second = esp + (le16(esp as usize + 14) + le16(esp as usize + 22)) * 512;
    damaged(&|file| patch(file, second + 40, &[9]), &["second file allocation table"]);
}

#[test]
fn verify_counts_what_qemu_img_check_counts() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let raw = small_base(dir);
    let qcow2 = dir.join("a.qcow2");
    let fresh = || {
        tool("qemu-img", &["convert", "-f", "raw", "-O", "qcow2", text(&raw), text(&qcow2)]);
        let bytes = fs::read(&qcow2).unwrap();
        let be64 = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap());
        be64(be64(48) as usize)
    };
    let refcounts = fresh();
    ok_in(dir, &["image", "verify", "a.qcow2"]);
    for (slot, count, hint) in [(5u64, 0u16, "expected 1, found 0"), (6, 9, "found 9 (a leak)")] {
        fresh();
        patch(&qcow2, refcounts + slot * 2, &count.to_be_bytes());
        let ran = run_in(dir, &["image", "verify", "a.qcow2"]);
        assert_eq!(ran.code, 4);
        let place = format!("refcount of the cluster at {:#x}: {hint}", slot * 65536);
        let place = place.replace(": found", ": expected 1, found");
        assert!(ran.out.contains(&place), "{place}: {}", ran.out);
        let judge = Command::new("qemu-img").args(["check", text(&qcow2)]).output().unwrap();
        assert!(!judge.status.success());
    }
    // Two grains of a VMDK in one place, and a second table that differs from the first.
    let vmdk = dir.join("a.vmdk");
    ok_in(dir, &["image", "convert", "--subformat", "monolithicSparse", "base.raw", "a.vmdk"]);
    let bytes = fs::read(&vmdk).unwrap();
    let le = |at: usize, len: usize| {
        bytes[at..at + len].iter().rev().fold(0u64, |value, &byte| value << 8 | u64::from(byte))
    };
    let table = le(le(56, 8) as usize * 512, 4) as usize * 512;
    let used: Vec<usize> =
        (0..512).map(|index| table + index * 4).filter(|&at| le(at, 4) != 0).collect();
    patch(&vmdk, used[1] as u64, &bytes[used[0]..used[0] + 4]);
    let ran = run_in(dir, &["image", "verify", "--json", "a.vmdk"]);
    assert_eq!(ran.code, 4);
    assert!(ran.out.contains("the grain of 0x"), "{}", ran.out);
    assert!(ran.out.contains("redundant grain table 0"), "{}", ran.out);
    // A header and a region table of a VHDX, of which there are two each.
    let vhdx = dir.join("a.vhdx");
    ok_in(dir, &["image", "convert", "base.raw", "a.vhdx"]);
    patch(&vhdx, (64 << 10) + 20, &[0xff]);
    patch(&vhdx, (256 << 10) + 20, &[0xff]);
    let ran = run_in(dir, &["image", "verify", "a.vhdx"]);
    assert_eq!((ran.code, ran.out.lines().count()), (4, 2), "{}", ran.out);
    assert!(ran.out.contains("header at 0x10000: expected two good copies"), "{}", ran.out);
    // A block of a VHD in the place of another.
    let vhd = dir.join("a.vhd");
    ok_in(dir, &["image", "convert", "base.raw", "a.vhd"]);
    let bytes = fs::read(&vhd).unwrap();
    patch(&vhd, 1536 + 4 * 24, &bytes[1536..1540]);
    let ran = run_in(dir, &["image", "verify", "a.vhd"]);
    assert_eq!(ran.code, 4);
    assert!(ran.out.contains("the block of 0x"), "{}", ran.out);
}

#[test]
fn verify_compares_the_digests_of_a_folder() {
    let dir = small_project("");
    let dir = dir.path();
    ok_in(dir, &["build", "p.yml", "--out", "out"]);
    ok_in(dir, &["image", "verify", "out"]);
    patch(&dir.join("out/small-1.0.raw"), SMALL_ROOT + (20 << 20), b"x");
    let ran = run_in(dir, &["image", "verify", "out"]);
    assert_eq!(ran.code, 4);
    let sum = tool("sha256sum", &[text(&dir.join("out/small-1.0.raw"))])[..64].to_owned();
    assert!(ran.out.starts_with("small-1.0.raw: sha256: expected "), "{}", ran.out);
    assert!(ran.out.ends_with(&format!(", found {sum}\n")), "{}", ran.out);
    assert!(ran.err.ends_with("error: out is not good: 1 finding\n"), "{}", ran.err);
    fs::remove_file(dir.join("out/small-1.0.qcow2")).unwrap();
    let ran = run_in(dir, &["image", "verify", "out"]);
    assert!(ran.out.contains("small-1.0.qcow2: file: expected a regular file, found none"));
}

/// A copy of the base whose files are changed by debugfs.
fn changed_files(dir: &Path) -> PathBuf {
    let other = dir.join("b.raw");
    fs::copy(dir.join("base.raw"), &other).unwrap();
    fs::write(dir.join("new"), "new\n").unwrap();
    let commands = dir.join("commands");
    let mut script = File::create(&commands).unwrap();
    for command in [
        &format!("write {} /etc/new", text(&dir.join("new"))),
        "rm /var/log/syslog.1",
        "rm /etc/skel/.profile",
        &format!("write {} /etc/skel/.profile", text(&dir.join("new"))),
        "set_inode_field /etc/shadow mode 0100600",
        "set_inode_field /etc/group uid 1000",
        "ea_set /usr/bin/sh security.capability abc",
        "rm /bin",
        "symlink /bin /usr/bin",
    ] {
        writeln!(script, "{command}").unwrap();
    }
    let place = format!("{}?offset={SMALL_ROOT}", text(&other));
    tool("debugfs", &["-w", "-f", text(&commands), &place]);
    other
}

#[test]
fn diff_tells_every_change_of_files() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    small_base(dir);
    let same = run_in(dir, &["image", "diff", "base.raw", "base.raw"]);
    assert_eq!((same.code, same.out.as_str()), (0, ""));
    changed_files(dir);
    let files = run_in(dir, &["image", "diff", "--files", "base.raw", "b.raw"]);
    assert_eq!((files.code, files.err.as_str()), (1, ""));
    let expected = "\
changed /bin: target \"usr/bin\" -> \"/usr/bin\"
changed /etc/group: owner \"0:0\" -> \"1000:0\"
added /etc/new
changed /etc/shadow: mode \"0640\" -> \"0600\"
changed /etc/skel/.profile: content
changed /usr/bin/sh: xattr \"\" -> \"security.capability=0x616263\"
removed /var/log/syslog.1
";
    assert_eq!(files.out, expected);
    // A folder that becomes a file takes along what was in it.
    let place = format!("{}?offset={SMALL_ROOT}", text(&dir.join("b.raw")));
    for command in ["rm /boot/grub/grub.cfg", "rmdir /boot/grub", "symlink /boot/grub x"] {
        tool("debugfs", &["-w", "-R", command, &place]);
    }
    let files = run_in(dir, &["image", "diff", "--files", "base.raw", "b.raw"]).out;
    assert!(files.contains("changed /boot/grub: kind \"directory\" -> \"symlink\", "), "{files}");
    assert!(files.contains("removed /boot/grub/grub.cfg\n"), "{files}");
    // What cannot be compared is no difference.
    fs::write(dir.join("x.qcow2"), b"QFI\xfb").unwrap();
    assert_eq!(run_in(dir, &["image", "diff", "base.raw", "x.qcow2"]).code, 3);
    assert_eq!(run_in(dir, &["image", "diff", "base.raw", "none"]).code, 3);
}

#[test]
fn diff_tells_every_change_of_disk_and_partitions() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let raw = small_base(dir);
    let other = changed_files(dir);
    tool("sgdisk", &["-c15:esp", "-t1:8304", text(&other)]);
    tool("truncate", &["-s", "+1M", text(&other)]);
    let found = run_in(dir, &["image", "diff", "--json", "base.raw", "b.raw"]);
    assert_eq!(found.code, 1);
    let found: Value = serde_json::from_str(&found.out).unwrap();
    assert_eq!(found["disk"]["size"], serde_json::json!([64 << 20, 65 << 20]));
    let changed = found["partitions"]["changed"].as_array().unwrap();
    assert_eq!((&changed[0]["number"], &changed[0]["fields"][0][0]), (&1.into(), &"type".into()));
    assert_eq!(changed[1]["fields"][0][2], "esp");
    assert_eq!(found["files"]["changes"].as_array().unwrap().len(), 7);
    // The blocks that cmp finds, and no others.
    let judge = Command::new("cmp").args(["-l", text(&raw), text(&other)]).output().unwrap();
    let bytes = String::from_utf8(judge.stdout).unwrap();
    let place = |line: &str| line.split_whitespace().next().unwrap().parse::<u64>().unwrap();
    let expected: BTreeSet<u64> = bytes.lines().map(|line| (place(line) - 1) / 4096).collect();
    let ranges = found["disk"]["ranges"].as_array().unwrap().iter();
    let own: BTreeSet<u64> = ranges
        .flat_map(|range| {
            let end = range["end"].as_u64().unwrap().div_ceil(4096);
            range["start"].as_u64().unwrap() / 4096..end
        })
        .collect();
    assert_eq!(own, expected);
    let disk = run_in(dir, &["image", "diff", "--disk", "base.raw", "b.raw"]);
    assert!(disk.out.starts_with("disk: size 67108864 -> 68157440\n"), "{}", disk.out);
}

#[test]
fn a_file_system_that_was_not_unmounted_is_read_with_a_note() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let raw = small_base(dir);
    let place = format!("{}?offset={SMALL_ROOT}", text(&raw));
    tool("debugfs", &["-w", "-R", "feature needs_recovery", &place]);
    let cat = ok_in(dir, &["image", "cat", "base.raw", "/etc/group"]);
    assert!(cat.out.starts_with("root:x:0:"));
    assert!(cat.err.contains("its journal has to be replayed; what is shown may be out of date"));
    let found = json(dir, &["image", "inspect", "--json", "base.raw"]);
    let unclean = found["volumes"][0]["file_system"]["unclean"].as_str().unwrap();
    assert!(unclean.starts_with("not unmounted cleanly"));
}

#[test]
fn hostile_images_are_errors_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let raw = small_base(dir);
    ok_in(dir, &["image", "convert", "base.raw", "a.qcow2"]);
    ok_in(dir, &["image", "convert", "base.raw", "a.vmdk"]);
    ok_in(dir, &["image", "convert", "base.raw", "a.vhdx"]);
    fs::write(dir.join("disk.ovf"), "<Envelope/>").unwrap();
    tool("sh", &["-c", &format!("cd {} && tar -cf a.ova disk.ovf a.vmdk", text(dir))]);
    let mut state = 7u64;
    let mut next = move |below: u64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % below
    };
    let sources = [
        (raw, 4u64 << 20),
        (dir.join("a.qcow2"), 1 << 18),
        (dir.join("a.vmdk"), 1 << 17),
        (dir.join("a.vhdx"), 4 << 20),
        (dir.join("a.ova"), 2048),
    ];
    for round in 0..60 {
        let (source, reach) = &sources[round % sources.len()];
        let file = dir.join("bad");
        fs::copy(source, &file).unwrap();
        let size = fs::metadata(&file).unwrap().len();
        for _ in 0..8 {
            patch(&file, next((*reach).min(size)), &[next(256) as u8, 0xff]);
        }
        if round % 7 == 0 {
            File::options().write(true).open(&file).unwrap().set_len(next(size)).unwrap();
        }
        for args in [&["inspect", "--drivers"][..], &["ls", "-R"], &["verify"]] {
            let args = [&["--quiet", "image"], args, &["bad"]].concat();
            let output = bootwright().args(&args).current_dir(dir).output().unwrap();
            let code = output.status.code();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(matches!(code, Some(0 | 3 | 4)), "round {round} {args:?}: {code:?} {said}");
        }
    }
}
