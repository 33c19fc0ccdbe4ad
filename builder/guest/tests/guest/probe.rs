//! The accelerator probe, with the real QEMU and with programs that only claim to be one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use bootwright_guest::{Accelerator, Arch, Host, Verdict, probe};

const LIMIT: Duration = Duration::from_secs(30);

/// A host whose QEMU is this shell script.
fn host_with(script: &str) -> (Host, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("qemu-system-x86_64");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    (Host::new(folder.path()), folder)
}

fn run(host: &Host, limit: Duration) -> Verdict {
    probe(host, Arch::Amd64, Accelerator::Tcg, limit, &AtomicBool::new(false)).unwrap()
}

fn reason(verdict: Verdict) -> String {
    match verdict {
        Verdict::Fails(reason) => reason,
        Verdict::Runs => panic!("the guest ran"),
    }
}

#[test]
fn the_tiny_guest_runs_under_tcg() {
    assert_eq!(run(&Host::from_environment().unwrap(), LIMIT), Verdict::Runs);
}

#[test]
fn an_accelerator_is_found_in_time_and_remembered() {
    let search = std::env::var_os("PATH").unwrap();
    let host = Host::new(search);
    let cancel = AtomicBool::new(false);
    let started = Instant::now();
    let choice = host.accelerator(Arch::Amd64, &cancel).unwrap();
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}: {choice:?}", started.elapsed());
    assert!(!choice.reason.is_empty());
    let again = Instant::now();
    assert_eq!(host.accelerator(Arch::Amd64, &cancel).unwrap(), choice);
    assert!(again.elapsed() < Duration::from_millis(10));
}

#[test]
fn a_guest_that_hangs_is_given_up_in_time() {
    let (host, _folder) = host_with("exec /bin/sleep 60");
    let started = Instant::now();
    assert_eq!(
        reason(run(&host, Duration::from_millis(300))),
        "a tiny guest did not finish within 0.3 s"
    );
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_kvm_that_gives_up_is_not_waited_for() {
    let (host, _folder) =
        host_with("echo 'KVM internal error. Suberror: 1' >&2; exec /bin/sleep 60");
    let started = Instant::now();
    assert_eq!(reason(run(&host, LIMIT)), "KVM internal error. Suberror: 1");
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[test]
fn an_exit_that_proves_nothing_is_a_failure_with_its_words() {
    let (host, _folder) = host_with("echo first >&2; echo Permission denied >&2; exit 1");
    assert_eq!(
        reason(run(&host, LIMIT)),
        "a tiny guest ended QEMU with exit status: 1: Permission denied"
    );
}
