//! Boots tiny guests in QEMU. None of them speaks virtio, so none reports: what is tested is
//! every way a boot can go wrong, and that nothing is left behind.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::{Then, host, processes_with, write_disk};
use bootwright_guest::{BootRequest, Class, DiskFormat, Error, Event, Firmware, Host, boot};
use sha2::{Digest, Sha256};

static NEVER: AtomicBool = AtomicBool::new(false);

fn request(image: &std::path::Path, timeout: u64) -> BootRequest {
    let mut request = BootRequest::new(image, DiskFormat::Raw);
    request.memory_mib = 64;
    request.cpus = 1;
    request.timeout = Duration::from_secs(timeout);
    request
}

#[test]
fn a_guest_that_never_reports_shows_its_console() {
    let folder = tempfile::tempdir().unwrap();
    let image = write_disk(folder.path(), "\r\n\x1b[1mtiny guest\x1b[0m\r\nlogin: ", Then::Sleep);
    let before = Sha256::digest(fs::read(&image).unwrap());
    let mut request = request(&image, 3);
    request.console_log = Some(folder.path().join("console.log"));
    let mut lines = Vec::new();
    let error = boot(&host(), &request, &NEVER, &mut |event| {
        if let Event::ConsoleLine(line) = event {
            lines.push(line.to_owned());
        }
    })
    .unwrap_err();

    let text = error.to_string();
    assert!(text.starts_with("the guest did not report within 3 s;"), "{text}");
    assert!(text.contains("\n  | tiny guest\n  | login: \n"), "{text}");
    assert_eq!(error.class(), Class::Guest);
    assert!(lines.contains(&"tiny guest".to_owned()), "{lines:?}");
    let log = fs::read_to_string(folder.path().join("console.log")).unwrap();
    assert!(log.contains("\r\n\x1b[1mtiny guest\x1b[0m\r\nlogin: "), "{log:?}");
    assert_eq!(Sha256::digest(fs::read(&image).unwrap()), before, "the image has changed");
    assert_eq!(processes_with(&image), [""; 0]);
}

#[test]
fn a_panic_ends_the_wait() {
    let folder = tempfile::tempdir().unwrap();
    let image = write_disk(folder.path(), "\nKernel panic - not syncing: test\n", Then::Sleep);
    let started = Instant::now();
    let error = boot(&host(), &request(&image, 60), &NEVER, &mut |_| {}).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("the guest's kernel panicked;"), "{text}");
    assert!(text.contains("  | Kernel panic - not syncing: test\n"), "{text}");
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

#[test]
fn endless_restarts_end_the_wait() {
    let folder = tempfile::tempdir().unwrap();
    let image = write_disk(folder.path(), "\nagain\n", Then::Restart);
    let error = boot(&host(), &request(&image, 60), &NEVER, &mut |_| {}).unwrap_err().to_string();
    assert!(error.starts_with("the guest restarts over and over;"), "{error}");
}

#[test]
fn an_image_without_a_boot_loader_is_told_by_either_firmware() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("empty.img");
    fs::write(&image, vec![0; 1 << 20]).unwrap();
    for firmware in [Firmware::Bios, Firmware::Uefi] {
        let mut request = request(&image, 60);
        request.firmware = firmware;
        request.memory_mib = 256;
        let error = boot(&host(), &request, &NEVER, &mut |_| {}).unwrap_err().to_string();
        assert!(error.starts_with("the firmware found nothing to boot"), "{firmware:?}: {error}");
    }
}

#[test]
fn what_qemu_says_against_an_image_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let image = write_disk(folder.path(), "", Then::Sleep);
    let mut request = request(&image, 60);
    request.format = DiskFormat::Qcow2;
    let error = boot(&host(), &request, &NEVER, &mut |_| {}).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("QEMU ended before the guest reported (exit status: 1)"), "{text}");
    assert!(text.contains("not in qcow2 format"), "{text}");
    assert_eq!(error.class(), Class::Environment);
}

#[test]
fn cancelling_leaves_no_process() {
    let folder = tempfile::tempdir().unwrap();
    let image = write_disk(folder.path(), "\nready\n", Then::Sleep);
    let cancel = AtomicBool::new(false);
    let mut cancelled = None;
    let error = boot(&host(), &request(&image, 60), &cancel, &mut |event| {
        if let Event::ConsoleLine("ready") = event {
            assert_eq!(processes_with(&image).len(), 1);
            cancel.store(true, Ordering::Relaxed);
            cancelled = Some(Instant::now());
        }
    })
    .unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
    assert_eq!(processes_with(&image), [""; 0]);
    assert!(cancelled.unwrap().elapsed() < Duration::from_secs(2));
}

#[test]
fn a_missing_qemu_is_told_before_anything_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let image = write_disk(folder.path(), "", Then::Sleep);
    let error = boot(&Host::new(""), &request(&image, 1), &NEVER, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("install the package qemu-system-x86 "), "{error}");
    assert_eq!(error.class(), Class::Environment);
}
