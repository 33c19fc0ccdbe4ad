//! Paths resolve inside the image, and nowhere else.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use bootwright_rootfs::{Edit, Meta};

use crate::common::{Sandbox, edit, refusal};

fn dir(path: &str) -> Edit {
    Edit::Dir { path: path.as_bytes().to_vec(), meta: Meta::default() }
}

fn put(path: &str, text: &str) -> Edit {
    Edit::text(path, text, 0o644)
}

/// Like a merged /usr.
fn merged() -> Sandbox {
    Sandbox::with(&[dir("/usr/lib/systemd"), Edit::symlink("/lib", "usr/lib")])
}

#[test]
fn symlinked_parents_are_followed() {
    let image = merged();
    let edits = [
        put("/lib/systemd/a.service", "a"),
        Edit::symlink("/absolute", "/usr/lib"),
        put("/absolute/b", "b"),
        Edit::symlink("/usr/up", "../lib/systemd"),
        put("/usr/up/c", "c"),
    ];
    edit(&image.disk, &edits).unwrap();
    let mounted = image.judge();
    let read = |path: &str| fs::read_to_string(mounted.at.join(path)).unwrap();
    assert_eq!(read("usr/lib/systemd/a.service"), "a");
    assert_eq!(read("usr/lib/b"), "b");
    assert_eq!(read("usr/lib/systemd/c"), "c");
    assert_eq!(fs::read_link(mounted.at.join("lib")).unwrap().to_str(), Some("usr/lib"));
}

#[test]
fn an_overlay_directory_over_a_symlink_to_one_keeps_the_symlink() {
    let image = merged();
    let meta = Meta { mode: Some(0o700), ..Meta::default() };
    edit(&image.disk, &[Edit::Dir { path: b"/lib".to_vec(), meta }, put("/lib/x", "x")]).unwrap();
    let mounted = image.judge();
    assert!(fs::symlink_metadata(mounted.at.join("lib")).unwrap().is_symlink());
    let mode = fs::metadata(mounted.at.join("usr/lib")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o700, "the attributes are those of the directory");
    assert_eq!(fs::read_to_string(mounted.at.join("usr/lib/x")).unwrap(), "x");
}

#[test]
fn nothing_leads_out_of_the_image() {
    let image = Sandbox::with(&[
        dir("/a"),
        dir("/etc"),
        Edit::symlink("/a/out", "../../../../../etc"),
        Edit::symlink("/a/root", "/"),
    ]);
    let edits = [put("/../../x", "x"), put("/a/out/passwd", "y"), put("/a/root/../z", "z")];
    edit(&image.disk, &edits).unwrap();
    let mounted = image.judge();
    let read = |path: &str| fs::read_to_string(mounted.at.join(path)).unwrap();
    assert_eq!((read("x"), read("etc/passwd"), read("z")), ("x".into(), "y".into(), "z".into()));
}

#[test]
fn odd_spellings_mean_the_same() {
    let image = Sandbox::with(&[dir("/etc")]);
    let edits = [put("//etc///a", "a"), put("/etc/./b", "b"), put("/etc/c/", "c"), dir("/etc/d/")];
    edit(&image.disk, &edits).unwrap();
    let names = image.tree().list(b"/etc/").unwrap();
    assert_eq!(names, [b"a", b"b", b"c", b"d"]);
    assert_eq!(image.text("/etc/c"), Some("c".to_owned()));
}

#[test]
fn loops_end() {
    let links = [Edit::symlink("/a", "b"), Edit::symlink("/b", "/a"), Edit::symlink("/me", "me/x")];
    let image = Sandbox::with(&links);
    let problem = "more than 40 symlinks; they may form a loop";
    assert_eq!(refusal(&image.disk, &[put("/a/x", "")]), format!("/a/x: {problem}"));
    assert_eq!(refusal(&image.disk, &[put("/me/x", "")]), format!("/me/x: {problem}"));
    // The link itself is not followed.
    edit(&image.disk, &[put("/a", "a file now"), Edit::remove("/me")]).unwrap();
    assert_eq!(image.text("/b"), Some("a file now".to_owned()));
    let mut chain: Vec<_> =
        (0..41).map(|at| Edit::symlink(&format!("/l{at}"), &format!("l{}", at + 1))).collect();
    chain.push(put("/l41", "end"));
    edit(&image.disk, &chain).unwrap();
    assert_eq!(image.text("/l1"), Some("end".to_owned()), "40 links are as many as Linux follows");
    let error = image.tree().read(b"/l0").unwrap_err();
    assert_eq!(error.to_string(), format!("/l0: {problem}"));
}

#[test]
fn files_are_no_directories() {
    let image = Sandbox::with(&[put("/file", ""), Edit::symlink("/nowhere", "/none/x")]);
    let below = refusal(&image.disk, &[put("/file/x", "")]);
    assert_eq!(below, "/file/x: /file is not a directory");
    let deeper = refusal(&image.disk, &[put("/file/x/y", "")]);
    assert_eq!(deeper, "/file/x/y: /file is not a directory");
    let over = refusal(&image.disk, &[dir("/file")]);
    assert_eq!(over, "/file: a directory is to be here, but there is a file");
    let dangling = refusal(&image.disk, &[put("/nowhere/x", "")]);
    assert_eq!(
        dangling,
        "editing /nowhere/x: /nowhere: a directory is to be here, but there is a symlink to nowhere"
    );
    // What an earlier edit takes out of the way is not in the way.
    edit(&image.disk, &[Edit::remove("/file"), put("/file/x", "now")]).unwrap();
    assert_eq!(image.text("/file/x"), Some("now".to_owned()));
}

#[test]
fn missing_parents_are_made() {
    let image = Sandbox::with(&[put("/a/b/c/file", "x")]);
    let mounted = image.judge();
    for path in ["a", "a/b", "a/b/c"] {
        let stat = fs::metadata(mounted.at.join(path)).unwrap();
        assert_eq!(stat.permissions().mode(), 0o040_755, "{path}");
    }
}

#[test]
fn what_does_not_exist_is_named() {
    let image = Sandbox::with(&[dir("/etc")]);
    let path = |path: &str| path.as_bytes().to_vec();
    let cases = [
        (
            Edit::Attributes { path: path("/etc/none"), meta: Meta::default() },
            "/etc/none: there is no such file in the image",
        ),
        (
            Edit::RemoveXattr { path: path("/none/x"), name: path("user.x") },
            "/none/x: a directory on the way to it does not exist",
        ),
        (
            Edit::HardLink { path: path("/new"), target: path("/etc/none") },
            "editing /new: /etc/none: there is no such file in the image",
        ),
        (
            Edit::Rename { from: path("/none/y"), to: path("/new") },
            "/none/y: there is no such file in the image to rename",
        ),
        (
            Edit::Replace { path: path("/etc/none"), from: path("a"), to: path("b") },
            "/etc/none: there is no such file in the image",
        ),
    ];
    for (edit, expected) in cases {
        assert_eq!(refusal(&image.disk, &[edit]), expected);
    }
    edit(&image.disk, &[Edit::remove("/etc/none"), Edit::remove("/none/none")]).unwrap();
}
