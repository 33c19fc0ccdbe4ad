//! What each edit does to what is there, and what it refuses.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use bootwright_rootfs::{Content, Edit, Kind, Meta};

use crate::common::{NOW, Sandbox, edit, refusal};

fn path(path: &str) -> Vec<u8> {
    path.as_bytes().to_vec()
}

fn put(path: &str, text: &str) -> Edit {
    Edit::text(path, text, 0o644)
}

fn dir(path: &str) -> Edit {
    Edit::Dir { path: path.as_bytes().to_vec(), meta: Meta::default() }
}

fn special(at: &str, kind: Kind, device: Option<(u32, u32)>) -> Edit {
    Edit::Special { path: path(at), kind, device, meta: Meta::default() }
}

fn link(at: &str, target: &str) -> Edit {
    Edit::HardLink { path: path(at), target: path(target) }
}

fn rename(from: &str, to: &str) -> Edit {
    Edit::Rename { from: path(from), to: path(to) }
}

fn rewrite(at: &str, text: &str) -> Edit {
    Edit::Rewrite { path: path(at), content: Content::Bytes(path(text)) }
}

#[test]
fn anything_but_a_directory_is_replaced() {
    let image = Sandbox::with(&[put("/file", "old"), put("/other", "kept")]);
    let old: Vec<Edit> = ["a", "b", "c", "d", "e"]
        .iter()
        .flat_map(|name| {
            [
                put(&format!("/{name}/file"), "old"),
                Edit::symlink(&format!("/{name}/link"), "/other"),
                link(&format!("/{name}/hard"), "/other"),
                special(&format!("/{name}/pipe"), Kind::Fifo, None),
            ]
        })
        .collect();
    edit(&image.disk, &old).unwrap();
    let edits: Vec<Edit> = ["file", "link", "hard", "pipe"]
        .iter()
        .flat_map(|name| {
            [
                put(&format!("/a/{name}"), "new"),
                Edit::symlink(&format!("/b/{name}"), "new"),
                link(&format!("/c/{name}"), "/file"),
                special(&format!("/d/{name}"), Kind::Socket, None),
                rename(&format!("/b/{name}"), &format!("/e/{name}")),
            ]
        })
        .collect();
    edit(&image.disk, &edits).unwrap();
    let mounted = image.judge();
    for name in ["file", "link", "hard", "pipe"] {
        let stat = |dir: &str| fs::symlink_metadata(mounted.at.join(dir).join(name)).unwrap();
        assert_eq!(fs::read_to_string(mounted.at.join("a").join(name)).unwrap(), "new");
        assert!(stat("a").is_file() && stat("a").nlink() == 1);
        assert_eq!(stat("c").ino(), fs::metadata(mounted.at.join("file")).unwrap().ino());
        assert_eq!(stat("d").mode() & 0o170_000, 0o140_000);
        let target = fs::read_link(mounted.at.join("e").join(name)).unwrap();
        assert_eq!(target.to_str(), Some("new"));
    }
    let other = fs::metadata(mounted.at.join("other")).unwrap();
    assert_eq!(other.nlink(), 1, "the other names of it are gone, it is not");
    assert_eq!(fs::read_to_string(mounted.at.join("other")).unwrap(), "kept");
}

#[test]
fn directories_are_not_replaced() {
    let image = Sandbox::with(&[dir("/dir/sub"), put("/file", "")]);
    let problem = "there is a directory; remove it first if it is to be replaced";
    for edit in [
        put("/dir", ""),
        Edit::symlink("/dir", "x"),
        link("/dir", "/file"),
        special("/dir", Kind::Fifo, None),
    ] {
        assert_eq!(refusal(&image.disk, &[edit]), format!("/dir: {problem}"));
    }
    let moved = refusal(&image.disk, &[rename("/file", "/dir")]);
    assert_eq!(moved, format!("editing /file: /dir: {problem}"));
    edit(&image.disk, &[Edit::remove("/dir"), put("/dir", "a file")]).unwrap();
    assert_eq!(image.text("/dir"), Some("a file".to_owned()));
}

#[test]
fn new_content_keeps_everything_else() {
    let meta = Meta {
        mode: Some(0o4750),
        uid: Some(70_000),
        gid: Some(42),
        mtime: Some(5),
        xattrs: vec![(path("user.note"), path("kept"))],
    };
    let bytes = Content::Bytes(path("one two one"));
    let image = Sandbox::with(&[
        Edit::File { path: path("/file"), content: bytes, meta },
        link("/name", "/file"),
    ]);
    let seen = |image: &Sandbox| {
        let attr = image.tree().attr(b"/name").unwrap().unwrap();
        let xattrs = image.tree().xattrs(b"/file").unwrap();
        assert_eq!(xattrs, [(path("user.note"), path("kept"))]);
        (attr.mode, attr.uid, attr.gid, attr.links, attr.mtime)
    };
    assert_eq!(seen(&image), (0o4750, 70_000, 42, 2, 5));
    let text = |text: &str| Some(text.to_owned());
    edit(&image.disk, &[Edit::Append { path: path("/file"), text: path(" three") }]).unwrap();
    assert_eq!(image.text("/name"), text("one two one three"));
    let replace = Edit::Replace { path: path("/file"), from: path("one"), to: path("1") };
    edit(&image.disk, &[replace]).unwrap();
    assert_eq!(image.text("/name"), text("1 two 1 three"));
    edit(&image.disk, &[Edit::symlink("/link", "/name"), rewrite("/link", "")]).unwrap();
    assert_eq!(image.text("/file"), text(""));
    edit(&image.disk, &[rewrite("/link", "rewritten")]).unwrap();
    assert_eq!(image.text("/file"), text("rewritten"));
    assert_eq!(seen(&image), (0o4750, 70_000, 42, 2, NOW));
    image.judge();
}

#[test]
fn appending_makes_what_is_missing() {
    let image = Sandbox::with(&[Edit::symlink("/etc/link", "target")]);
    let append = |at: &str| Edit::Append { path: path(at), text: path("line\n") };
    edit(&image.disk, &[append("/new/file"), append("/etc/link"), append("/new/file")]).unwrap();
    assert_eq!(image.text("/new/file"), Some("line\nline\n".to_owned()));
    assert_eq!(image.text("/etc/target"), Some("line\n".to_owned()));
    assert_eq!(image.tree().readlink(b"/etc/link").unwrap(), Some(path("target")));
}

#[test]
fn only_regular_files_get_content() {
    let image =
        Sandbox::with(&[dir("/dir"), special("/pipe", Kind::Fifo, None), put("/file", "x")]);
    let problem = "new content is to be here, but this is not a regular file";
    assert_eq!(refusal(&image.disk, &[rewrite("/dir", "")]), format!("/dir: {problem}"));
    let append = Edit::Append { path: path("/pipe"), text: path("x") };
    assert_eq!(refusal(&image.disk, &[append]), format!("/pipe: {problem}"));
    let replace =
        |at: &str, from: &str| Edit::Replace { path: path(at), from: path(from), to: path("y") };
    let absent = refusal(&image.disk, &[replace("/file", "zz")]);
    assert_eq!(absent, "/file: the text to replace is not in it: \"zz\"");
    let empty = refusal(&image.disk, &[replace("/file", "")]);
    assert_eq!(empty, "/file: the text to replace is not in it: \"\"");
    let none = refusal(&image.disk, &[replace("/dir", "zz")]);
    assert_eq!(none, "/dir: the text to replace is not in it: \"zz\"");
}

#[test]
fn renames_within_a_file_system() {
    let image = Sandbox::with(&[put("/a/b/file", "x"), dir("/target"), put("/over", "old")]);
    let below = refusal(&image.disk, &[rename("/a", "/a/b/c")]);
    assert_eq!(below, "editing /a: /a/b/c: a directory cannot be moved below itself");
    edit(&image.disk, &[Edit::symlink("/l", "/a/b")]).unwrap();
    let hidden = refusal(&image.disk, &[rename("/a", "/l/c")]);
    assert_eq!(hidden, "editing /a: /l/c: a directory cannot be moved below itself");
    let edits = [
        rename("/a/b", "/target/b"),
        rename("/a", "/ab"),
        rename("/target/b/file", "/over"),
        rename("/over", "/over"),
        rename("/ab", "/new/parents/ab"),
    ];
    edit(&image.disk, &edits).unwrap();
    let mounted = image.judge();
    assert_eq!(fs::read_to_string(mounted.at.join("over")).unwrap(), "x");
    let links = |path: &str| fs::metadata(mounted.at.join(path)).unwrap().nlink();
    assert_eq!((links("target"), links("target/b"), links("new/parents")), (3, 2, 3));
    assert!(fs::read_dir(mounted.at.join("new/parents/ab")).unwrap().next().is_none());
}

#[test]
fn links_and_devices_that_cannot_be() {
    let image = Sandbox::with(&[dir("/dir"), put("/file", "")]);
    let two = refusal(&image.disk, &[link("/new", "/dir")]);
    assert_eq!(two, "editing /new: /dir: a directory cannot have two names");
    let kinds = "only devices, which have numbers (up to 4095 and 1048575), pipes and sockets \
                 are made this way";
    for edit in [
        special("/x", Kind::Dir, None),
        special("/x", Kind::File, None),
        special("/x", Kind::Symlink, None),
        special("/x", Kind::CharDevice, None),
        special("/x", Kind::BlockDevice, Some((4096, 0))),
        special("/x", Kind::BlockDevice, Some((0, 1 << 20))),
        special("/x", Kind::Fifo, Some((1, 1))),
    ] {
        assert_eq!(refusal(&image.disk, &[edit]), format!("/x: {kinds}"));
    }
    let meta = Meta { mode: Some(0o100_644), ..Meta::default() };
    let mode = refusal(&image.disk, &[Edit::Attributes { path: path("/file"), meta }]);
    assert_eq!(mode, "/file: 0o100644 is no mode; modes have twelve bits");
    let root = refusal(&image.disk, &[Edit::remove("/")]);
    assert_eq!(root, "/: this is the root directory");
    assert_eq!(refusal(&image.disk, &[put("/", "")]), "/: this is the root directory");
    assert_eq!(image.tree().list(b"/").unwrap(), [&b"dir"[..], b"file", b"lost+found"]);
}

#[test]
fn names_and_targets_have_limits() {
    let image = Sandbox::with(&[dir("/dir"), put("/file", "")]);
    let longest = format!("/dir/{}", "n".repeat(255));
    edit(&image.disk, &[put(&longest, "x"), rename(&longest, &longest.replace("nn", "mm"))])
        .unwrap();
    let long = format!("/dir/{}", "n".repeat(256));
    let problem = "a name on / on the disk (ext4, cloudimg-rootfs) has up to 255 bytes and no NUL";
    assert_eq!(refusal(&image.disk, &[put(&long, "")]), format!("{long}: {problem}"));
    assert_eq!(refusal(&image.disk, &[dir(&long)]), format!("{long}: {problem}"));
    assert_eq!(refusal(&image.disk, &[link(&long, "/file")]), format!("{long}: {problem}"));
    let moved = refusal(&image.disk, &[rename("/file", &long)]);
    assert_eq!(moved, format!("editing /file: {long}: {problem}"));
    let nul = refusal(&image.disk, &[put("/a\0b", "")]);
    assert_eq!(nul, format!("/a\0b: {problem}"));

    edit(&image.disk, &[Edit::symlink("/most", &"t".repeat(1023))]).unwrap();
    let too_long = refusal(&image.disk, &[Edit::symlink("/dir/long", &"t".repeat(4096))]);
    assert_eq!(
        too_long,
        "editing /dir/long: long: the target of a symlink has 4096 bytes; \
         the disk (ext4, cloudimg-rootfs) allows 1023"
    );
    let empty = refusal(&image.disk, &[Edit::symlink("/empty", "")]);
    assert_eq!(
        empty,
        "editing /empty: empty: the target of a symlink is empty or holds a NUL byte"
    );
    image.judge();
}

#[test]
fn removal_takes_what_is_below_and_no_more() {
    let image = Sandbox::with(&[
        put("/keep/file", "kept"),
        Edit::symlink("/gone/link", "/keep"),
        link("/gone/hard", "/keep/file"),
        put("/gone/a/b/c", ""),
        special("/gone/null", Kind::CharDevice, Some((1, 3))),
    ]);

    edit(&image.disk, &[Edit::remove("/gone")]).unwrap();
    let mounted = image.judge();
    assert_eq!(fs::metadata(mounted.at.join("keep/file")).unwrap().nlink(), 1);
    assert_eq!(fs::read_to_string(mounted.at.join("keep/file")).unwrap(), "kept");
    assert!(fs::symlink_metadata(mounted.at.join("gone")).is_err());
}

#[test]
fn attributes_change_alone() {
    let image = Sandbox::with(&[put("/file", "text"), Edit::symlink("/link", "file")]);
    let meta = Meta { gid: Some(9), ..Meta::default() };
    let mode = Meta { mode: Some(0o2711), mtime: Some(7), ..Meta::default() };
    let edits = [
        Edit::Attributes { path: path("/link"), meta },
        Edit::Attributes { path: path("/file"), meta: mode },
    ];
    edit(&image.disk, &edits).unwrap();
    let mounted = image.judge();
    let stat = fs::metadata(mounted.at.join("file")).unwrap();
    assert_eq!((stat.uid(), stat.gid(), stat.mtime()), (0, 9, 7));
    assert_eq!(stat.permissions().mode() & 0o7777, 0o2711);
    assert_eq!(fs::symlink_metadata(mounted.at.join("link")).unwrap().gid(), 0);
    assert_eq!(fs::read_to_string(mounted.at.join("file")).unwrap(), "text");
}
