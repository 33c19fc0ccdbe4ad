//! Finds the virtio-serial port the host listens on.
//!
//! Sources: the kernel's drivers/char/virtio_console.c (class `virtio-ports`, attribute `name`,
//! nodes /dev/vportNpM) and the virtio specification (device id 3: console).

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use bootwright_seed::report::VIRTIO_PORT;

use crate::root::Root;

/// How long a console device may be without a driver: udev loads the module while the rest of
/// the system starts, which takes seconds on an emulated machine.
const FOR_DRIVER: Duration = Duration::from_secs(10);
/// How long the ports of a driven device may take to appear or to get their names; both come
/// from the host in messages after the driver has started.
const FOR_PORTS: Duration = Duration::from_secs(1);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// The node of the port named [`VIRTIO_PORT`], such as `/dev/vport1p1`, waiting for it if a
/// console device is still being set up. `None` without delay on a machine that has none.
pub fn find(root: &Root) -> Option<String> {
    let mut patience = patience_now(root);
    let mut since = Instant::now();
    loop {
        let port = named(root);
        if port.is_some() || since.elapsed() >= patience {
            return port;
        }
        thread::sleep(PAUSE);
        let now = patience_now(root);
        // A driver that came late has its own time to set the ports up.
        if now < patience {
            since = Instant::now();
        }
        patience = patience.min(now);
    }
}

fn named(root: &Root) -> Option<String> {
    let ours = |folder: &PathBuf| trimmed(&folder.join("name")) == VIRTIO_PORT;
    let port = entries(&root.at("/sys/class/virtio-ports")).into_iter().find(ours)?;
    Some(format!("/dev/{}", port.file_name()?.to_str()?))
}

/// How long it makes sense to wait for the next state of the console devices. It only gets
/// shorter, which bounds the whole wait.
fn patience_now(root: &Root) -> Duration {
    let devices = entries(&root.at("/sys/bus/virtio/devices"));
    let consoles = devices.iter().filter(|device| trimmed(&device.join("device")) == "0x0003");
    consoles.map(|device| still_needs(device)).max().unwrap_or(Duration::ZERO)
}

fn still_needs(device: &Path) -> Duration {
    let ports = entries(&device.join("virtio-ports"));
    // A port without a name reads as (null) until the host has sent it.
    let all_named =
        ports.iter().all(|port| !matches!(trimmed(&port.join("name")).as_str(), "" | "(null)"));
    if !device.join("driver").exists() {
        FOR_DRIVER
    } else if ports.is_empty() || !all_named {
        FOR_PORTS
    } else {
        Duration::ZERO
    }
}

/// The entries of a folder, sorted; none if it is not there.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    found.sort();
    found
}

fn trimmed(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sys {
        dir: tempfile::TempDir,
    }

    impl Sys {
        fn new() -> Self {
            Self { dir: tempfile::tempdir().unwrap() }
        }

        fn root(&self) -> Root {
            Root::new(self.dir.path())
        }

        fn file(&self, path: &str, content: &str) {
            let path = self.root().at(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }

        fn port(&self, device: &str, port: &str, name: &str) {
            self.file(&format!("/sys/class/virtio-ports/{port}/name"), name);
            self.file(&format!("/sys/bus/virtio/devices/{device}/virtio-ports/{port}/name"), name);
        }
    }

    #[test]
    fn the_port_is_found_by_name() {
        let sys = Sys::new();
        sys.port("virtio1", "vport1p1", "org.qemu.guest_agent.0\n");
        sys.port("virtio1", "vport1p2", &format!("{VIRTIO_PORT}\n"));
        assert_eq!(find(&sys.root()).as_deref(), Some("/dev/vport1p2"));
    }

    #[test]
    fn no_console_device_no_wait() {
        let sys = Sys::new();
        sys.file("/sys/bus/virtio/devices/virtio0/device", "0x0002\n");
        assert_eq!(patience_now(&sys.root()), Duration::ZERO);
        assert_eq!(find(&sys.root()), None);
    }

    #[test]
    fn waiting_depends_on_how_far_the_device_is() {
        let sys = Sys::new();
        sys.file("/sys/bus/virtio/devices/virtio1/device", "0x0003\n");
        assert_eq!(patience_now(&sys.root()), FOR_DRIVER);
        sys.file("/sys/bus/virtio/devices/virtio1/driver", "");
        assert_eq!(patience_now(&sys.root()), FOR_PORTS);
        sys.port("virtio1", "vport1p1", "(null)\n");
        assert_eq!(patience_now(&sys.root()), FOR_PORTS);
        sys.port("virtio1", "vport1p1", "org.qemu.guest_agent.0\n");
        assert_eq!(patience_now(&sys.root()), Duration::ZERO);
    }

    #[test]
    fn a_late_port_is_found() {
        let sys = Sys::new();
        sys.file("/sys/bus/virtio/devices/virtio1/device", "0x0003\n");
        let port = thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(200));
                sys.port("virtio1", "vport1p1", VIRTIO_PORT);
            });
            find(&sys.root())
        });
        assert_eq!(port.as_deref(), Some("/dev/vport1p1"));
    }

    #[test]
    fn a_late_driver_has_its_own_time() {
        let sys = Sys::new();
        sys.file("/sys/bus/virtio/devices/virtio1/device", "0x0003\n");
        let port = thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(FOR_PORTS + Duration::from_millis(300));
                sys.file("/sys/bus/virtio/devices/virtio1/driver", "");
                thread::sleep(Duration::from_millis(300));
                sys.port("virtio1", "vport1p1", VIRTIO_PORT);
            });
            find(&sys.root())
        });
        assert_eq!(port.as_deref(), Some("/dev/vport1p1"));
    }
}
