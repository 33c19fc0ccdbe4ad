//! Thousands of random edits on every layout of base and many kinds of ext4, judged by
//! e2fsck, by ext4-view and by the kernel, against a model.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

mod common;

use std::path::Path;
use std::sync::Arc;

use bootwright_disk::view::{Window, WriteView};
use bootwright_rootfs::{Edit, Meta, Tree, find_root, volumes};
use common::model::Model;
use common::{Mounted, NOW, Random, base, ext4, fsck, layer, look, save};

/// The root partition of a disk.
fn root_of(disk: &Arc<dyn WriteView>) -> Arc<dyn WriteView> {
    let volumes = volumes(disk).unwrap();
    let root = volumes[find_root(&volumes).unwrap()].partition.clone();
    match root {
        Some(root) => Arc::new(Window::new(Arc::clone(disk), root.start, root.len).unwrap()),
        None => Arc::clone(disk),
    }
}

/// What the kernel sees of a file system with which e2fsck is content.
fn listing(image: &Path, root: &Arc<dyn WriteView>) -> look::Listing {
    save(root.as_ref(), image);
    fsck(image);
    look::kernel(&Mounted::new(image, &image.with_extension("mnt")).at)
}

fn torture(disk: &Arc<dyn WriteView>, edits: usize, seed: u64) {
    let dir = tempfile::tempdir().unwrap();
    let root = root_of(disk);
    let image = dir.path().join("root.img");
    let before = listing(&image, &root);
    let max_time = if look::has_small_inodes(&image) { i32::MAX.into() } else { i64::MAX };
    let mut model = Model::new(before, NOW, max_time);
    let mut random = Random(seed);
    let home = Edit::Dir { path: b"/torture".to_vec(), meta: Meta::default() };
    model.apply(&home);
    let mut tree = Tree::open(disk, NOW).unwrap();
    tree.apply(&[home]).unwrap();
    for round in 0..edits / 50 {
        let batch: Vec<_> = (0..50).map(|_| model.next(&mut random)).collect();
        tree.apply(&batch).unwrap_or_else(|error| panic!("round {round}: {error:?}\n{batch:#?}"));
        if round % 25 == 24 {
            // What is on disk must be whole after every session, not only the last one.
            tree.finish().unwrap();
            tree = Tree::open(disk, NOW).unwrap();
        }
    }
    tree.finish().unwrap();
    let (expected, found) = (model.listing(), listing(&image, &root));
    look::agrees_with_ext4_view(&image, &found);
    for (path, seen) in &expected {
        let shown = String::from_utf8_lossy(path);
        let other = found.get(path).unwrap_or_else(|| panic!("{shown} is missing"));
        assert_eq!(seen, other, "{shown}");
    }
    let extra = found.keys().find(|path| !expected.contains_key(*path));
    assert_eq!(extra.map(|path| String::from_utf8_lossy(path)), None);
}

#[test]
fn base_like_jammy() {
    torture(&layer(&base("debian")), 4000, 1);
}

#[test]
fn base_like_xenial() {
    torture(&layer(&base("mbr")), 4000, 2);
}

#[test]
fn base_like_noble() {
    torture(&layer(&base("xboot")), 4000, 3);
}

#[test]
fn kinds_of_ext4() {
    let kinds: [&[&str]; 7] = [
        &["-t", "ext4"],
        &["-t", "ext4", "-b", "1024"],
        &["-t", "ext4", "-O", "^metadata_csum,^64bit"],
        &["-t", "ext4", "-I", "128"],
        &["-t", "ext4", "-O", "^has_journal,metadata_csum_seed"],
        &["-t", "ext3"],
        &["-t", "ext2"],
    ];
    for (seed, options) in (10..).zip(kinds) {
        let dir = tempfile::tempdir().unwrap();
        println!("{options:?}");
        let disk = ext4(dir.path(), 400, options);
        torture(&disk, 1500, seed);
    }
}
