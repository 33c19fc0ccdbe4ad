//! A boot whose own process is killed: the kernel must take QEMU with it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Then, host, processes_with, write_disk};
use bootwright_guest::{BootRequest, DiskFormat, boot};

/// Set for the process that boots and is killed; names the image.
const IMAGE: &str = "BOOTWRIGHT_TEST_IMAGE";

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn boot_until_killed(image: &Path) -> ! {
    let mut request = BootRequest::new(image, DiskFormat::Raw);
    request.timeout = Duration::from_secs(60);
    let outcome = boot(&host(), &request, &AtomicBool::new(false), &mut |_| {});
    panic!("the boot was not killed but came to {outcome:?}");
}

/// Runs itself as the process that boots.
#[test]
fn qemu_dies_with_the_process_that_booted() {
    if let Some(image) = std::env::var_os(IMAGE) {
        boot_until_killed(Path::new(&image));
    }
    let folder = tempfile::tempdir().unwrap();
    let image = write_disk(folder.path(), "\nready\n", Then::Sleep);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "orphan::qemu_dies_with_the_process_that_booted"])
        .env(IMAGE, &image)
        .env("TMPDIR", folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("QEMU has not started", || processes_with(&image).len() == 1);
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("QEMU has outlived us", || processes_with(&image).is_empty());
}
