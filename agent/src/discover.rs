//! The block devices of the machine, and what each of them holds.
//!
//! No udev, no mount: devices come from /sys/class/block, their content from the nodes that the
//! kernel makes in /dev. A device that fails is noted and never stops the others.

mod devices;
mod probe;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;

use bootwright_seed::medium::read::Identity;

use crate::root::Root;
use devices::Device;
pub use devices::disk_of;

/// A device that was looked at and what came of it.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its node, as the guest names it: `/dev/sr0`.
    pub node: String,
    /// What it holds.
    pub outcome: Outcome,
}

/// What a device holds.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// A file system, perhaps one labelled as a seed.
    Volume(Identity),
    /// Neither ISO 9660 nor FAT.
    Nothing,
    /// Nothing to read yet: no disc in the drive, or no node. Looked at again while waiting.
    Absent,
    /// It cannot be read; the reason.
    Unreadable(String),
}

/// The devices of the machine and what is known of each.
#[derive(Debug, Default)]
pub struct Drives {
    known: BTreeMap<String, (Device, Outcome)>,
}

impl Drives {
    /// Looks into the devices that are new, have changed, or had nothing in them; all at once,
    /// so which of several media present at boot wins does not depend on timing.
    pub fn look(&mut self, root: &Root) {
        let mut present = devices::list(root);
        self.known.retain(|name, (device, outcome)| {
            present.get(name) == Some(device) && !matches!(outcome, Outcome::Absent)
        });
        present.retain(|name, _| !self.known.contains_key(name));
        let mut outcomes = probe::probe(root, present.keys().cloned().collect());
        for (name, device) in present {
            if let Some(outcome) = outcomes.remove(&name) {
                self.known.insert(name, (device, outcome));
            }
        }
    }

    /// Every device seen, the highest name first: the order in which cloud-init tries them.
    pub fn places(&self) -> Vec<Place> {
        let highest_first = self.known.iter().rev();
        highest_first
            .map(|(name, (_, outcome))| Place {
                node: devices::node(name),
                outcome: outcome.clone(),
            })
            .collect()
    }
}

/// A text that changes when a device comes, goes, or gets another medium.
pub fn summary(root: &Root) -> String {
    let state = |(name, device): (String, Device)| {
        // An empty drive has a size as well; whether it can be read tells.
        let full = !devices::is_optical(&name) || is_readable(root, &name);
        format!("{name} {device:?} {full}\n")
    };
    devices::list(root).into_iter().map(state).collect()
}

fn is_readable(root: &Root, name: &str) -> bool {
    let byte = open(root, &devices::node(name)).and_then(|mut drive| drive.read(&mut [0]));
    byte.is_ok_and(|count| count > 0)
}

/// Opens a device for reading. O_NONBLOCK keeps an open CD tray open and an empty drive from
/// being an error at this point; it changes nothing about reading a block device.
pub fn open(root: &Root, node: &str) -> io::Result<File> {
    File::options().read(true).custom_flags(libc::O_NONBLOCK).open(root.at(node))
}

/// Whether the error means that there is nothing to read yet, rather than that reading failed.
fn is_absence(name: &str, error: &io::Error) -> bool {
    let nothing_there = [libc::ENOMEDIUM, libc::ENXIO, libc::ENODEV, libc::ENOENT];
    match error.raw_os_error() {
        Some(code) if nothing_there.contains(&code) => true,
        // An empty CD drive opened without checks fails like a broken one when it is read.
        Some(libc::EIO) => devices::is_optical(name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use bootwright_seed::medium::Kind;

    use super::*;

    impl Place {
        fn is_seed(&self) -> bool {
            matches!(&self.outcome, Outcome::Volume(identity) if identity.kind.is_some())
        }
    }

    fn fake(dir: &std::path::Path, name: &str, content: &[u8]) {
        let sys = dir.join("sys/class/block").join(name);
        fs::create_dir_all(&sys).unwrap();
        fs::create_dir_all(dir.join("dev")).unwrap();
        fs::write(dir.join("dev").join(name), content).unwrap();
        // Last, as the kernel does: the size tells that the device is ready.
        fs::write(sys.join("size"), format!("{}\n", content.len() / 512)).unwrap();
    }

    fn seed() -> Vec<u8> {
        let seed =
            bootwright_seed::create::Seed::new("e", b"#cloud-config\na: 1\n".to_vec()).unwrap();
        let files = seed.files(Kind::Cidata);
        bootwright_seed::medium::write::iso(&files, 0).unwrap()
    }

    fn seen(places: &[Place]) -> Vec<&str> {
        places.iter().map(|place| place.node.as_str()).collect()
    }

    fn look(root: &Root) -> Vec<Place> {
        let mut drives = Drives::default();
        drives.look(root);
        drives.places()
    }

    #[test]
    fn order_and_what_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["vda", "vda1", "sr0", "loop0", "ram1", "zram0", "dm-0", "fd0"] {
            fake(dir.path(), name, &[0; 4096]);
        }
        fake(dir.path(), "sdb", b"");
        let places = look(&Root::new(dir.path()));
        assert_eq!(seen(&places), ["/dev/vda1", "/dev/vda", "/dev/sr0"]);
        assert!(places.iter().all(|place| matches!(place.outcome, Outcome::Nothing)));
    }

    #[test]
    fn unreadable_devices_do_not_stop_the_others() {
        let dir = tempfile::tempdir().unwrap();
        fake(dir.path(), "vdb", &seed());
        fake(dir.path(), "vdc", &[0; 512]);
        fs::remove_file(dir.path().join("dev/vdc")).unwrap();
        fs::create_dir(dir.path().join("dev/vdc")).unwrap();
        let places = look(&Root::new(dir.path()));
        let Outcome::Unreadable(reason) = &places[0].outcome else {
            panic!("{places:?}");
        };
        assert!(reason.starts_with("the drive cannot be read; "), "{reason}");
        assert!(places[1].is_seed());
    }

    #[test]
    fn a_disc_put_into_an_empty_drive_is_found() {
        let dir = tempfile::tempdir().unwrap();
        fake(dir.path(), "sr0", &[0; 4096]);
        fs::remove_file(dir.path().join("dev/sr0")).unwrap();
        let root = Root::new(dir.path());
        let mut drives = Drives::default();
        drives.look(&root);
        assert!(matches!(drives.places()[0].outcome, Outcome::Absent));
        fs::write(dir.path().join("dev/sr0"), seed()).unwrap();
        drives.look(&root);
        assert!(drives.places()[0].is_seed());
    }

    #[test]
    fn no_sysfs_is_no_device() {
        let dir = tempfile::tempdir().unwrap();
        assert!(look(&Root::new(dir.path())).is_empty());
    }
}
