//! Growing, judged by e2fsck, resize2fs, sgdisk and our own edits on what has grown.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

mod common;

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Arc;

use bootwright_disk::raw::Raw;
use bootwright_disk::view::{Cow, CowOptions, Grown, View, WriteView};
use bootwright_rootfs::{Content, Edit, Meta, grow_root};

use common::{NOW, base, edit, fsck, mke2fs, run, save};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// A layer over an image file, on a disk of `size` bytes.
fn grown(path: &Path, size: u64) -> Arc<dyn WriteView> {
    let raw = Raw::new(std::fs::File::open(path).unwrap()).unwrap();
    Arc::new(Cow::new(Grown::new(raw, size), CowOptions::default()))
}

fn file(path: &str, len: usize) -> Edit {
    Edit::File { path: path.into(), content: Content::Bytes(vec![7; len]), meta: Meta::default() }
}

/// Grows a new file system, uses the new room, and has it judged; gives the block count.
fn check(dir: &Path, options: &[&str], (from, to): (&str, u64)) -> u64 {
    let (path, out) = (dir.join("fs.img"), dir.join("out.img"));
    let _ = std::fs::remove_file(&path);
    mke2fs(&path, from, &[&["-L", "cloudimg-rootfs"], options].concat());
    let disk = grown(&path, to);
    let growth = grow_root(&disk, NOW).unwrap().expect("there is room");
    assert!(growth.after > growth.before && growth.after <= to, "{options:?} {growth:?}");
    assert_eq!(grow_root(&disk, NOW).unwrap(), None, "{options:?}: a second time");
    save(&disk, &out);
    fsck(&out);
    // The new groups are usable: more than the old ones held goes in.
    let size = std::fs::metadata(&path).unwrap().len();
    let edits: Vec<Edit> =
        (0..(size / (16 * MIB)).clamp(2, 40)).map(|n| file(&format!("/f{n}"), 16 << 20)).collect();
    edit(&disk, &edits).unwrap();
    save(&disk, &out);
    fsck(&out);
    let header = run("dumpe2fs", &["-h", out.to_str().unwrap()]);
    let line = header.lines().find(|line| line.starts_with("Block count:")).unwrap();
    let blocks = line.split_whitespace().last().unwrap().parse().unwrap();
    // resize2fs finds everything where it expects it, and goes on from there.
    let more = OpenOptions::new().write(true).open(&out).unwrap();
    more.set_len(to + 2 * GIB).unwrap();
    run("resize2fs", &[out.to_str().unwrap()]);
    fsck(&out);
    blocks
}

#[test]
fn file_systems_of_every_kind_grow() {
    let dir = tempfile::tempdir().unwrap();
    let check = |options: &[&str], sizes| check(dir.path(), options, sizes);
    let ext4 = ["-t", "ext4", "-b", "4096"];
    let with = |more: &[&'static str]| [&ext4[..], more].concat();
    assert_eq!(check(&ext4, ("300M", GIB)), GIB / 4096);
    assert_eq!(check(&with(&["-m", "0", "-i", "8192"]), ("2G", 20 * GIB)), 20 * GIB / 4096);
    check(&with(&["-O", "^metadata_csum,uninit_bg,^64bit"]), ("300M", 3 * GIB));
    check(&with(&["-O", "^metadata_csum,^uninit_bg,^64bit"]), ("200M", GIB));
    check(&with(&["-O", "metadata_csum_seed,orphan_file"]), ("256M", 5 * GIB));
    check(&with(&["-O", "^flex_bg"]), ("300M", GIB));
    check(&with(&["-I", "128", "-O", "^metadata_csum"]), ("300M", GIB));
    check(&["-t", "ext4", "-b", "1024"], ("40M", 700 * MIB));
    check(&["-t", "ext4", "-b", "2048"], ("100M", 1500 * MIB));
    check(&["-t", "ext3", "-b", "4096"], ("200M", 2 * GIB));
}

#[test]
fn odd_sizes_grow_to_what_is_worth_having() {
    let dir = tempfile::tempdir().unwrap();
    for to in [128 * MIB + 4096, 129 * MIB, 131 * MIB, 256 * MIB, 383 * MIB + 12345 * 512] {
        check(dir.path(), &["-t", "ext4", "-b", "4096"], ("100M", to));
    }
    // Not a block more: there is nothing to do.
    let path = dir.path().join("fs.img");
    assert_eq!(grow_root(&grown(&path, 100 * MIB + 512), NOW).unwrap(), None);
}

#[test]
fn what_cannot_grow_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fs.img");
    let refused = |options: &[&str], to, reason: &str| {
        let _ = std::fs::remove_file(&path);
        mke2fs(&path, "64M", &[&["-L", "cloudimg-rootfs", "-t", "ext4"], options].concat());
        let disk = grown(&path, to);
        let error = grow_root(&disk, NOW).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
        save(&disk, &dir.path().join("out.img"));
        fsck(&dir.path().join("out.img"));
    };
    refused(&["-O", "^resize_inode"], GIB, "resize_inode");
    refused(&["-O", "meta_bg,^resize_inode"], GIB, "resize_inode");
    refused(&["-b", "4096", "-E", "resize=20000"], 100 * GIB, "reserved to grow to");
}

#[test]
fn hostile_file_systems_are_refused_and_never_panic() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fs.img");
    mke2fs(&path, "64M", &["-L", "cloudimg-rootfs", "-t", "ext4", "-b", "4096"]);
    let sound = std::fs::read(&path).unwrap();
    // Every field of super block, first descriptors, and the resize inode.
    let inode =
        4096 * u64::from(u32::from_le_bytes(sound[4104..4108].try_into().unwrap())) + 6 * 256;
    let places = (1024..2048).step_by(4).chain((4096..4224).step_by(4));
    for at in places.chain((inode as usize..inode as usize + 128).step_by(4)) {
        for value in [0u32, 1, 0x7fff_ffff, u32::MAX] {
            let disk = grown(&path, 300 * MIB);
            disk.write_at(at as u64, &value.to_le_bytes()).unwrap();
            let _ = grow_root(&disk, NOW);
        }
    }
}

#[test]
fn the_three_layouts_of_published_images_grow() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.img");
    for name in ["debian", "mbr", "xboot"] {
        let image = bootwright_disk::open(&base(name), None).unwrap().view;
        let disk: Arc<dyn WriteView> =
            Arc::new(Cow::new(Grown::new(image, 20 * GIB), CowOptions::default()));
        let growth = grow_root(&disk, NOW).unwrap().expect("there is room");
        assert!(growth.after > 18 * GIB && growth.after <= 20 * GIB, "{name}: {growth:?}");
        edit(&disk, &[file("/var/big", 64 << 20)]).unwrap();
        save(&disk, &out);
        let table = bootwright_disk::partition::read(&disk).unwrap().unwrap();
        let root = table.partitions.iter().max_by_key(|found| found.start).unwrap();
        assert!(disk.size() - root.start - root.len <= 2 * MIB, "{name}");
        let place = format!("{}?offset={}", out.display(), root.start);
        run("e2fsck", &["-f", "-n", &place]);
        match name {
            "mbr" => drop(run("sfdisk", &["--verify", out.to_str().unwrap()])),
            _ => {
                let verdict = run("sgdisk", &["-v", out.to_str().unwrap()]);
                assert!(verdict.contains("No problems found"), "{name}: {verdict}");
            }
        }
    }
}
