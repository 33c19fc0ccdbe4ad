//! The flow: from a request to the agent's report.

use std::fs::File;
use std::io;
use std::path::{Path, absolute};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use bootwright_seed::report::Report;

use crate::accel::Accelerator;
use crate::console::{Console, Log, ReportChannel};
use crate::event::Event;
use crate::firmware::Flash;
use crate::guest::{Guest, Socket};
use crate::host::Host;
use crate::machine::Machine;
use crate::process::Process;
use crate::request::{BootRequest, Firmware};
use crate::scratch::Scratch;
use crate::session::Session;
use crate::{Error, Result};

/// What came of a boot whose guest reported.
#[derive(Debug)]
pub struct BootOutcome {
    /// The agent's report. Its texts are the guest's: escape them before they are shown.
    pub report: Report,
    /// What ran the guest's code.
    pub accelerator: Accelerator,
    /// From QEMU's start to the report.
    pub elapsed: Duration,
    /// Whether the guest powered itself off when asked; otherwise QEMU was ended.
    pub powered_off: bool,
}

/// Boots an image and waits for its agent's report, then powers the guest off.
///
/// The image is not changed. When this returns, however it does, QEMU has ended. Setting
/// `cancel` ends the boot within a fraction of a second. If this process is killed, QEMU is
/// too; to that end the calling thread must not be one that ends before the call does.
///
/// # Errors
/// Any [`Error`]; [`Error::class`] tells whose trouble it is.
pub fn boot(
    host: &Host,
    request: &BootRequest,
    cancel: &AtomicBool,
    events: &mut dyn FnMut(Event<'_>),
) -> Result<BootOutcome> {
    request.check()?;
    let request = &with_absolute_paths(request)?;
    let qemu = host.qemu(request.arch)?;
    let scratch = Scratch::new()?;
    let flash = flash(host, request, &scratch)?;
    let log = request.console_log.as_deref().map(Log::create).transpose()?;

    events(Event::Probing);
    let choice = host.accelerator(request.arch, cancel)?;
    events(Event::Accelerator(choice));
    let accelerator = choice.accelerator;

    let control = Socket::listen(&scratch, "control")?;
    let report = Socket::listen(&scratch, "report")?;
    let machine = Machine {
        request,
        accelerator,
        flash: flash.as_ref(),
        control: control.path.clone(),
        report: report.path.clone(),
    };
    let started = Instant::now();
    let process = Process::start(host, &qemu, &machine.arguments())?;
    let guest = Guest::attach(process, &control, &report, scratch, cancel)?;
    events(Event::Started);

    let channel = match request.hypervisor.has_virtio() {
        true => ReportChannel::Port,
        false => ReportChannel::Console,
    };
    let mut session = Session::new(guest, Console::new(log, channel), cancel, events);
    let report = session.wait_for_report(request.timeout)?;
    let elapsed = started.elapsed();
    session.tell(Event::Reported(&report));
    session.tell(Event::PoweringOff);
    let powered_off = session.power_off(request.power_off_limit)?;
    Ok(BootOutcome { report, accelerator, elapsed, powered_off })
}

/// UEFI firmware with a copy of the variables that the guest may write to.
fn flash(host: &Host, request: &BootRequest, scratch: &Scratch) -> Result<Option<Flash>> {
    if request.firmware == Firmware::Bios {
        return Ok(None);
    }
    let mut flash = host.uefi(request.arch)?;
    flash.variables = scratch
        .write("variables", |copy| io::copy(&mut File::open(&flash.variables)?, copy).map(drop))?;
    Ok(Some(flash))
}

/// The request with paths that mean the same in any folder and cannot be taken for options.
fn with_absolute_paths(request: &BootRequest) -> Result<BootRequest> {
    let resolve = |role, path: &Path| {
        absolute(path).map_err(|source| Error::Unreadable { role, path: path.to_owned(), source })
    };
    Ok(BootRequest {
        image: resolve("image", &request.image)?,
        seed: request.seed.as_deref().map(|seed| resolve("seed", seed)).transpose()?,
        ..request.clone()
    })
}
