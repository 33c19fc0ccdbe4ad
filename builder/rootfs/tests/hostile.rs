//! File systems with damage put in on purpose: whatever an image holds, it is opened, read
//! and edited, or refused, without a panic and without wasting time or memory.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

mod common;

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bootwright_disk::view::{Cow, CowOptions, Memory, WriteView};
use bootwright_rootfs::{Content, Edit, Kind, Meta, Tree};
use common::{NOW, Random, bytes_of, edit, mke2fs, raw, refusal, run};

/// What one damaged image may cost at most: far more than it does, far less than a hang.
const LIMIT: Duration = Duration::from_secs(20);

fn put(path: &str, content: &str) -> Edit {
    Edit::text(path, content, 0o644)
}

/// A tree with something of everything: long directories, symlinks of both kinds, devices,
/// attributes in inodes and in blocks, deep directories.
fn contents() -> Vec<Edit> {
    let mut edits = vec![put("/etc/passwd", "root:x:0:0::/:\n"), put("/etc/fstab", "# none\n")];
    for index in 0..250 {
        edits.push(put(&format!("/many/a-rather-long-name-for-a-file-{index}"), ""));
    }
    let deep = "/deep".repeat(20);
    edits.push(put(&format!("{deep}/file"), "text"));
    edits.push(Edit::symlink("/short", "etc/passwd"));
    edits.push(Edit::symlink("/long", &"x/".repeat(200)));
    edits.push(Edit::Special {
        path: b"/null".to_vec(),
        kind: Kind::CharDevice,
        device: Some((1, 3)),
        meta: Meta::default(),
    });
    edits.push(Edit::HardLink { path: b"/link".to_vec(), target: b"/etc/passwd".to_vec() });
    for (name, len) in [("small", 20), ("large", 400)] {
        let xattrs = vec![(b"user.note".to_vec(), vec![7; len])];
        edits.push(Edit::Attributes {
            path: format!("/many/a-rather-long-name-for-a-file-{}", len % 250).into_bytes(),
            meta: Meta { xattrs, ..Meta::default() },
        });
        edits.push(put(&format!("/{name}"), &"text ".repeat(len * 20)));
    }
    edits
}

/// The bytes of an ext4 file system with [`contents`].
fn ext4(dir: &Path, options: &[&str]) -> Vec<u8> {
    let path = dir.join("fs.img");
    mke2fs(&path, "3M", &[&["-L", "cloudimg-rootfs", "-b", "1024"], options].concat());
    let disk = Arc::new(Memory::new(std::fs::read(&path).unwrap()));
    edit(&(Arc::clone(&disk) as Arc<dyn WriteView>), &contents()).unwrap();
    std::fs::write(&path, Arc::into_inner(disk).unwrap().into_bytes()).unwrap();
    // Hashes the names in directories, as the kernel does.
    run("e2fsck", &["-fyD", path.to_str().unwrap()]);
    std::fs::read(&path).unwrap()
}

/// Reads what can be reached, up to a bound.
fn look(tree: &mut Tree, dir: &[u8], left: &mut usize) {
    for name in tree.list(dir).unwrap_or_default() {
        let path = [dir, b"/", &name].concat();
        if *left == 0 || path.len() > 200 {
            return;
        }
        *left -= 1;
        let _ = (tree.read(&path), tree.xattrs(&path), tree.readlink(&path));
        if tree.attr(&path).is_ok_and(|attr| attr.is_some_and(|attr| attr.kind == Kind::Dir)) {
            look(tree, &path, left);
        }
    }
}

/// Edits of every kind, one after the other whatever the one before has met.
fn edits(random: &mut Random) -> Vec<Edit> {
    let path = |path: &str| path.as_bytes().to_vec();
    let some = format!("/many/a-rather-long-name-for-a-file-{}", random.below(250));
    let xattrs = vec![
        (b"user.more".to_vec(), vec![1; random.below(300)]),
        (b"security.capability".to_vec(), vec![2; 20]),
    ];
    let mut edits = vec![
        Edit::remove(&some),
        Edit::Attributes { path: path("/large"), meta: Meta { xattrs, ..Meta::default() } },
        Edit::RemoveXattr { path: path("/large"), name: path("user.note") },
        Edit::Rewrite { path: path("/large"), content: Content::Bytes(vec![3; 50_000]) },
        Edit::Append { path: path("/etc/passwd"), text: path("more\n") },
        Edit::Rename { from: path("/short"), to: path("/many/short") },
        Edit::Rename { from: path("/deep/deep"), to: path("/other") },
        Edit::HardLink { path: path("/again"), target: path("/small") },
        Edit::remove("/other"),
        Edit::remove("/long"),
    ];
    for index in 0..40 {
        edits.push(put(&format!("/many/a-new-name-that-is-just-as-long-{index}"), "x"));
    }
    edits.push(put("/new/large", &"y".repeat(300_000)));
    edits.push(Edit::remove("/many"));
    edits
}

/// Where the structures are: for each kilobyte that holds any, the bytes that are not zero.
fn structures(image: &[u8], start: usize) -> Vec<Vec<usize>> {
    let blocks = image[start..].chunks(1024).enumerate().map(|(index, block)| {
        let used = block.iter().enumerate().filter(|&(_, &byte)| byte != 0);
        used.map(|(at, _)| start + index * 1024 + at).collect::<Vec<_>>()
    });
    // What is full of one letter is a file.
    blocks.filter(|block| (1..800).contains(&block.len())).collect()
}

fn damage(disk: &Arc<dyn WriteView>, structures: &[Vec<usize>], random: &mut Random) {
    for _ in 0..=random.below(12) {
        let block = &structures[random.below(structures.len())];
        let mut at = block[random.below(block.len())];
        let len = [1, 2, 4][random.below(3)];
        at -= at % len;
        let new = match random.below(6) {
            0 => 0,
            1 => u32::MAX,
            2 => random.below(64) as u32,
            3 => random.below(4096) as u32,
            _ => random.below(usize::MAX >> 31) as u32,
        };
        disk.write_at(at as u64, &new.to_le_bytes()[..len]).unwrap();
    }
}

/// An image to be damaged, and what is done to it then.
struct Victim {
    pristine: Vec<u8>,
    /// Where the damaged file system begins; what is before it stays sound.
    start: usize,
    edits: fn(&mut Random) -> Vec<Edit>,
}

impl Victim {
    /// Damages it `cases` times; gives how often all edits were made nevertheless.
    fn torment(self, cases: u64, seed: u64) -> u64 {
        let structures = structures(&self.pristine, self.start);
        let pristine = Arc::new(Memory::new(self.pristine));
        let mut survived = 0;
        for case in 0..cases {
            let mut random = Random(seed << 32 | case);
            let layer = Cow::new(Arc::clone(&pristine), CowOptions::default());
            let disk: Arc<dyn WriteView> = Arc::new(layer);
            damage(&disk, &structures, &mut random);
            let edits = (self.edits)(&mut random);
            let start = Instant::now();
            survived += u64::from(treat(&disk, &edits));
            assert!(start.elapsed() < LIMIT, "case {case} of seed {seed}: {:?}", start.elapsed());
        }
        survived
    }
}

/// Opens, reads and edits a disk; whether every edit could be made.
fn treat(disk: &Arc<dyn WriteView>, edits: &[Edit]) -> bool {
    let Ok(mut tree) = Tree::open(disk, NOW) else {
        return false;
    };
    look(&mut tree, b"", &mut 600);
    let failed = edits.iter().filter(|edit| tree.apply(std::slice::from_ref(edit)).is_err());
    let all = failed.count() == 0;
    tree.finish().is_ok() && all
}

/// How often each is damaged: enough to find what is not far below the surface. More by
/// hand, with a libext2fs that was built to notice (`-fsanitize=address`).
fn cases() -> u64 {
    std::env::var("HOSTILE_CASES").map_or(1000, |text| text.parse().unwrap())
}

#[test]
fn damaged_ext4() {
    let dir = tempfile::tempdir().unwrap();
    let kinds: [&[&str]; 4] = [
        &["-t", "ext4", "-O", "^metadata_csum,^has_journal"],
        &["-t", "ext4", "-O", "^has_journal"],
        &["-t", "ext2"],
        &["-t", "ext4", "-I", "128", "-O", "^metadata_csum,^has_journal"],
    ];
    for (seed, options) in (1..).zip(kinds) {
        let pristine = ext4(dir.path(), options);
        let survived = Victim { pristine, start: 0, edits }.torment(cases(), seed);
        assert!(survived > 0, "{options:?}: damage that does not matter is refused");
    }
}

/// A disk with an ext4 root, and behind it a FAT that is mounted on /boot/efi.
fn with_fat(dir: &Path, mib: usize, options: &[&str]) -> (Vec<u8>, usize) {
    let (path, root) = (dir.join("disk.img"), dir.join("root.img"));
    let (root_mib, first) = (4, 1);
    std::fs::File::create(&path).unwrap().set_len((mib as u64 + 6) << 20).unwrap();
    let esp = format!("--new=15:{}M:+{mib}M", first + root_mib);
    let args = ["-o", "--new=1:1M:+4M", &esp, "--typecode=15:ef00", path.to_str().unwrap()];
    run("sgdisk", &args);
    mke2fs(&root, "4M", &["-t", "ext4", "-L", "cloudimg-rootfs"]);
    let disk = raw(&root);
    edit(&disk, &[put("/etc/fstab", "LABEL=UEFI /boot/efi vfat defaults 0 1\n")]).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[first << 20..(first + root_mib) << 20].copy_from_slice(&bytes_of(&disk));

    let fat = dir.join("fat.img");
    std::fs::File::create(&fat).unwrap().set_len((mib as u64) << 20).unwrap();
    let args = [&["-n", "UEFI"], options, &[fat.to_str().unwrap()]].concat();
    run("mkfs.vfat", &args);
    let start = (first + root_mib) << 20;
    let fat = std::fs::read(&fat).unwrap();
    bytes[start..start + fat.len()].copy_from_slice(&fat);
    let disk = Arc::new(Memory::new(bytes));
    let mut edits: Vec<_> = (0..40)
        .map(|at| put(&format!("/boot/efi/EFI/some directory/a long name for file {at}"), "text"))
        .collect();
    edits.push(put("/boot/efi/EFI/large", &"y".repeat(100_000)));
    edit(&(Arc::clone(&disk) as Arc<dyn WriteView>), &edits).unwrap();
    (Arc::into_inner(disk).unwrap().into_bytes(), start)
}

fn fat_edits(random: &mut Random) -> Vec<Edit> {
    let some = format!("/boot/efi/EFI/some directory/a long name for file {}", random.below(40));
    let path = |path: &str| path.as_bytes().to_vec();
    let mut edits = vec![
        Edit::remove(&some),
        Edit::Append { path: path("/boot/efi/EFI/large"), text: vec![b'z'; 70_000] },
        Edit::Rename { from: path("/boot/efi/EFI/large"), to: path("/boot/efi/LARGE") },
    ];
    edits.extend((0..20).map(|at| put(&format!("/boot/efi/EFI/some directory/NEW{at}"), "x")));
    edits.push(put("/boot/efi/new directory/file", &"x".repeat(50_000)));
    edits.push(Edit::remove("/boot/efi/EFI"));
    edits
}

#[test]
fn damaged_fat() {
    let dir = tempfile::tempdir().unwrap();
    let kinds: [(usize, &[&str]); 3] =
        [(2, &["-F", "12"]), (5, &["-F", "16", "-s", "1"]), (34, &["-F", "32", "-s", "1"])];
    for (seed, (mib, options)) in (20..).zip(kinds) {
        let (pristine, start) = with_fat(dir.path(), mib, options);
        let survived = Victim { pristine, start, edits: fat_edits }.torment(cases(), seed);
        assert!(survived > 0, "{options:?}: damage that does not matter is refused");
    }
}

/// Points a directory's extent tree at one block many times over, level for level: reading
/// it to its end would take years.
fn endless_extents(image: &Path, dir: &str) {
    let place = run("debugfs", &["-R", &format!("imap {dir}"), image.to_str().unwrap()]);
    let number = |after: &str| {
        let text = place.split(after).nth(1).unwrap().trim_start_matches("0x");
        let end = text.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(text.len());
        text[..end].to_owned()
    };
    let block: u64 = number("located at block ").parse().unwrap();
    let inode = block * 1024 + u64::from_str_radix(&number("offset "), 16).unwrap();
    let node = |depth: u16, room: u16, used: u16, next: u32| {
        let mut bytes = [0xf30a, used, room, depth, 0, 0].map(u16::to_le_bytes).concat();
        for at in 0..u32::from(used) {
            // An index: first logical block, and where the node lies. In a leaf: an extent of
            // no blocks.
            let words = if depth > 0 { [at, next, 0] } else { [0, 0, next] };
            bytes.extend(words.map(u32::to_le_bytes).concat());
        }
        bytes
    };
    let file = std::fs::OpenOptions::new().write(true).open(image).unwrap();
    let first = 3000;
    file.write_all_at(&node(5, 4, 4, first), inode + 40).unwrap();
    for depth in 0..5 {
        let block = first + 4 - u32::from(depth);
        let bytes = node(depth, 84, 84, block + 1);
        file.write_all_at(&bytes, u64::from(block) * 1024).unwrap();
    }
}

#[test]
fn structures_that_lead_back_into_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fs.img");
    let options = ["-t", "ext4", "-O", "^metadata_csum,^has_journal", "-b", "1024"];
    mke2fs(&path, "3M", &[&["-L", "cloudimg-rootfs"], &options[..]].concat());
    let disk = raw(&path);
    edit(&disk, &[put("/endless/file", ""), put("/loop/file", "")]).unwrap();
    std::fs::write(&path, bytes_of(&disk)).unwrap();
    endless_extents(&path, "/endless");
    run("debugfs", &["-w", "-R", "link /loop /loop/again", path.to_str().unwrap()]);

    let disk = raw(&path);
    let start = Instant::now();
    let problem = "the disk (ext4, cloudimg-rootfs): its structures lead back into themselves; \
                   run e2fsck -f on it";
    for edit in [put("/endless/new", ""), Edit::remove("/endless")] {
        let path = String::from_utf8(edit.path().to_vec()).unwrap();
        let error = refusal(&disk, &[edit]);
        assert!(error.ends_with(problem), "{path}: {error}");
    }
    assert!(start.elapsed() < LIMIT, "{:?}", start.elapsed());
    let error = refusal(&disk, &[Edit::remove("/loop")]);
    assert_eq!(error, "/loop: directories nest deeper than 256 in it");
}
