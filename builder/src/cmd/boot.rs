//! `bootwright boot`.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use bootwright_disk::Format;
use bootwright_guest::{
    BootOutcome, BootRequest, Controller, DiskFormat, Event, Firmware, Host, Hypervisor,
};
use bootwright_seed::report::{Report, Source, State};

use crate::cli::{Boot, Firmware as FirmwareArg, Machine as MachineArg};
use crate::exit::GuestState;
use crate::progress::Progress;
use crate::{interrupt, report};

/// Boots an image and shows what its agent reports.
///
/// # Errors
/// An image that is none, a machine that lacks QEMU, a guest that does not report or
/// reports something else than wanted.
pub fn boot(arguments: &Boot, progress: Progress) -> Result<()> {
    let mut request = BootRequest::new(arguments.image.clone(), format_of(&arguments.image)?);
    request.seed = arguments.seed.clone();
    request.firmware = match arguments.firmware {
        FirmwareArg::Bios => Firmware::Bios,
        FirmwareArg::Uefi => Firmware::Uefi,
    };
    request.hypervisor = match arguments.machine {
        MachineArg::Kvm => Hypervisor::Kvm,
        MachineArg::Vmware => Hypervisor::Vmware(Controller::PvScsi),
        MachineArg::VmwareLsi => Hypervisor::Vmware(Controller::LsiLogic),
        MachineArg::HyperV => Hypervisor::HyperV,
        MachineArg::Xen => Hypervisor::Xen,
    };
    request.memory_mib = arguments.memory;
    request.cpus = arguments.cpus;
    request.timeout = Duration::from_secs(arguments.timeout);
    request.console_log = arguments.console_log.clone();

    let outcome = run(&request, arguments, progress)?;
    show(&outcome, arguments, progress)?;
    verdict(&outcome.report, arguments.seed.is_some())
}

fn run(request: &BootRequest, arguments: &Boot, progress: Progress) -> Result<BootOutcome> {
    let host = Host::from_environment()?;
    let stage = progress.stage("starting the guest");
    let mut events = |event: Event<'_>| match event {
        Event::Probing => stage.say("trying the accelerator".into()),
        Event::Accelerator(choice) => {
            progress.note(&format!("accelerator: {} ({})", choice.accelerator, choice.reason));
        }
        Event::Started => stage.say("waiting for the agent".into()),
        Event::ConsoleLine(line) if arguments.console => report::message(line),
        Event::Reported(_) | Event::PoweringOff => stage.say("powering the guest off".into()),
        _ => {}
    };
    Ok(bootwright_guest::boot(&host, request, interrupt::flag(), &mut events)?)
}

/// The image's format by its first bytes. The image is opened by the same door as a base,
/// so that nothing with references to other files reaches QEMU.
fn format_of(image: &Path) -> Result<DiskFormat> {
    let opened = bootwright_disk::open(image, None)
        .with_context(|| format!("opening the image {}", image.display()))?;
    Ok(match opened.format {
        Format::Raw => DiskFormat::Raw,
        Format::Qcow2 => DiskFormat::Qcow2,
        Format::Vmdk => DiskFormat::Vmdk,
        Format::Vhdx => DiskFormat::Vhdx,
        Format::Vhd => DiskFormat::Vhd,
    })
}

fn show(outcome: &BootOutcome, arguments: &Boot, progress: Progress) -> Result<()> {
    let BootOutcome { report, accelerator, elapsed, powered_off } = outcome;
    let off = if *powered_off { "powered off" } else { "ended" };
    progress.note(&format!("reported after {:.1} s ({accelerator}), {off}", elapsed.as_secs_f64()));
    if arguments.json {
        return report::json(report);
    }
    for (key, value) in lines(report) {
        report::data(format_args!("{key:12} {}", printable(&value)));
    }
    Ok(())
}

/// The report as keys and values for people.
fn lines(report: &Report) -> Vec<(&'static str, String)> {
    let mut lines = vec![("state", report.state.name().to_owned())];
    let mut add = |key, value: Option<String>| lines.extend(value.map(|value| (key, value)));
    let profile = report.profile.as_ref();
    add("profile", profile.map(|profile| format!("{} {}", profile.name, profile.version)));
    let source = report.source.as_ref();
    add("source", source.map(source_line));
    add("instance-id", report.instance_id.clone());
    add("env", report.env.clone());
    add("error", report.error.clone());
    lines.extend(report.warnings.iter().map(|warning| ("warning", warning.clone())));
    for tried in &report.tried {
        lines.push(("tried", format!("{}: {}", tried.place, tried.outcome)));
    }
    if !report.agent.is_empty() {
        lines.push(("agent", format!("{}, {} ms", report.agent, report.elapsed_ms)));
    }
    lines
}

/// Where the env came from; a report by the console does not tell all of it.
fn source_line(source: &Source) -> String {
    let Source { kind, device, filesystem, file } = source;
    match (filesystem, file.is_empty()) {
        (Some(filesystem), _) => format!("{kind} on {device} ({filesystem}), {file}"),
        (None, true) => format!("{kind} on {device}"),
        (None, false) => format!("{kind} from {device}, {file}"),
    }
}

/// What a guest says, without characters that could drive a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Whether the guest is in the state that was to be expected.
fn verdict(report: &Report, seeded: bool) -> Result<()> {
    match report.state {
        State::Active | State::Standby | State::WaitingForRestore => Ok(()),
        State::Unconfigured if !seeded => Ok(()),
        State::Unconfigured => {
            let text = "the agent found no seed, though one was attached";
            Err(GuestState(text.to_owned()).into())
        }
        State::Failed => {
            let reason = report.error.as_deref().map(printable).unwrap_or_default();
            Err(GuestState(format!("the agent failed: {reason}")).into())
        }
    }
}
