//! Which of a disk's file systems is the root, and which states of one are refused.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bootwright_disk::view::WriteView;
use bootwright_rootfs::{Contents, Edit, Tree, find_root, volumes};

use crate::common::{Mounted, NOW, Sandbox, chain, edit, mke2fs, raw, refusal, run};

const ROOT_X86_64: &str = "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709";
const LINUX: &str = "8300";
const MIB: u64 = 1 << 20;

/// A partition of 8 MiB: its type, and the file that is its content.
struct Part<'a> {
    kind: &'a str,
    image: Option<PathBuf>,
}

fn part(kind: &str, image: Option<PathBuf>) -> Part<'_> {
    Part { kind, image }
}

/// A disk with these partitions, numbered from 3 on.
fn disk(dir: &Path, parts: &[Part<'_>]) -> Arc<dyn WriteView> {
    let path = dir.join("disk.img");
    let file = fs::File::create(&path).unwrap();
    file.set_len((parts.len() as u64 * 8 + 2) * MIB).unwrap();
    let mut args = vec!["-o".to_owned()];
    for (index, part) in parts.iter().enumerate() {
        let number = index + 3;
        args.push(format!("--new={number}:{}M:+8M", 1 + 8 * index));
        args.push(format!("--typecode={number}:{}", part.kind));
    }
    args.push(path.to_str().unwrap().to_owned());
    run("sgdisk", &args.iter().map(String::as_str).collect::<Vec<_>>());
    for (index, part) in parts.iter().enumerate() {
        if let Some(image) = &part.image {
            let start = (1 + 8 * index as u64) * MIB;
            file.write_all_at(&fs::read(image).unwrap(), start).unwrap();
        }
    }
    raw(&path)
}

/// A file system with these files.
fn ext4(dir: &Path, name: &str, label: &str, files: &[&str]) -> PathBuf {
    let (path, tree) = (dir.join(name), dir.join(format!("{name}.tree")));
    for file in files {
        let file = tree.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "").unwrap();
    }
    fs::create_dir_all(&tree).unwrap();
    mke2fs(&path, "8M", &["-t", "ext4", "-L", label, "-d", tree.to_str().unwrap()]);
    path
}

fn fat(dir: &Path) -> PathBuf {
    let path = dir.join("fat");
    fs::File::create(&path).unwrap().set_len(8 * MIB).unwrap();
    run("mkfs.vfat", &["-n", "UEFI", "-i", "1a2b3c4d", path.to_str().unwrap()]);
    path
}

fn root(disk: &Arc<dyn WriteView>) -> Result<u32, String> {
    let volumes = volumes(disk).unwrap();
    let root = find_root(&volumes).map_err(|error| chain(&error))?;
    Ok(volumes[root].partition.as_ref().map_or(0, |partition| partition.number))
}

#[test]
fn by_label_by_type_or_by_content() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let system = ext4(dir, "system", "", &["etc/passwd"]);
    let release = ext4(dir, "release", "x", &["etc/os-release"]);
    let cloud = ext4(dir, "cloud", "cloudimg-rootfs", &[]);
    let data = ext4(dir, "data", "data", &["etc"]);
    let some = |path: &PathBuf| Some(path.clone());

    let labelled =
        [part(LINUX, some(&system)), part(ROOT_X86_64, some(&data)), part(LINUX, some(&cloud))];
    assert_eq!(root(&disk(dir, &labelled)), Ok(5), "the label comes first");
    let typed = [part(LINUX, some(&system)), part(ROOT_X86_64, some(&data))];
    assert_eq!(root(&disk(dir, &typed)), Ok(4), "then the type");
    let content =
        [part("ef00", Some(fat(dir))), part(LINUX, some(&data)), part(LINUX, some(&release))];
    assert_eq!(root(&disk(dir, &content)), Ok(5), "then what it holds");
    assert_eq!(root(&raw(&system)), Ok(0), "a disk may have no partitions");

    // What is typed as a root and holds none is no root.
    let empty = [part(ROOT_X86_64, None), part(LINUX, some(&system))];
    assert_eq!(root(&disk(dir, &empty)), Ok(4));
}

#[test]
fn none_or_two() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let system = ext4(dir, "system", "", &["etc/passwd"]);
    let data = ext4(dir, "data", "data", &["etc"]);
    let cloud = ext4(dir, "cloud", "cloudimg-rootfs", &[]);
    let none = [part("ef00", Some(fat(dir))), part(LINUX, Some(data)), part(LINUX, None)];
    assert_eq!(
        root(&disk(dir, &none)).unwrap_err(),
        "no root file system found: the image holds partition 3 (FAT, UEFI); partition 4 (ext4, \
         data); partition 5 (no known file system); none is an ext4 labelled cloudimg-rootfs, \
         typed as a root partition or holding an operating system"
    );
    let two = [part(LINUX, Some(system.clone())), part(LINUX, Some(system))];
    assert_eq!(
        root(&disk(dir, &two)).unwrap_err(),
        "no root file system found: partition 3 (ext4); partition 4 (ext4) could each be it; \
         label one of them cloudimg-rootfs"
    );
    let labelled = [part(LINUX, Some(cloud.clone())), part(LINUX, Some(cloud))];
    assert!(root(&disk(dir, &labelled)).unwrap_err().contains("could each be it"));
    let empty = dir.join("empty");
    fs::File::create(&empty).unwrap().set_len(MIB).unwrap();
    let error = root(&raw(&empty)).unwrap_err();
    assert!(error.contains("holds the disk (no known file system); none"), "{error}");
}

#[test]
fn what_a_volume_is() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let uuid = "0b007000-0000-4000-8000-000000000001";
    let system = ext4(dir, "system", "näme", &["etc/passwd"]);
    run("tune2fs", &["-U", uuid, system.to_str().unwrap()]);
    let parts = [part("ef00", Some(fat(dir))), part(LINUX, Some(system)), part(LINUX, None)];
    let volumes = volumes(&disk(dir, &parts)).unwrap();
    let fat = Contents::Fat { label: "UEFI".to_owned(), serial: "1A2B-3C4D".to_owned() };
    assert_eq!(volumes[0].contents, fat);
    let Contents::Ext4 { label, uuid: found, written } = &volumes[1].contents else {
        panic!("{:?}", volumes[1].contents);
    };
    assert_eq!((label.as_str(), found.to_string().as_str()), ("näme", uuid));
    assert!(*written > 1_600_000_000, "{written}");
    assert_eq!(volumes[2].contents, Contents::Other);
    let tree = Tree::open(&disk(dir, &parts), NOW).unwrap();
    assert_eq!(tree.root_volume().place, "partition 4 (ext4, näme)");
}

/// A file system that cannot be read is passed over only if another one is the root.
#[test]
fn a_damaged_neighbour() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let system = ext4(dir, "system", "", &["etc/passwd"]);
    let damaged = ext4(dir, "damaged", "d", &[]);
    let file = fs::OpenOptions::new().write(true).open(&damaged).unwrap();
    file.write_all_at(&[2], 1024 + 0x3a).unwrap();
    let both = [part(LINUX, Some(damaged.clone())), part(LINUX, Some(system))];
    assert_eq!(root(&disk(dir, &both)), Ok(4));
    assert_eq!(
        root(&disk(dir, &[part(LINUX, Some(damaged))])).unwrap_err(),
        "partition 3 (ext4, d): the file system is marked as damaged or in use; run e2fsck -f on it"
    );
}

/// As an image that was copied while its machine was running.
#[test]
fn a_journal_to_be_replayed() {
    let image = Sandbox::new(16, &["-t", "ext4"]);
    let path = image.dir.path().join("fs.img");
    let mounted = Mounted::writable(&path, &image.dir.path().join("mnt"));
    fs::write(mounted.at.join("file"), "x").unwrap();
    let copy = image.dir.path().join("copy.img");
    run("sync", &["-f", mounted.at.to_str().unwrap()]);
    fs::copy(&path, &copy).unwrap();
    drop(mounted);
    let expected = "the disk (ext4, cloudimg-rootfs): the file system was not unmounted cleanly \
                    and its journal has to be replayed; boot the image once and shut it down, or \
                    run e2fsck on it";
    assert_eq!(refusal(&raw(&copy), &[]), expected);
    // The way out that the message names is one.
    std::process::Command::new("e2fsck").args(["-fy", copy.to_str().unwrap()]).output().unwrap();
    edit(&raw(&copy), &[Edit::remove("/file")]).unwrap();
}

#[test]
fn damaged_super_blocks_and_truncated_images() {
    let image = Sandbox::new(8, &["-t", "ext4", "-L", "cloudimg-rootfs"]);
    let path = image.dir.path().join("fs.img");
    let pristine = fs::read(&path).unwrap();
    let with = |at: usize, value: &[u8], len: usize| {
        let mut bytes = pristine[..len].to_vec();
        bytes[at..at + value.len()].copy_from_slice(value);
        fs::write(&path, bytes).unwrap();
        refusal(&raw(&path), &[])
    };
    let all = pristine.len();
    let place = "the disk (ext4, cloudimg-rootfs)";
    let truncated = with(0, &[], all / 2);
    assert_eq!(
        truncated,
        format!(
            "{place}: the file system (8192 blocks of 1024 bytes) is larger than its partition \
             (4194304 bytes); the image is truncated or badly resized"
        )
    );
    // A byte that only the checksum notices.
    let checksum = with(1024 + 0x88, b"/mnt", all);
    let problem = "Superblock checksum does not match superblock; run e2fsck -f on it";
    assert_eq!(checksum, format!("{place}: {problem}"));
    let no_magic = with(1024 + 0x38, &[0], all);
    assert!(no_magic.contains("the disk (no known file system)"), "{no_magic}");
    let first = with(1024 + 0x14, &[9], all);
    assert!(first.contains("claims 9 as first block, which no image has"), "{first}");
}

#[test]
fn features_that_are_not_edited() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fs.img");
    for (feature, reason) in [
        ("inline_data", "keeps small files in inodes (inline_data)"),
        ("ea_inode", "keeps large attributes in inodes (ea_inode)"),
        ("bigalloc", "allocates in clusters (bigalloc)"),
        ("quota", "keeps quotas (quota)"),
        ("encrypt", "is encrypted (encrypt)"),
        ("verity", "holds verity files (verity)"),
        ("mmp", "protects against double mounts (mmp)"),
    ] {
        mke2fs(&path, "16M", &["-t", "ext4", "-L", "cloudimg-rootfs", "-O", feature]);
        assert_eq!(
            refusal(&raw(&path), &[]),
            format!(
                "the disk (ext4, cloudimg-rootfs): the file system {reason}; make one without \
                 this feature; its files cannot be edited here"
            )
        );
    }
}
