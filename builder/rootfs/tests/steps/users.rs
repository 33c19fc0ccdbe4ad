//! Users added to a base, and added to copies of its files by useradd; pwck and grpck have
//! nothing to say about them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use bootwright_disk::view::WriteView;
use bootwright_rootfs::steps::users::{self, User};
use bootwright_rootfs::{Edit, Tree};

use crate::common::{NOW, base, layer, mount_root, run};

const FILES: [&str; 6] =
    ["etc/passwd", "etc/shadow", "etc/group", "etc/gshadow", "etc/subuid", "etc/subgid"];

/// A base with something in /etc/skel that is not just a file.
fn disk() -> Arc<dyn WriteView> {
    let disk = layer(&base("mbr"));
    let mut tree = Tree::open(&disk, NOW).unwrap();
    let edits = [
        Edit::text("/etc/skel/.config/app/settings", "nested\n", 0o600),
        Edit::symlink("/etc/skel/link", ".config"),
        Edit::text("/etc/subuid", "", 0o644),
        Edit::text("/etc/subgid", "", 0o644),
    ];
    tree.apply(&edits).unwrap();
    tree.finish().unwrap();
    disk
}

/// Copies of a base's account files in a folder.
fn copies(disk: &Arc<dyn WriteView>, dir: &Path) -> PathBuf {
    let root = dir.join("root");
    let mut tree = Tree::open(disk, NOW).unwrap();
    for path in FILES.into_iter().chain(["etc/login.defs", "etc/default/useradd"]) {
        let bytes = tree.read(format!("/{path}").as_bytes()).unwrap().unwrap();
        fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        fs::write(root.join(path), bytes).unwrap();
    }
    fs::create_dir_all(root.join("home")).unwrap();
    root
}

/// Runs a tool of the shadow suite on a folder.
fn shadow(tool: &str, root: &Path, args: &[&str]) {
    let output = Command::new(tool)
        .env("SOURCE_DATE_EPOCH", NOW.to_string())
        .args(["--prefix", root.to_str().unwrap()])
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("{tool} does not run ({error}): run ci/setup"));
    assert!(output.status.success(), "{tool} {args:?}: {output:?}");
}

fn add(disk: &Arc<dyn WriteView>, users: &[User]) {
    let mut tree = Tree::open(disk, NOW).unwrap();
    let edits = users::edits(&mut tree, users, NOW).unwrap();
    tree.apply(&edits).unwrap();
    tree.finish().unwrap();
}

fn refused(users: &[User]) -> String {
    let mut tree = Tree::open(&layer(&base("mbr")), NOW).unwrap();
    users::edits(&mut tree, users, NOW).unwrap_err().to_string()
}

fn user(name: &str) -> User {
    User { name: name.to_owned(), ..User::default() }
}

fn all() -> Vec<User> {
    vec![
        User {
            groups: vec!["sudo".to_owned(), "adm".to_owned()],
            comment: Some("The application".to_owned()),
            ..user("app")
        },
        User { uid: Some(4000), home: Some("/srv/data".to_owned()), ..user("data") },
        User { uid: Some(150), system: true, ..user("service") },
        User {
            uid: Some(4100),
            group: Some("users".to_owned()),
            shell: Some("/bin/sh".to_owned()),
            ..user("guest")
        },
    ]
}

#[test]
fn as_useradd_adds_them() {
    let disk = disk();
    let dir = tempfile::tempdir().unwrap();
    let root = copies(&disk, dir.path());
    let bash = ["-m", "-k", "/nowhere", "-s", "/bin/bash"];
    let home = |args: &[&str]| shadow("useradd", &root, &[&bash[..], args].concat());
    home(&["-G", "sudo,adm", "-c", "The application", "app"]);
    fs::create_dir_all(root.join("srv")).unwrap();
    home(&["-u", "4000", "-d", "/srv/data", "data"]);
    let nobody = ["-r", "-u", "150", "-s", "/usr/sbin/nologin", "-d", "/nonexistent", "service"];
    shadow("useradd", &root, &nobody);
    shadow(
        "useradd",
        &root,
        &["-m", "-k", "/nowhere", "-u", "4100", "-s", "/bin/sh", "-g", "users", "guest"],
    );

    add(&disk, &all());
    let mut tree = Tree::open(&disk, NOW).unwrap();
    for path in FILES {
        let ours = tree.read(format!("/{path}").as_bytes()).unwrap().unwrap();
        let theirs = fs::read_to_string(root.join(path)).unwrap();
        assert_eq!(String::from_utf8(ours).unwrap(), theirs, "{path}");
    }
    for home in ["home/app", "srv/data", "home/guest"] {
        let theirs = fs::metadata(root.join(home)).unwrap();
        let ours = tree.attr(format!("/{home}").as_bytes()).unwrap().unwrap();
        assert_eq!((ours.uid, ours.gid), (theirs.uid(), theirs.gid()), "{home}");
        assert_eq!(ours.mode, theirs.mode() & 0o7777, "{home}");
    }
    assert!(!tree.exists(b"/nonexistent").unwrap());
}

/// What pwck or grpck has to say about a tree.
fn complaints(tool: &str, root: &Path) -> Vec<String> {
    let output = Command::new(tool).args(["-r", "-R", root.to_str().unwrap()]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn pwck_and_grpck_are_content() {
    let dir = tempfile::tempdir().unwrap();
    let disk = disk();
    let before = mount_root(&disk, dir.path());
    let old = ["pwck", "grpck"].map(|tool| complaints(tool, &before.at));
    drop(before);
    let keys = vec!["ssh-ed25519 AAAAC3Nz app@host\n".to_owned()];
    let mut users = all();
    users[0].ssh_keys = keys.clone();
    users.push(User { ssh_keys: keys, ..user("root") });
    // Twice: what is there is adjusted, not added again.
    add(&disk, &users);
    add(&disk, &users);
    let after = mount_root(&disk, dir.path());
    for (tool, old) in ["pwck", "grpck"].into_iter().zip(old) {
        let about_homes = |line: &&String| !line.contains("'service'");
        let new = complaints(tool, &after.at);
        let new: Vec<_> =
            new.iter().filter(|line| !old.contains(line)).filter(about_homes).collect();
        assert!(new.is_empty(), "{tool}: {new:?}");
    }
    let at = |path: &str| after.at.join(path);
    let stat = |path: &str| fs::symlink_metadata(at(path)).unwrap();
    for path in ["home/app/.bashrc", "home/app/.config/app/settings", "home/app/link"] {
        assert_eq!((stat(path).uid(), stat(path).gid()), (1000, 1000), "{path}");
    }
    assert_eq!(stat("home/app/.config/app/settings").mode() & 0o7777, 0o600);
    assert_eq!(fs::read_link(at("home/app/link")).unwrap().to_str(), Some(".config"));
    for (home, uid) in [("home/app", 1000), ("root", 0)] {
        assert_eq!(stat(&format!("{home}/.ssh")).mode() & 0o7777, 0o700);
        let keys = stat(&format!("{home}/.ssh/authorized_keys"));
        assert_eq!((keys.mode() & 0o7777, keys.uid()), (0o600, uid));
        let text = fs::read_to_string(at(&format!("{home}/.ssh/authorized_keys"))).unwrap();
        assert_eq!(text, "ssh-ed25519 AAAAC3Nz app@host\n");
    }
    // The files of accounts keep their owners and modes: shadow is not for everyone.
    assert_eq!(stat("etc/shadow").mode() & 0o7777, 0o640);
    assert_eq!(run("stat", &["-c", "%G", at("etc/shadow").to_str().unwrap()]).trim(), "shadow");
}

#[test]
fn refusals() {
    assert_eq!(
        refused(&[User { ssh_keys: vec!["ssh-ed25519 A".into()], system: true, ..user("svc") }]),
        "/nonexistent: svc has no home directory for ssh keys; give it one"
    );
    assert_eq!(
        refused(&[User { uid: Some(0), ..user("evil") }]),
        "/etc/passwd: the uid 0 is taken"
    );
    assert_eq!(
        refused(&[User { uid: Some(u32::MAX), ..user("none") }]),
        "/etc/passwd: the uid 4294967295 is taken"
    );
    assert_eq!(
        refused(&[User { home: Some("home".into()), ..user("app") }]),
        "home: a home directory is an absolute path"
    );
    assert!(refused(&[user("no:body")]).contains("is no name for a user or group"));
}
