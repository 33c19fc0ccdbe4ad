//! The same edits give the same bytes, whatever the clock says.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bootwright_disk::view::{ExtentKind, WriteView, read_vec};
use bootwright_rootfs::{Content, Edit, Kind, Meta, Tree};

use crate::common::model::Model;
use crate::common::{Mounted, NOW, Random, base, layer, look, mke2fs, raw, run, save};

/// Hundreds of random edits that a model finds valid.
fn some_edits(dir: &Path, seed: u64) -> Vec<Edit> {
    let path = dir.join("empty.img");
    mke2fs(&path, "8M", &["-t", "ext4"]);
    let listing = look::kernel(&Mounted::new(&path, &dir.join("mnt")).at);
    let mut model = Model::new(listing, NOW, i64::MAX);
    let mut random = Random(seed);
    let home = Edit::Dir { path: b"/torture".to_vec(), meta: Meta::default() };
    model.apply(&home);
    let mut edits = vec![home];
    edits.extend((0..600).map(|_| model.next(&mut random)));
    edits
}

fn apply(disk: &Arc<dyn WriteView>, edits: &[Edit], now: i64) {
    for batch in edits.chunks(100) {
        let mut tree = Tree::open(disk, now).unwrap();
        tree.apply(batch).unwrap();
        tree.finish().unwrap();
    }
}

#[test]
fn twice_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let mut edits = some_edits(dir.path(), 7);
    edits.push(Edit::text("/boot/efi/EFI/new/file.txt", "esp", 0o644));
    edits.push(Edit::text("/boot/new", "boot", 0o644));
    for name in ["mbr", "xboot"] {
        let disks = [layer(&base(name)), layer(&base(name))];
        for disk in &disks {
            apply(disk, &edits, NOW);
            // The clock moves on between the two.
            std::thread::sleep(Duration::from_millis(1100));
        }
        assert_eq!(first_difference(&disks[0], &disks[1]), None, "{name}");
    }
}

/// Where two disks differ first. What neither of them stores is the same.
fn first_difference(a: &Arc<dyn WriteView>, b: &Arc<dyn WriteView>) -> Option<u64> {
    let mut at = 0;
    while at < a.size() {
        let (left, right) = (a.extent_at(at).unwrap(), b.extent_at(at).unwrap());
        let mut end = left.end.min(right.end);
        if left.kind == ExtentKind::Data || right.kind == ExtentKind::Data {
            end = end.min(at + (1 << 20));
            if read_vec(a, at, end - at).unwrap() != read_vec(b, at, end - at).unwrap() {
                return Some(at);
            }
        }
        at = end;
    }
    None
}

/// Every time in the file system is the build's or one that an edit gave; none is the
/// clock's. With 0 the library would ask the clock.
#[test]
fn no_time_comes_from_the_clock() {
    for now in [0, 1, NOW] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fs.img");
        // Its own times are those of another year.
        let made = Command::new("mke2fs")
            .env("E2FSPROGS_FAKE_TIME", "31536000")
            .args(["-q", "-F", "-t", "ext4", "-O", "^has_journal", "-L", "cloudimg-rootfs"])
            .args([path.to_str().unwrap(), "16M"])
            .status();
        assert!(made.unwrap().success());
        let disk = raw(&path);
        let xattrs = vec![(b"user.large".to_vec(), vec![1; 600])];
        let edits = [
            Edit::text("/dir/file", "x", 0o644),
            Edit::symlink("/dir/link", &"t".repeat(100)),
            Edit::Special {
                path: b"/null".to_vec(),
                kind: Kind::CharDevice,
                device: Some((1, 3)),
                meta: Meta::default(),
            },
            Edit::Attributes {
                path: b"/dir/file".to_vec(),
                meta: Meta { xattrs, ..Meta::default() },
            },
            Edit::HardLink { path: b"/hard".to_vec(), target: b"/dir/file".to_vec() },
            Edit::Rewrite { path: b"/hard".to_vec(), content: Content::Bytes(vec![2; 5000]) },
            Edit::Rename { from: b"/dir/link".to_vec(), to: b"/link".to_vec() },
            Edit::remove("/null"),
        ];
        apply(&disk, &edits, now);
        let out = dir.path().join("out.img");
        save(&disk, &out);
        let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        // Four bytes anywhere that read as a time of the last hour.
        let recent = clock.as_secs() as u32 - 3600..=clock.as_secs() as u32;
        let bytes = read_vec(&disk, 0, disk.size()).unwrap();
        let is_recent = |word: &[u8; 4]| recent.contains(&u32::from_le_bytes(*word));
        let (words, _) = bytes.as_chunks::<4>();
        let found: Vec<_> = words.iter().enumerate().filter(|(_, word)| is_recent(word)).collect();
        assert!(found.is_empty(), "times of the clock at {found:?} with {now}");
        let head = run("dumpe2fs", &["-h", out.to_str().unwrap()]);
        let written = head.lines().find_map(|line| line.strip_prefix("Last write time:")).unwrap();
        assert!(written.contains(if now == NOW { "2023" } else { "1970" }), "{written}");
    }
}
