//! Edits that do not fit are refused before the first one is made.

use bootwright_rootfs::{Content, Edit, Meta};

use crate::common::{Sandbox, bytes_of, edit, refusal, run};

fn put(path: &str, size: usize) -> Edit {
    Edit::text(path, "x".repeat(size), 0o644)
}

#[test]
fn too_many_bytes() {
    let image = Sandbox::new(8, &["-t", "ext4", "-b", "4096", "-O", "^has_journal", "-N", "256"]);
    let before = bytes_of(&image.disk);
    let error = refusal(&image.disk, &[put("/small", 10), put("/file", 8 << 20)]);
    let head = run("dumpe2fs", &["-h", image.dir.path().join("fs.img").to_str().unwrap()]);
    let free = head.lines().find_map(|line| line.strip_prefix("Free blocks:")).unwrap();
    // The two files, and two blocks for their names.
    let missing = (2048 + 1 + 2 - free.trim().parse::<u64>().unwrap()) * 4;
    assert_eq!(
        error,
        format!(
            "/ on the disk (ext4, cloudimg-rootfs): the edits need 8.0 MiB, but only 7.9 MiB are \
             free: {missing}.0 KiB too few"
        )
    );
    assert!(bytes_of(&image.disk) == before, "something was written");
    edit(&image.disk, &[put("/file", 7 << 20)]).unwrap();
    image.judge();
}

#[test]
fn too_many_inodes() {
    let image = Sandbox::new(8, &["-t", "ext4", "-N", "64"]);
    let before = bytes_of(&image.disk);
    let edits: Vec<_> = (0..50).map(|at| put(&format!("/dir{at}/file"), 1)).collect();
    assert_eq!(
        refusal(&image.disk, &edits),
        "/ on the disk (ext4, cloudimg-rootfs): the edits need 100 inodes, but only 53 are \
         free: 47 too few"
    );
    assert!(bytes_of(&image.disk) == before, "something was written");
    edit(&image.disk, &edits[..26]).unwrap();
    image.judge();
}

/// Everything that takes room is counted: directories, entries, attributes, indirect
/// blocks. What the check lets through fits.
#[test]
fn what_is_said_to_fit_does() {
    let kinds: [&[&str]; 3] = [
        &["-t", "ext4", "-O", "^has_journal"],
        &["-t", "ext2"],
        &["-t", "ext4", "-b", "4096", "-O", "^has_journal"],
    ];
    for options in kinds {
        let image = Sandbox::new(8, &[options, &["-N", "3000"]].concat());
        let xattrs = vec![(b"user.large".to_vec(), vec![1; 700])];
        let meta = Meta { xattrs, ..Meta::default() };
        let batch = |number: usize| -> Vec<Edit> {
            let mut edits = vec![put(&format!("/big{number}"), 500_000)];
            for at in 0..40 {
                let name = "n".repeat(200);
                edits.push(put(&format!("/some/{number}/{at}/{name}"), at * 100));
                edits.push(Edit::symlink(&format!("/links/{name}-{number}-{at}"), &"t".repeat(70)));
                let path = format!("/attributes/{number}/{at}").into_bytes();
                edits.push(Edit::Dir { path, meta: meta.clone() });
                let path = format!("/log{at}").into_bytes();
                edits.push(Edit::Append { path, text: vec![b'l'; 300] });
            }
            edits
        };
        let mut fitted = 0;
        loop {
            let mut tree = image.tree();
            match tree.apply(&batch(fitted)) {
                Ok(()) => tree.finish().unwrap(),
                Err(error) => {
                    let error = error.to_string();
                    assert!(error.contains("too few"), "{options:?}, batch {fitted}: {error}");
                    break;
                }
            }
            fitted += 1;
        }
        assert!((5..20).contains(&fitted), "{options:?}: {fitted} batches");
        image.judge();
    }
}

#[test]
fn what_is_replaced_makes_room() {
    let image = Sandbox::new(8, &["-t", "ext4", "-b", "4096", "-O", "^has_journal", "-N", "64"]);
    let size = 5 << 20;
    edit(&image.disk, &[put("/file", size)]).unwrap();
    edit(&image.disk, &[put("/file", size + 4096)]).unwrap();
    let content = Content::Bytes(vec![b'y'; size]);
    edit(&image.disk, &[Edit::Rewrite { path: b"/file".to_vec(), content }]).unwrap();
    assert!(refusal(&image.disk, &[put("/other", size)]).contains("too few"));
    edit(&image.disk, &[Edit::remove("/file")]).unwrap();
    edit(&image.disk, &[put("/other", size)]).unwrap();
    image.judge();
}
