//! Attributes as the kernel sees them.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use bootwright_rootfs::{Edit, Kind, Meta, Xattrs};

use crate::common::{Mounted, Sandbox, edit, fsck, look, mke2fs, raw, refusal, run, save};

/// setuid, a 32-bit owner, and a time, all at once.
fn file(path: &str, meta: Meta) -> Edit {
    Edit::File {
        path: path.as_bytes().to_vec(),
        content: bootwright_rootfs::Content::Bytes(b"x".to_vec()),
        meta,
    }
}

fn xattr(name: &str, value: &[u8]) -> (Vec<u8>, Vec<u8>) {
    (name.as_bytes().to_vec(), value.to_vec())
}

fn with_xattrs(xattrs: Xattrs) -> Meta {
    Meta { xattrs, ..Meta::default() }
}

/// `u::rw-,u:70000:r--,g::r--,m::rw-,o::r--` as getxattr(2) gives it.
fn acl() -> Vec<u8> {
    let none = u32::MAX;
    let entries =
        [(1u16, 6u16, none), (2, 4, 70_000), (4, 4, none), (0x10, 6, none), (0x20, 4, none)];
    let mut value = 2u32.to_le_bytes().to_vec();
    for (tag, perm, id) in entries {
        value.extend(tag.to_le_bytes());
        value.extend(perm.to_le_bytes());
        value.extend(id.to_le_bytes());
    }
    value
}

/// cap_net_bind_service=ep (version 2, effective).
const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

#[test]
fn capabilities_and_acls() {
    let acl_dir = Edit::Dir {
        path: b"/dir".to_vec(),
        meta: with_xattrs(vec![xattr("system.posix_acl_default", &acl())]),
    };
    let image = Sandbox::with(&[
        file("/caps", with_xattrs(vec![xattr("security.capability", &CAPABILITY)])),
        file("/acl", with_xattrs(vec![xattr("system.posix_acl_access", &acl())])),
        acl_dir,
    ]);
    // What was set is what is read.
    let set = image.tree().xattrs(b"/acl").unwrap();
    assert_eq!(set, [xattr("system.posix_acl_access", &acl())]);
    let mounted = image.judge();
    let at = |name: &str| mounted.at.join(name).to_str().unwrap().to_owned();
    let caps = run("getcap", &[&at("caps")]);
    assert!(caps.trim_end().ends_with("cap_net_bind_service=ep"), "{caps}");
    let acls = run("getfacl", &["-nEcp", &at("acl")]);
    let expected = ["user::rw-", "user:70000:r--", "group::r--", "mask::rw-", "other::r--"];
    assert_eq!(acls.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>(), expected);
    let default = run("getfacl", &["-nEcpd", &at("dir")]);
    assert!(default.contains("user:70000:r--"), "{default}");
}

#[test]
fn attributes_in_inodes_and_blocks() {
    let all = vec![
        xattr("security.selinux", b"system_u:object_r:etc_t:s0\0"),
        xattr("trusted.overlay.opaque", b"y"),
        xattr("user.empty", b""),
        xattr("user.large", &[9; 3000]),
        xattr("user.other", &[8; 400]),
    ];
    let image = Sandbox::new(64, &["-t", "ext4", "-b", "4096"]);
    edit(&image.disk, &[file("/file", with_xattrs(all.clone()))]).unwrap();
    let seen = look::kernel(&image.judge().at);
    assert_eq!(seen[&b"/file"[..]].xattrs, all.iter().cloned().collect());
    let edits = [
        Edit::RemoveXattr { path: b"/file".to_vec(), name: b"user.large".to_vec() },
        Edit::RemoveXattr { path: b"/file".to_vec(), name: b"user.absent".to_vec() },
        Edit::Attributes {
            path: b"/file".to_vec(),
            meta: with_xattrs(vec![xattr("user.other", b"short"), xattr("user.new", b"n")]),
        },
    ];
    edit(&image.disk, &edits).unwrap();
    let seen = look::kernel(&image.judge().at);
    let names: Vec<_> = seen[&b"/file"[..]].xattrs.keys().map(|name| name.escape_ascii()).collect();
    let names: Vec<_> = names.into_iter().map(|name| name.to_string()).collect();
    let left =
        ["security.selinux", "trusted.overlay.opaque", "user.empty", "user.new", "user.other"];
    assert_eq!(names, left);
    assert_eq!(seen[&b"/file"[..]].xattrs[&b"user.other"[..]], b"short");
    let free = image.tree().attr(b"/file").unwrap().unwrap();
    assert_eq!(free.size, 1);
}

#[test]
fn attributes_that_cannot_be() {
    let image = Sandbox::with(&[file("/file", Meta::default())]);
    let set = |name: &str, value: &[u8]| Edit::Attributes {
        path: b"/file".to_vec(),
        meta: with_xattrs(vec![xattr(name, value)]),
    };
    let place = "the disk (ext4, cloudimg-rootfs)";
    let cases = [
        (
            set("capability", b""),
            "capability: Linux knows attributes of user., trusted. and security., and \
             system.posix_acl_access and _default"
                .to_owned(),
        ),
        (set("user.", b""), "user.: the name is not a valid one".to_owned()),
        (
            set("system.posix_acl_access", b"u::rwx"),
            "system.posix_acl_access: the value is not an ACL in the form that getxattr(2) gives"
                .to_owned(),
        ),
        (
            set("user.large", &[0; 1024]),
            format!("user.large: more extended attributes than {place} holds for a file"),
        ),
    ];
    for (edit, expected) in cases {
        assert_eq!(refusal(&image.disk, &[edit]), format!("editing /file: {expected}"));
    }
    let pipe = Edit::Special {
        path: b"/pipe".to_vec(),
        kind: Kind::Fifo,
        device: None,
        meta: with_xattrs(vec![xattr("user.x", b"")]),
    };
    assert_eq!(
        refusal(&image.disk, &[pipe]),
        "editing /pipe: user.x: only files and directories have attributes of users"
    );
}

/// The kernel lets files with the same attributes share one block of them.
#[test]
fn shared_blocks_of_attributes_are_copied_before_they_change() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fs.img");
    mke2fs(&path, "16M", &["-t", "ext4", "-L", "cloudimg-rootfs"]);
    let mounted = Mounted::writable(&path, &dir.path().join("mnt"));
    for name in ["a", "b", "c"] {
        let file = mounted.at.join(name);
        fs::write(&file, name).unwrap();
        let (value, file) = ("v".repeat(500), file.to_str().unwrap().to_owned());
        run("setfattr", &["-n", "user.shared", "-v", &value, &file]);
    }
    drop(mounted);
    let acl_block = |name: &str| {
        let stat = run("debugfs", &["-R", &format!("stat {name}"), path.to_str().unwrap()]);
        let block = stat.split("File ACL: ").nth(1).unwrap();
        block.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    };
    assert!(acl_block("a") != 0 && acl_block("a") == acl_block("b"), "the kernel shares no more");
    let disk = raw(&path);
    let edits = [
        Edit::Attributes {
            path: b"/a".to_vec(),
            meta: with_xattrs(vec![xattr("user.own", &[1; 300])]),
        },
        Edit::remove("/b"),
    ];
    edit(&disk, &edits).unwrap();
    let image = dir.path().join("out.img");
    save(&disk, &image);
    fsck(&image);
    let seen = look::kernel(&Mounted::new(&image, &dir.path().join("mnt")).at);
    let shared = |name: &str| seen[name.as_bytes()].xattrs[&b"user.shared"[..]].len();
    assert_eq!((shared("/a"), shared("/c")), (500, 500));
    assert_eq!(seen[&b"/a"[..]].xattrs[&b"user.own"[..]], [1; 300]);
    assert_eq!(seen[&b"/c"[..]].xattrs.len(), 1);
}

fn times(image: &Path, dir: &Path, path: &str) -> (i64, i64, i64) {
    let mounted = Mounted::new(image, &dir.join("mnt"));
    let stat = fs::symlink_metadata(mounted.at.join(path)).unwrap();
    (stat.mtime(), stat.atime(), stat.ctime())
}

#[test]
fn times_beyond_2038_and_before_1970() {
    let image = Sandbox::new(8, &["-t", "ext4"]);
    let small = Sandbox::new(8, &["-t", "ext4", "-I", "128"]);
    let now = crate::common::NOW;
    for (time, in_small) in [
        (2_147_483_648, i64::from(i32::MAX)),
        (15_032_385_535, i64::from(i32::MAX)),
        (-2_000_000_000, -2_000_000_000),
        (0, 0),
    ] {
        let meta = Meta { mtime: Some(time), ..Meta::default() };
        for (sandbox, expected) in [(&image, time), (&small, in_small)] {
            edit(&sandbox.disk, &[file("/file", meta.clone())]).unwrap();
            let path = sandbox.dir.path().join("out.img");
            save(&sandbox.disk, &path);
            fsck(&path);
            assert_eq!(times(&path, sandbox.dir.path(), "file"), (expected, expected, now));
        }
        assert_eq!(image.tree().attr(b"/file").unwrap().unwrap().mtime, time);
    }
}

/// A time that no edit sets stays as it is, to the nanosecond.
#[test]
fn times_stay() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fs.img");
    mke2fs(&path, "8M", &["-t", "ext4", "-L", "cloudimg-rootfs"]);
    let mounted = Mounted::writable(&path, &dir.path().join("mnt"));
    run("touch", &["-d", "@1234567890.123456789", mounted.at.join("file").to_str().unwrap()]);
    drop(mounted);
    let disk = raw(&path);
    let meta = Meta { uid: Some(7), ..Meta::default() };
    edit(&disk, &[Edit::Attributes { path: b"/file".to_vec(), meta }]).unwrap();
    let image = dir.path().join("out.img");
    save(&disk, &image);
    let mounted = Mounted::new(&image, &dir.path().join("mnt"));
    let stat = fs::metadata(mounted.at.join("file")).unwrap();
    assert_eq!((stat.uid(), stat.mtime(), stat.mtime_nsec()), (7, 1_234_567_890, 123_456_789));
    assert_eq!(stat.ctime(), crate::common::NOW);
}

#[test]
fn devices_owners_and_modes() {
    let meta =
        Meta { mode: Some(0o7751), uid: Some(u32::MAX - 1), gid: Some(1 << 16), ..Meta::default() };
    let special = |name: &str, kind, device| Edit::Special {
        path: name.as_bytes().to_vec(),
        kind,
        device,
        meta: meta.clone(),
    };
    let image = Sandbox::with(&[
        file("/file", meta.clone()),
        Edit::Dir { path: b"/dir".to_vec(), meta: meta.clone() },
        special("/null", Kind::CharDevice, Some((1, 3))),
        special("/large", Kind::BlockDevice, Some((4095, 1_048_575))),
        special("/pipe", Kind::Fifo, None),
        special("/socket", Kind::Socket, None),
    ]);
    let mounted = image.judge();
    for name in ["file", "dir", "null", "large", "pipe", "socket"] {
        let stat = fs::symlink_metadata(mounted.at.join(name)).unwrap();
        assert_eq!((stat.uid(), stat.gid()), (u32::MAX - 1, 1 << 16), "{name}");
        assert_eq!(stat.mode() & 0o7777, 0o7751, "{name}");
    }
    let stat = |name: &str| fs::metadata(mounted.at.join(name)).unwrap();
    let numbers =
        |name: &str| (rustix::fs::major(stat(name).rdev()), rustix::fs::minor(stat(name).rdev()));
    assert_eq!((numbers("null"), numbers("large")), ((1, 3), (4095, 1_048_575)));
    assert!(
        stat("null").file_type().is_char_device() && stat("large").file_type().is_block_device()
    );
    assert!(stat("pipe").file_type().is_fifo() && stat("socket").file_type().is_socket());
    let device = image.tree().attr(b"/large").unwrap().unwrap().device;
    assert_eq!(device, Some((4095, 1_048_575)));
}
