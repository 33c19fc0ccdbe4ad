//! Runs the tiny guest and judges how its QEMU ended.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::{Accelerator, sector};
use crate::console::Transcript;
use crate::guest::{Signal, follow};
use crate::hardware::Hypervisor;
use crate::host::Host;
use crate::machine::{Value, processor};
use crate::process::Process;
use crate::request::Arch;
use crate::scratch::Scratch;
use crate::{Error, Result};

/// How long a wait may last before the cancel flag is looked at again.
const TICK: Duration = Duration::from_millis(50);

/// How long QEMU may take to end once it has closed its standard error.
const END_LIMIT: Duration = Duration::from_secs(1);

/// What QEMU prints when KVM gives up on a guest, which it then pauses.
const KVM_GAVE_UP: &str = "KVM internal error";

/// What the probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A guest runs.
    Runs,
    /// It does not; why, for people.
    Fails(String),
}

/// Finds out, by running a tiny guest, whether guests run with this accelerator. The guest
/// gets the same machine and processor as [`boot`](crate::boot()) gives, and may take
/// `limit`.
///
/// # Errors
/// [`Error::ToolMissing`], [`Error::File`], [`Error::Process`], [`Error::Cancelled`]. That the
/// guest does not run is not an error but a [`Verdict`].
pub fn probe(
    host: &Host,
    arch: Arch,
    accelerator: Accelerator,
    limit: Duration,
    cancel: &AtomicBool,
) -> Result<Verdict> {
    let qemu = host.qemu(arch)?;
    let scratch = Scratch::new()?;
    let disk = scratch.write("probe", |file| file.write_all(&sector::disk()))?;

    let mut list = processor(arch, Hypervisor::Kvm, accelerator);
    list.option("-m", "64");
    list.flag("-no-reboot");
    list.option("-blockdev", Value::new("node-name=probe,driver=raw,read-only=on").file(&disk));
    list.option("-device", "virtio-blk-pci,drive=probe,bootindex=0");
    list.option("-device", format!("isa-debug-exit,iobase={:#x},iosize=1", sector::EXIT_PORT));
    let process = Process::start(host, &qemu, &list.0)?;
    watch(process, limit, cancel)
}

fn watch(mut process: Process, limit: Duration, cancel: &AtomicBool) -> Result<Verdict> {
    let deadline = Instant::now() + limit;
    let (sender, signals) = mpsc::sync_channel(1);
    if let Some(errors) = process.take_errors() {
        follow(errors, sender, Signal::Errors);
    }
    let mut errors = Transcript::new(1);
    loop {
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        if Instant::now() >= deadline {
            let reason = format!("a tiny guest did not finish within {} s", limit.as_secs_f32());
            return Ok(Verdict::Fails(reason));
        }
        match signals.recv_timeout(TICK) {
            Ok(Signal::Errors(bytes)) => {
                if let Some(line) =
                    errors.feed(&bytes).iter().find(|line| line.contains(KVM_GAVE_UP))
                {
                    return Ok(Verdict::Fails(line.clone()));
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
        }
    }
    let status = process.finish(END_LIMIT)?;
    if status.code() == Some(sector::PROOF_STATUS) {
        return Ok(Verdict::Runs);
    }
    let last = errors.tail().lines().last().unwrap_or("QEMU says no more").to_owned();
    Ok(Verdict::Fails(format!("a tiny guest ended QEMU with {status}: {last}")))
}
