//! Overlays: files of the host at their guest paths, with the owners and modes of a
//! manifest.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use bootwright_rootfs::Tree;
use bootwright_rootfs::steps::overlay::{MANIFEST, Overlay, Rule};

use crate::common::{NOW, base, chain, layer, mount_root};

fn write(folder: &Path, path: &str, text: &str, mode: u32) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn owner(owner: &str, group: &str) -> Rule {
    Rule { owner: Some(owner.to_owned()), group: Some(group.to_owned()), ..Rule::default() }
}

fn overlay(folder: PathBuf, rules: Vec<(&str, Rule)>) -> Overlay {
    let rules = rules.into_iter().map(|(path, rule)| (path.to_owned(), rule)).collect();
    Overlay { folder, rules }
}

fn render(path: &str, text: &str) -> Result<String, String> {
    match text.contains("{{") {
        true => Ok(text.replace("{{path}}", path)),
        false => Err("nothing to fill in".to_owned()),
    }
}

#[test]
fn owners_and_modes_are_the_manifests() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("overlay");
    // What umask and git have made of them on the host does not matter.
    write(&folder, "etc/app/plain.conf", "plain", 0o600);
    write(&folder, "etc/app/secret.conf", "secret", 0o666);
    write(&folder, "etc/app/page.html", "this is {{path}}", 0o640);
    write(&folder, "usr/local/bin/tool", "#!/bin/sh\n", 0o711);
    write(&folder, "lib/systemd/system/app.service", "[Unit]\n", 0o644);
    write(&folder, "srv/www/deep/index.html", "x", 0o644);
    write(&folder, MANIFEST, "not copied", 0o644);
    fs::create_dir(folder.join("srv/empty")).unwrap();
    symlink("plain.conf", folder.join("etc/app/link.conf")).unwrap();
    symlink("/no/such/file", folder.join("etc/app/dangling")).unwrap();
    let mode = |mode: u32, rule: Rule| Rule { mode: Some(mode), ..rule };
    let capability = vec![1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let xattrs = vec![(b"security.capability".to_vec(), capability)];
    let rules = vec![
        ("/etc/app/secret.conf", mode(0o640, owner("root", "adm"))),
        ("/etc/app/page.html", Rule { template: true, ..Rule::default() }),
        ("/usr/local/bin/tool", Rule { xattrs, ..mode(0o4755, Rule::default()) }),
        ("/srv/www/**", owner("www-data", "4242")),
        ("/srv/www/deep", mode(0o2775, Rule::default())),
        ("/srv/empty", mode(0o1777, Rule::default())),
    ];
    let disk = layer(&base("mbr"));
    let mut tree = Tree::open(&disk, NOW).unwrap();
    let edits = overlay(folder, rules).edits(&mut tree, &render).unwrap();
    tree.apply(&edits).unwrap();
    tree.finish().unwrap();

    let mounted = mount_root(&disk, dir.path());
    let stat = |path: &str| {
        let stat = fs::symlink_metadata(mounted.at.join(path)).unwrap();
        (stat.mode() & 0o7777, stat.uid(), stat.gid())
    };
    assert_eq!(stat("etc/app"), (0o755, 0, 0));
    assert_eq!(stat("etc/app/plain.conf"), (0o644, 0, 0));
    assert_eq!(stat("etc/app/secret.conf"), (0o640, 0, 4));
    assert_eq!(stat("usr/local/bin/tool"), (0o4755, 0, 0));
    assert_eq!(stat("srv/www"), (0o755, 0, 0));
    assert_eq!(stat("srv/www/deep"), (0o2775, 33, 4242));
    assert_eq!(stat("srv/www/deep/index.html"), (0o644, 33, 4242));
    assert_eq!(stat("srv/empty"), (0o1777, 0, 0));
    let read = |path: &str| fs::read_to_string(mounted.at.join(path)).unwrap();
    assert_eq!(read("etc/app/page.html"), "this is /etc/app/page.html");
    assert_eq!(read("etc/app/link.conf"), "plain");
    let dangling = fs::read_link(mounted.at.join("etc/app/dangling")).unwrap();
    assert_eq!(dangling.to_str(), Some("/no/such/file"));
    // Through the symlink that /lib is, which stays one.
    assert!(fs::symlink_metadata(mounted.at.join("lib")).unwrap().is_symlink());
    assert_eq!(read("usr/lib/systemd/system/app.service"), "[Unit]\n");
    assert!(!mounted.at.join(MANIFEST).exists());
    let mut value = [0; 64];
    let tool = mounted.at.join("usr/local/bin/tool");
    assert_eq!(rustix::fs::lgetxattr(&tool, "security.capability", &mut value).unwrap(), 20);
}

#[test]
fn refusals() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("overlay");
    write(&folder, "etc/file", "text", 0o644);
    let mut tree = Tree::open(&layer(&base("mbr")), NOW).unwrap();
    let shown = folder.display().to_string();
    let mut refused = |rules: Vec<(&str, Rule)>| {
        let error = overlay(folder.clone(), rules).edits(&mut tree, &render).unwrap_err();
        chain(&error)
    };
    assert_eq!(
        refused(vec![("/etc/other", Rule::default())]),
        format!("{shown}/modes.yml: /etc/other is not in the overlay")
    );
    assert_eq!(
        refused(vec![("/etc/file", owner("nobody-such", "0"))]),
        "/etc/file: the image has no user nobody-such; declare it under users, or give its number"
    );
    assert_eq!(
        refused(vec![("/etc/**", owner("root", "none"))]),
        "/etc/file: the image has no group none; declare it under users, or give its number"
    );
    assert_eq!(
        refused(vec![("/etc/file", Rule { template: true, ..Rule::default() })]),
        format!("{shown}/etc/file: nothing to fill in")
    );
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    assert_eq!(
        refused(vec![]),
        format!(
            "{shown}/pipe: an overlay holds files, directories and symlinks; make devices and \
             pipes in the guest"
        )
    );
    let missing = overlay(dir.path().join("none"), vec![]).entries().unwrap_err();
    assert!(
        chain(&missing)
            .ends_with("none: listing the overlay failed: No such file or directory (os error 2)")
    );
}
