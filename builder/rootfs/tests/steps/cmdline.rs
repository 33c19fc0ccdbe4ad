//! The kernel command line: GRUB's own checker accepts the configuration, and a shell the
//! settings from which GRUB makes the next one.

use std::sync::Arc;

use bootwright_disk::view::WriteView;
use bootwright_rootfs::steps::cmdline;
use bootwright_rootfs::{Edit, Tree};

use crate::common::{NOW, as_root, base, edit, layer, mount_root};

fn args() -> Vec<String> {
    ["console=ttyS0,115200n8", "net.ifnames=0", "dyndbg=module:*,x+p", "quiet"]
        .map(str::to_owned)
        .into()
}

fn grub_cfg(disk: &Arc<dyn WriteView>) -> String {
    let mut tree = Tree::open(disk, NOW).unwrap();
    String::from_utf8(tree.read(b"/boot/grub/grub.cfg").unwrap().unwrap()).unwrap()
}

fn add(disk: &Arc<dyn WriteView>, args: &[String]) {
    let mut tree = Tree::open(disk, NOW).unwrap();
    let edits = cmdline::edits(&mut tree, args).unwrap();
    tree.apply(&edits).unwrap();
    tree.finish().unwrap();
}

fn loads_kernel(line: &str) -> bool {
    line.split_whitespace().next() == Some("linux")
}

#[test]
fn every_kernel_gets_them_once() {
    for name in ["debian", "xboot"] {
        let disk = layer(&base(name));
        let before = grub_cfg(&disk);
        let kernels = before.lines().filter(|line| loads_kernel(line)).count();
        assert!(kernels > 0, "{name}");
        add(&disk, &args());
        let after = grub_cfg(&disk);
        for (old, new) in before.lines().zip(after.lines()) {
            match loads_kernel(old) {
                false => assert_eq!(old, new),
                true => {
                    let words: Vec<_> = new.split_whitespace().collect();
                    for arg in args() {
                        assert_eq!(words.iter().filter(|&&word| word == arg).count(), 1, "{new}");
                    }
                    assert!(new.starts_with(old), "{new}");
                }
            }
        }
        assert_eq!(before.lines().count(), after.lines().count());
        add(&disk, &args());
        assert_eq!(grub_cfg(&disk), after, "{name}: a second time changes nothing");
    }
}

/// The tools are those of the image itself.
#[test]
fn grub_and_shell_accept_what_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let disk = layer(&base("xboot"));
    add(&disk, &args());
    // Its own place is on the other partition.
    let copy = Edit::text("/grub.cfg", grub_cfg(&disk), 0o644);
    edit(&disk, &[copy]).unwrap();
    let mounted = mount_root(&disk, dir.path());
    let root = mounted.at.to_str().unwrap();
    as_root("chroot", &[root, "grub-script-check", "/grub.cfg"]);
    let settings = "/etc/default/grub.d/90-bootwright.cfg";
    as_root("chroot", &[root, "sh", "-n", settings]);
    // As grub-mkconfig reads them.
    let read = "set -e; . /etc/default/grub; for f in /etc/default/grub.d/*.cfg; do . $f; done; \
                echo \"$GRUB_CMDLINE_LINUX\"";
    let linux = as_root("chroot", &[root, "sh", "-c", read]);
    assert_eq!(linux.trim_end(), args().join(" "));
    let preset = format!("GRUB_CMDLINE_LINUX=mine; . {settings}; echo \"$GRUB_CMDLINE_LINUX\"");
    let linux = as_root("chroot", &[root, "sh", "-c", &preset]);
    assert_eq!(linux.trim_end(), format!("mine {}", args().join(" ")));
}

#[test]
fn refusals() {
    let disk = layer(&base("mbr"));
    let mut tree = Tree::open(&disk, NOW).unwrap();
    let refused = |tree: &mut Tree, arg: &str| {
        cmdline::edits(tree, &[arg.to_owned()]).unwrap_err().to_string()
    };
    assert_eq!(
        refused(&mut tree, "a=$(reboot)"),
        "kernel_cmdline: \"a=$(reboot)\" is empty or holds spaces, quotes, $, ;, \\ or control \
         characters"
    );
    assert_eq!(cmdline::edits(&mut tree, &[]).unwrap(), []);
    tree.apply(&[Edit::remove("/boot/grub/grub.cfg")]).unwrap();
    assert_eq!(
        refused(&mut tree, "quiet"),
        "/boot/grub/grub.cfg: the image has none, so the kernel command line cannot be set"
    );
}
