//! What is deleted is gone, and what is untouched stays as the base has it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bootwright_disk::view::{Cow, CowOptions, ExtentKind, View, WriteView, read_vec};
use bootwright_rootfs::{Content, Edit, Meta};

use crate::common::{Mounted, base, edit, fsck, layer, mke2fs, raw, run, save};

const SECRET: &[u8] = b"SECRET-of-the-image-maker-0b007";
const CLUSTER: u64 = 64 << 10;

fn count(view: &dyn View) -> usize {
    let bytes = read_vec(view, 0, view.size()).unwrap();
    bytes.windows(SECRET.len()).filter(|window| *window == SECRET).count()
}

/// Files with secrets in every place where ext4 keeps content, by the kernel.
fn secrets(dir: &Path, options: &[&str]) -> Arc<dyn WriteView> {
    let path = dir.join("fs.img");
    mke2fs(&path, "24M", &[&["-L", "cloudimg-rootfs"], options].concat());
    let mounted = Mounted::writable(&path, &dir.join("mnt"));
    let at = |name: &str| mounted.at.join(name);
    let text = |times: usize| SECRET.repeat(times);
    fs::create_dir(at("dir")).unwrap();
    fs::write(at("small"), text(1)).unwrap();
    fs::write(at("dir/large"), text(20_000)).unwrap();
    fs::write(at("rewritten"), text(300)).unwrap();
    fs::write(at("replaced"), text(300)).unwrap();
    fs::write(at("appended"), text(3)).unwrap();
    let secret = std::str::from_utf8(SECRET).unwrap();
    std::os::unix::fs::symlink(secret, at("inline-link")).unwrap();
    std::os::unix::fs::symlink(secret.repeat(9), at("block-link")).unwrap();
    fs::write(at("attributes"), "").unwrap();
    let file = at("attributes").to_str().unwrap().to_owned();
    run("setfattr", &["-n", "user.small", "-v", secret, &file]);
    run("setfattr", &["-n", "user.large", "-v", &secret.repeat(20), &file]);
    drop(mounted);
    raw(&path)
}

#[test]
fn nothing_deleted_can_be_read() {
    let kinds: [&[&str]; 4] = [
        &["-t", "ext4", "-b", "4096", "-O", "^has_journal"],
        &["-t", "ext4", "-b", "1024", "-O", "^has_journal"],
        &["-t", "ext2", "-b", "4096"],
        &["-t", "ext4", "-b", "4096", "-I", "128", "-O", "^has_journal"],
    ];
    for options in kinds {
        let dir = tempfile::tempdir().unwrap();
        let disk = secrets(dir.path(), options);
        assert!(count(&disk) > 20_000, "{options:?}");
        let none = || Content::Bytes(b"nothing".to_vec());
        let edits = [
            Edit::remove("/small"),
            Edit::remove("/dir"),
            Edit::Rewrite { path: b"/rewritten".to_vec(), content: none() },
            Edit::text("/replaced", "", 0o644),
            Edit::Replace { path: b"/appended".to_vec(), from: SECRET.to_vec(), to: b"x".to_vec() },
            Edit::remove("/inline-link"),
            Edit::remove("/block-link"),
            Edit::remove("/attributes"),
            // Made and removed in the same session.
            Edit::text("/short-lived/file", SECRET, 0o644),
            Edit::remove("/short-lived"),
        ];
        edit(&disk, &edits).unwrap();
        assert_eq!(count(&disk), 0, "{options:?}");
        let image = dir.path().join("out.img");
        save(&disk, &image);
        fsck(&image);
    }
}

#[test]
fn removed_attributes_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let disk = secrets(dir.path(), &["-t", "ext4", "-b", "4096", "-O", "^has_journal"]);
    let remove = |name: &str| Edit::RemoveXattr {
        path: b"/attributes".to_vec(),
        name: name.as_bytes().to_vec(),
    };
    let before = count(&disk);
    edit(&disk, &[remove("user.large")]).unwrap();
    assert_eq!(count(&disk), before - 20);
    edit(&disk, &[remove("user.small")]).unwrap();
    assert_eq!(count(&disk), before - 21);
}

#[test]
fn nothing_deleted_can_be_read_on_fat() {
    let disk = layer(&base("xboot"));
    let put = |name: &str, times: usize| {
        Edit::text(&format!("/boot/efi/{name}"), SECRET.repeat(times), 0o644)
    };
    let edits = [put("small", 1), put("dir/large", 30_000), put("rewritten", 500), put("kept", 1)];
    edit(&disk, &edits).unwrap();
    assert_eq!(count(&disk), 30_502);
    let edits = [
        Edit::remove("/boot/efi/small"),
        Edit::remove("/boot/efi/dir"),
        Edit::Rewrite {
            path: b"/boot/efi/rewritten".to_vec(),
            content: Content::Bytes(b"short".to_vec()),
        },
    ];
    edit(&disk, &edits).unwrap();
    assert_eq!(count(&disk), 1);
}

/// The clusters of a view that can be passed through as the base has them.
fn deflated(view: &dyn View) -> usize {
    let clusters = (0..view.size() / CLUSTER).map(|cluster| cluster * CLUSTER);
    clusters.filter(|&at| view.deflated(at, CLUSTER).unwrap().is_some()).count()
}

/// Bytes that are not known to be zero.
fn stored(view: &dyn View) -> u64 {
    let (mut at, mut sum) = (0, 0);
    while at < view.size() {
        let extent = view.extent_at(at).unwrap();
        sum += if extent.kind == ExtentKind::Data { extent.end - at } else { 0 };
        at = extent.end;
    }
    sum
}

#[test]
fn untouched_clusters_are_passed_through() {
    for name in ["debian", "mbr", "xboot"] {
        let disk = layer(&base(name));
        let before = deflated(&disk);
        assert!(before > 1000, "{name}: {before}");
        edit(&disk, &[Edit::text("/etc/one-small-file", "x", 0o644)]).unwrap();
        let touched = before - deflated(&disk);
        // The super block, descriptors, two bitmaps, an inode, a directory, a block.
        assert!(touched <= 10, "{name}: {touched} of {before} clusters");
        let one = deflated(&disk);
        edit(&disk, &[Edit::text("/etc/another", "y", 0o644)]).unwrap();
        assert!(one - deflated(&disk) <= 2, "{name}: the second edit costs next to nothing");
    }
}

#[test]
fn free_clusters_become_holes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fs.img");
    mke2fs(&path, "64M", &["-t", "ext4", "-b", "4096", "-L", "cloudimg-rootfs"]);
    let mounted = Mounted::writable(&path, &dir.path().join("mnt"));
    fs::write(mounted.at.join("keep"), vec![1; 1 << 20]).unwrap();
    fs::write(mounted.at.join("free"), vec![2; 20 << 20]).unwrap();
    fs::remove_file(mounted.at.join("free")).unwrap();
    fs::write(mounted.at.join("large"), vec![3; 20 << 20]).unwrap();
    drop(mounted);
    // Without holes of its own.
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, bytes).unwrap();
    let base = bootwright_disk::open(&path, None).unwrap().view;
    let disk: Arc<dyn WriteView> = Arc::new(Cow::new(base, CowOptions::default()));
    assert_eq!(stored(&disk), 64 << 20);
    let meta = Meta { mode: Some(0o600), ..Meta::default() };
    edit(&disk, &[Edit::Attributes { path: b"/keep".to_vec(), meta }]).unwrap();
    let left = stored(&disk);
    // The journal, the inode table, two files, and what shares a cluster with them.
    assert!(left < 32 << 20, "{left} bytes are stored for 21 MiB of files");
    edit(&disk, &[Edit::remove("/large")]).unwrap();
    let less = stored(&disk);
    assert!(left - less > 19 << 20, "{left} to {less}");
    let image = dir.path().join("out.img");
    save(&disk, &image);
    fsck(&image);
    let mounted = Mounted::new(&image, &dir.path().join("mnt"));
    assert_eq!(fs::read(mounted.at.join("keep")).unwrap(), vec![1; 1 << 20]);
}
