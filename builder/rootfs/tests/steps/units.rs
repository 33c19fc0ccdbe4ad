//! Units in an image and units in a folder with the same files: what the step does to the
//! one is what `systemctl --root` does to the other.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use bootwright_disk::view::WriteView;
use bootwright_rootfs::Tree;
use bootwright_rootfs::steps::units::{self, Units};

use crate::common::{NOW, base, layer, mke2fs, raw, run};

const ETC: &str = "etc/systemd/system";

/// Units that no distribution ships, for what its own do not show.
const FILES: [(&str, &str); 14] = [
    (
        "usr/lib/systemd/system/all.service",
        "[Install]\nWantedBy=a.target b.target\nRequiredBy=c.target\nAlias=other.service\nAlias=dbus-all.service\nAlso=more.socket all@.service missing.service plain.service\n",
    ),
    (
        "usr/lib/systemd/system/more.socket",
        "[Install]\nWantedBy=sockets.target \\\n   extra.target\n",
    ),
    ("usr/lib/systemd/system/plain.service", "[Service]\nExecStart=/bin/true\n"),
    (
        "usr/lib/systemd/system/all@.service",
        "[Install]\nWantedBy=all.target\nDefaultInstance=one\n",
    ),
    (
        "usr/lib/systemd/system/tmpl@.service",
        "[Install]\nWantedBy=multi-user.target dev-%i.device\nAlias=name@.service\n",
    ),
    (
        "usr/lib/systemd/system/reset.service",
        "[Install]\nWantedBy=no.target\nWantedBy=\nWantedBy=yes.target\n[Unit]\nWantedBy=x.target\n",
    ),
    ("usr/lib/systemd/system/dropped.service", "[Install]\nWantedBy=first.target\n"),
    ("usr/lib/systemd/system/dropped.service.d/10.conf", "[Install]\nWantedBy=second.target\n"),
    ("etc/systemd/system/dropped.service.d/20.conf", "[Install]\nRequiredBy=third.target\n"),
    ("etc/systemd/system/own.service", "[Install]\nWantedBy=multi-user.target\n"),
    ("usr/lib/systemd/system/own.service", "[Install]\nWantedBy=never.target\n"),
    ("usr/local/lib/systemd/system/local.service", "[Install]\nWantedBy=multi-user.target\n"),
    ("usr/lib/systemd/system/app-web.service", "[Install]\nWantedBy=%p.target %N-%j.target\n"),
    (
        "etc/systemd/system-preset/10-test.preset",
        "enable all.service\ndisable reset.*\nenable all@.service x y\n",
    ),
];

/// A folder with the units of this machine and our own, and an image with the same.
struct Twins {
    dir: tempfile::TempDir,
    disk: Arc<dyn WriteView>,
}

impl Twins {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("usr/lib/systemd")).unwrap();
        std::os::unix::fs::symlink("usr/lib", root.join("lib")).unwrap();
        let source = "/usr/lib/systemd/system";
        assert!(Path::new(source).is_dir(), "{source} is missing: run ci/setup");
        run("cp", &["-a", source, root.join("usr/lib/systemd").to_str().unwrap()]);
        for (path, text) in FILES {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let link = |name: &str, target: &str| {
            std::os::unix::fs::symlink(target, root.join(name)).unwrap();
        };
        link("usr/lib/systemd/system/alias-of-all.service", "all.service");
        link("usr/lib/systemd/system/instant@.service", "tmpl@.service");
        Self { disk: image_of(&root, dir.path()), dir }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// Lets systemctl and the step do the same; then both have the same links.
    fn both(&mut self, verb: &str, unit: &str) {
        let output = Command::new("systemctl")
            .arg(format!("--root={}", self.root().display()))
            .args([verb, unit])
            .output()
            .unwrap_or_else(|error| panic!("systemctl does not run ({error}): run ci/setup"));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let list = vec![unit.to_owned()];
        let (mut wanted, mut new) = (Units::default(), Vec::new());
        match verb {
            "enable" => wanted.enable = list,
            "disable" => wanted.disable = list,
            "mask" => wanted.mask = list,
            _ => new = list,
        }
        let mut tree = Tree::open(&self.disk, NOW).unwrap();
        let done = units::edits(&mut tree, &wanted, &new).and_then(|edits| tree.apply(&edits));
        match done {
            Ok(()) => tree.finish().unwrap(),
            // systemctl only says so of a unit that it can do nothing for.
            Err(error) => assert!(
                !output.status.success()
                    || ["no installation config", "does not exist"]
                        .iter()
                        .any(|text| said.contains(text)),
                "{verb} {unit}: {error}\n{said}"
            ),
        }
        assert_eq!(
            links_of_image(&self.disk),
            links_of_folder(&self.root()),
            "{verb} {unit}\n{said}"
        );
    }
}

fn image_of(root: &Path, dir: &Path) -> Arc<dyn WriteView> {
    let image = dir.join("image");
    let options = ["-t", "ext4", "-L", "cloudimg-rootfs", "-d", root.to_str().unwrap()];
    mke2fs(&image, "24M", &options);
    raw(&image)
}

/// Links below /etc/systemd/system and the last part of what each points to: systemctl says
/// `/lib` or `/usr/lib`, as it was built.
fn links_of_folder(root: &Path) -> BTreeMap<String, String> {
    let mut links = BTreeMap::new();
    let mut todo = vec![PathBuf::from(ETC)];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(root.join(&dir)).unwrap() {
            let path = dir.join(entry.unwrap().file_name());
            let host = root.join(&path);
            if let Ok(target) = fs::read_link(&host) {
                let last = target.file_name().unwrap().to_str().unwrap().to_owned();
                links.insert(path.to_str().unwrap().to_owned(), last);
            } else if host.is_dir() {
                todo.push(path);
            }
        }
    }
    links
}

fn links_of_image(disk: &Arc<dyn WriteView>) -> BTreeMap<String, String> {
    let mut tree = Tree::open(disk, NOW).unwrap();
    let mut links = BTreeMap::new();
    let mut todo = vec![ETC.to_owned()];
    while let Some(dir) = todo.pop() {
        for name in tree.list(format!("/{dir}").as_bytes()).unwrap() {
            let path = format!("{dir}/{}", String::from_utf8(name).unwrap());
            match tree.readlink(format!("/{path}").as_bytes()).unwrap() {
                Some(target) => {
                    let target = String::from_utf8(target).unwrap();
                    // Unlike systemctl's, ours must lead to something in this very image.
                    let is_mask = target == "/dev/null";
                    assert!(is_mask || tree.exists(target.as_bytes()).unwrap(), "{path}");
                    links.insert(path, target.rsplit('/').next().unwrap().to_owned());
                }
                None => todo.push(path),
            }
        }
    }
    links
}

/// Names of all the units that could be asked for.
fn all_units(root: &Path) -> Vec<String> {
    let mut units = Vec::new();
    for entry in fs::read_dir(root.join("usr/lib/systemd/system")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if !entry.path().is_dir() && !name.contains("@.") {
            units.push(name);
        }
    }
    units.sort();
    units
}

#[test]
fn our_own_units() {
    let mut twins = Twins::new();
    for unit in [
        "all",
        "all@two.service",
        "tmpl@three.service",
        "instant@four.service",
        "reset.service",
        "dropped.service",
        "own.service",
        "local.service",
        "app-web.service",
        "alias-of-all.service",
        "missing.service",
        "plain.service",
        "all@.service",
    ] {
        twins.both("enable", unit);
    }
    assert!(links_of_image(&twins.disk).len() > 20);
    for unit in ["tmpl@three.service", "alias-of-all.service", "own", "missing", "all@.service"] {
        twins.both("disable", unit);
    }
    for unit in ["all.service", "tmpl@.service", "never-heard-of.service"] {
        twins.both("mask", unit);
    }
    let left = links_of_image(&twins.disk).len();
    for unit in ["reset.service", "dropped.service", "local.service", "app-web.service"] {
        twins.both("disable", unit);
    }
    assert!(links_of_image(&twins.disk).len() < left);
}

#[test]
fn presets() {
    let mut twins = Twins::new();
    twins.both("enable", "reset.service");
    for unit in ["reset.service", "all.service", "all@.service"] {
        twins.both("preset", unit);
    }
    let links = links_of_image(&twins.disk);
    assert!(links.contains_key(&format!("{ETC}/all.target.wants/all@x.service")), "{links:?}");
    assert!(!links.contains_key(&format!("{ETC}/yes.target.wants/reset.service")), "{links:?}");
}

#[test]
fn every_unit_of_this_machine() {
    let mut twins = Twins::new();
    let all = all_units(&twins.root());
    assert!(all.len() > 100, "{all:?}");
    for unit in &all {
        twins.both("enable", unit);
    }
    for unit in all.iter().step_by(2) {
        twins.both("disable", unit);
    }
}

#[test]
fn refusals_name_the_unit() {
    let mut tree = Tree::open(&Twins::new().disk, NOW).unwrap();
    let list = |unit: &str| vec![unit.to_owned()];
    let mut refusal =
        |wanted: Units| units::edits(&mut tree, &wanted, &[]).unwrap_err().to_string();
    let enable = |unit: &str| Units { enable: list(unit), ..Units::default() };
    assert_eq!(refusal(enable("none")), "none.service: the image has no such unit to enable");
    assert_eq!(
        refusal(enable("tmpl@.service")),
        "tmpl@.service: this is a template; name an instance, such as getty@tty1.service"
    );
    assert_eq!(
        refusal(enable("plain")),
        "plain.service: /usr/lib/systemd/system/plain.service has no [Install] section, so it \
         cannot be enabled; another unit pulls it in"
    );
    let disable = Units { disable: list("none"), ..Units::default() };
    assert_eq!(refusal(disable), "none.service: the image has no such unit to disable");
    let mask = Units { mask: list("own"), ..Units::default() };
    assert_eq!(
        refusal(mask),
        "/etc/systemd/system/own.service: the unit's own file is here; remove it instead of \
         masking it"
    );
    let alias = Units {
        enable: vec!["reboot.target".to_owned(), "exit.target".to_owned()],
        ..Units::default()
    };
    assert_eq!(
        refusal(alias),
        "/etc/systemd/system/ctrl-alt-del.target: this is another name of reboot.target already; \
         disable that unit first"
    );
    let both = Units { mask: list("all.service"), enable: list("all"), ..Units::default() };
    assert_eq!(
        refusal(both),
        "all.service: the profile wants this unit in two states; keep one of them"
    );
}

#[test]
fn units_of_a_base() {
    let disk = layer(&base("debian"));
    let mut tree = Tree::open(&disk, NOW).unwrap();
    let wanted = Units {
        enable: vec!["serial-getty@ttyS0.service".to_owned()],
        disable: vec!["systemd-resolved".to_owned()],
        mask: vec!["apt-daily.timer".to_owned()],
    };
    let edits = units::edits(&mut tree, &wanted, &[]).unwrap();
    tree.apply(&edits).unwrap();
    let target = |tree: &mut Tree, path: &str| {
        let target = tree.readlink(format!("/{ETC}/{path}").as_bytes()).unwrap();
        target.map(|target| String::from_utf8(target).unwrap())
    };
    assert_eq!(target(&mut tree, "apt-daily.timer").as_deref(), Some("/dev/null"));
    let getty = target(&mut tree, "getty.target.wants/serial-getty@ttyS0.service");
    assert_eq!(getty.as_deref(), Some("/usr/lib/systemd/system/serial-getty@.service"));
    for gone in
        ["sysinit.target.wants/systemd-resolved.service", "dbus-org.freedesktop.resolve1.service"]
    {
        assert_eq!(target(&mut tree, gone), None);
    }
    tree.finish().unwrap();
}
