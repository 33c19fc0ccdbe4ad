//! Looks at every block device until one is a seed medium or the time for late ones is over.
//!
//! No udev, no mount: devices come from /sys/class/block, their content from the nodes that the
//! kernel makes in /dev. A device that fails is noted and never stops the others.

mod devices;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::thread;
use std::time::{Duration, Instant};

use bootwright_seed::medium::read::{Identity, identify};
use bootwright_seed::medium::{Kind, ReadError};

use crate::boot::chain;
use crate::root::Root;
use devices::Device;

/// Pause between two looks at /sys/class/block.
const POLL: Duration = Duration::from_millis(100);

/// A device that was looked at and what came of it.
#[derive(Debug)]
pub struct Place {
    /// Its node, as the guest names it: `/dev/sr0`.
    pub node: String,
    /// What it holds.
    pub outcome: Outcome,
}

/// What a device holds.
#[derive(Debug)]
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

impl Outcome {
    /// The kind of seed that a label promises here.
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Self::Volume(identity) => identity.kind,
            _ => None,
        }
    }
}

/// Looks until `deadline` for a device that is labelled as a seed of one of the `sources`. Returns every device seen,
/// the highest name first: the order in which cloud-init tries them.
///
/// The first look that finds a seed is the last one. All devices are looked at in it, so which
/// of several media present at boot wins does not depend on timing.
pub fn discover(root: &Root, sources: &[Kind], deadline: Instant) -> Vec<Place> {
    let mut known = BTreeMap::new();
    loop {
        look(root, &mut known);
        let mut kinds = known.values().filter_map(|(_, outcome)| outcome.kind());
        let found = kinds.any(|kind| sources.contains(&kind));
        let now = Instant::now();
        if found || now >= deadline {
            return places(known);
        }
        thread::sleep(POLL.min(deadline - now));
    }
}

/// What is known of each device, by name.
type Known = BTreeMap<String, (Device, Outcome)>;

/// Looks at the devices that are new, have changed, or had nothing in them.
fn look(root: &Root, known: &mut Known) {
    let present = devices::list(root);
    known.retain(|name, (device, outcome)| {
        present.get(name) == Some(device) && !matches!(outcome, Outcome::Absent)
    });
    for (name, device) in present {
        known.entry(name).or_insert_with_key(|name| {
            let outcome = probe(root, name);
            (device, outcome)
        });
    }
}

fn places(known: Known) -> Vec<Place> {
    let highest_first = known.into_iter().rev();
    highest_first
        .map(|(name, (_, outcome))| Place { node: devices::node(&name), outcome })
        .collect()
}

fn probe(root: &Root, name: &str) -> Outcome {
    let result = open(root, &devices::node(name)).map_err(ReadError::Device).and_then(identify);
    match result {
        Ok(Some(identity)) => Outcome::Volume(identity),
        Ok(None) => Outcome::Nothing,
        Err(ReadError::Device(error)) if is_absence(name, &error) => Outcome::Absent,
        Err(error) => Outcome::Unreadable(chain(&error)),
    }
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

    use super::*;

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

    #[test]
    fn order_and_what_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["vda", "vda1", "sr0", "loop0", "ram1", "zram0", "dm-0", "fd0"] {
            fake(dir.path(), name, &[0; 4096]);
        }
        fake(dir.path(), "sdb", b"");
        let places = discover(&Root::new(dir.path()), &Kind::ALL, Instant::now());
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
        let places = discover(&Root::new(dir.path()), &Kind::ALL, Instant::now());
        let Outcome::Unreadable(reason) = &places[0].outcome else {
            panic!("{places:?}");
        };
        assert!(reason.starts_with("the drive cannot be read; "), "{reason}");
        assert!(places[1].outcome.kind().is_some());
    }

    #[test]
    fn a_late_device_is_found_within_the_wait() {
        let dir = tempfile::tempdir().unwrap();
        fake(dir.path(), "vda", &[0; 4096]);
        let late = dir.path().to_owned();
        let attach = thread::spawn(move || {
            thread::sleep(Duration::from_millis(250));
            fake(&late, "sr0", &seed());
        });
        let start = Instant::now();
        let places = discover(&Root::new(dir.path()), &Kind::ALL, start + Duration::from_secs(20));
        attach.join().unwrap();
        assert!(start.elapsed() < Duration::from_secs(10));
        assert_eq!(seen(&places), ["/dev/vda", "/dev/sr0"]);
        assert!(places[1].outcome.kind().is_some());
    }

    #[test]
    fn a_disc_put_into_an_empty_drive_is_found() {
        let dir = tempfile::tempdir().unwrap();
        fake(dir.path(), "sr0", &[0; 4096]);
        fs::remove_file(dir.path().join("dev/sr0")).unwrap();
        let root = Root::new(dir.path());
        let mut known = Known::new();
        look(&root, &mut known);
        assert!(matches!(known["sr0"].1, Outcome::Absent));
        fs::write(dir.path().join("dev/sr0"), seed()).unwrap();
        look(&root, &mut known);
        assert!(known["sr0"].1.kind().is_some());
    }

    #[test]
    fn no_sysfs_is_no_device() {
        let dir = tempfile::tempdir().unwrap();
        assert!(discover(&Root::new(dir.path()), &Kind::ALL, Instant::now()).is_empty());
    }
}
