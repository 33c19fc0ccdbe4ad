//! Long directories, large files, deep trees.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use bootwright_rootfs::{Content, Edit, Meta};

use crate::common::{Mounted, NOW, Sandbox, digest, edit, fsck, mke2fs, raw, refusal, save};

fn put(path: &str) -> Edit {
    Edit::text(path, "x", 0o644)
}

fn host(path: &str, host: &std::path::Path, size: u64) -> Edit {
    Edit::File {
        path: path.as_bytes().to_vec(),
        content: Content::Host { path: host.to_owned(), size },
        meta: Meta::default(),
    }
}

/// A directory that the kernel has made and hashed is edited, and stays one that the
/// kernel finds everything in.
#[test]
fn hashed_directories() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fs.img");
    mke2fs(&path, "64M", &["-t", "ext4", "-L", "cloudimg-rootfs", "-N", "30000"]);
    let mounted = Mounted::writable(&path, &dir.path().join("mnt"));
    fs::create_dir(mounted.at.join("many")).unwrap();
    for index in 0..6000 {
        File::create(mounted.at.join(format!("many/from-the-kernel-{index}"))).unwrap();
    }
    drop(mounted);
    let disk = raw(&path);
    let mut edits: Vec<_> = (0..6000).map(|index| put(&format!("/many/new-{index}"))).collect();
    edits.extend((0..5000).map(|index| Edit::remove(&format!("/many/from-the-kernel-{index}"))));
    edits.extend((0..5500).map(|index| Edit::remove(&format!("/many/new-{index}"))));
    edits.extend((5500..5800).map(|index| Edit::Rename {
        from: format!("/many/new-{index}").into_bytes(),
        to: format!("/many/renamed-{index}").into_bytes(),
    }));
    edit(&disk, &edits).unwrap();
    let image = dir.path().join("out.img");
    save(&disk, &image);
    fsck(&image);
    let mounted = Mounted::new(&image, &dir.path().join("mnt"));
    assert_eq!(fs::read_dir(mounted.at.join("many")).unwrap().count(), 1500);
    // Looking up goes through the hashes, listing does not.
    for name in (5000..6000).map(|index| format!("from-the-kernel-{index}")) {
        assert!(mounted.at.join("many").join(&name).exists(), "{name}");
    }
    for index in 5500..6000 {
        let name = if index < 5800 { "renamed" } else { "new" };
        assert!(mounted.at.join(format!("many/{name}-{index}")).exists(), "{name}-{index}");
    }
    drop(mounted);
    edit(&disk, &[Edit::remove("/many")]).unwrap();
    save(&disk, &image);
    fsck(&image);
}

/// Adding and removing names does not search the directory for each.
#[test]
fn long_directories_take_no_more_than_their_time() {
    let image = Sandbox::new(64, &["-t", "ext4", "-b", "4096", "-N", "20000"]);
    let start = Instant::now();
    let edits: Vec<_> = (0..10_000).map(|index| put(&format!("/long/file-{index}"))).collect();
    edit(&image.disk, &edits).unwrap();
    edit(&image.disk, &[Edit::remove("/long")]).unwrap();
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert_eq!(image.tree().list(b"/").unwrap(), [b"lost+found"]);
    image.judge();
}

/// The most memory the process has had so far, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

#[test]
fn large_files_are_streamed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large");
    let file = File::create(&path).unwrap();
    let size = (300 << 20) + 5;
    file.set_len(size).unwrap();
    for at in [0, 100 << 20, size - 7] {
        file.write_all_at(b"content", at).unwrap();
    }
    let image = Sandbox::new(400, &["-t", "ext4", "-b", "4096"]);
    let before = peak();
    edit(&image.disk, &[host("/large", &path, size)]).unwrap();
    let grown = peak() - before;
    // Other tests of this process run beside this one.
    assert!(grown < 200 << 20, "{grown} bytes of memory for a file of {size}");
    let mounted = image.judge();
    let copy = digest(File::open(mounted.at.join("large")).unwrap());
    assert!(copy == digest(File::open(&path).unwrap()));
}

#[test]
fn host_files_that_change_are_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    File::create(&path).unwrap().write_all(&[1; 1000]).unwrap();
    let name = path.to_str().unwrap();
    let image = Sandbox::new(8, &["-t", "ext4"]);
    let shorter = refusal(&image.disk, &[host("/file", &path, 1001)]);
    let hint = "than when the build began; build again";
    assert_eq!(shorter, format!("{name}: reading failed: the file is shorter {hint}"));
    let longer = refusal(&image.disk, &[host("/file", &path, 999)]);
    assert_eq!(longer, format!("{name}: reading failed: the file is longer {hint}"));
    let gone = refusal(&image.disk, &[host("/file", &dir.path().join("none"), 1)]);
    assert!(
        gone.ends_with("none: opening failed: No such file or directory (os error 2)"),
        "{gone}"
    );
}

/// Makes `/d/d/…` with directories of the kernel's, which nest as deep as they like.
#[test]
fn deep_trees_are_removed_up_to_a_bound() {
    let image = Sandbox::new(16, &["-t", "ext4", "-N", "2000"]);
    let deep = |depth: usize| format!("/top{}/file", "/d".repeat(depth));
    edit(&image.disk, &[put(&deep(254))]).unwrap();
    edit(&image.disk, &[Edit::remove("/top")]).unwrap();
    image.judge();
    edit(&image.disk, &[put(&deep(300))]).unwrap();
    let error = refusal(&image.disk, &[Edit::remove("/top")]);
    assert_eq!(error, "/top: directories nest deeper than 256 in it");
}

#[test]
fn holes_and_long_symlinks_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fs.img");
    mke2fs(&path, "16M", &["-t", "ext4", "-b", "4096", "-L", "cloudimg-rootfs"]);
    let mounted = Mounted::writable(&path, &dir.path().join("mnt"));
    let file = File::create(mounted.at.join("sparse")).unwrap();
    file.write_all_at(b"middle", 1 << 20).unwrap();
    file.set_len((1 << 20) + 50_000).unwrap();
    drop(file);
    crate::common::run("fallocate", &["-l", "64K", mounted.at.join("unwritten").to_str().unwrap()]);
    let target = "t/".repeat(2000);
    std::os::unix::fs::symlink(&target, mounted.at.join("link")).unwrap();
    drop(mounted);
    let disk = raw(&path);
    let mut tree = bootwright_rootfs::Tree::open(&disk, NOW).unwrap();
    let sparse = tree.read(b"/sparse").unwrap().unwrap();
    assert_eq!(
        (sparse.len(), &sparse[1 << 20..(1 << 20) + 7]),
        ((1 << 20) + 50_000, &b"middle\0"[..])
    );
    assert!(sparse[..1 << 20].iter().all(|&byte| byte == 0));
    assert_eq!(tree.read(b"/unwritten").unwrap().unwrap(), [0; 64 << 10]);
    assert_eq!(tree.readlink(b"/link").unwrap().unwrap(), target.as_bytes());
    assert_eq!(tree.head(b"/sparse", 3).unwrap(), [0; 3]);
    tree.apply(&[Edit::remove("/sparse"), Edit::remove("/unwritten"), Edit::remove("/link")])
        .unwrap();
    tree.finish().unwrap();
    let image = dir.path().join("out.img");
    save(&disk, &image);
    fsck(&image);
}
