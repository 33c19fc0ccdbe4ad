//! `bootwright doctor`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use bootwright_guest::{Accelerator, Arch, Error, Host};
use bootwright_source::catalog::{Distribution, UBUNTU_KEYRING};
use serde::Serialize;

use crate::cli::Doctor;
use crate::exit::Lacking;
use crate::progress::Progress;
use crate::{bases, interrupt, report, scratch};

/// Room on a disk with which a build of an ordinary image has no trouble.
const ROOM: u64 = 4 << 30;
/// What a build takes at most: edits, caches and batches under way.
const BUILD_MEMORY: u64 = 256 << 20;
/// What `bootwright boot` gives a guest, and QEMU's own part.
const BOOT_MEMORY: u64 = 1280 << 20;

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// There, and enough.
    Good,
    /// There, and less than one would wish.
    Poor,
    /// Not there.
    Missing,
}

/// The package that brings something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Package {
    debian: &'static str,
    fedora: &'static str,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    name: &'static str,
    /// What it is for.
    feature: &'static str,
    /// Whether no image can be built without it.
    required: bool,
    state: State,
    /// What was found, or what to do.
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<Package>,
}

impl Finding {
    fn new(name: &'static str, feature: &'static str, state: State, detail: String) -> Self {
        Self { name, feature, required: false, state, detail, package: None }
    }

    fn with(self, package: Package) -> Self {
        Self { package: (self.state == State::Missing).then_some(package), ..self }
    }

    fn required(self) -> Self {
        Self { required: true, ..self }
    }
}

/// Looks at this machine and shows what it can do.
///
/// # Errors
/// [`Lacking`] if no image can be built here.
pub fn run(arguments: &Doctor, progress: Progress) -> Result<()> {
    let stage = progress.stage("looking at this machine");
    let findings = findings()?;
    drop(stage);
    if arguments.json {
        report::json(&findings)?;
    } else {
        findings.iter().for_each(show);
    }
    let lacking: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.required && finding.state == State::Missing)
        .map(|finding| finding.name)
        .collect();
    match lacking.is_empty() {
        true => Ok(()),
        false => {
            Err(Lacking(format!("images cannot be built here for want of: {}", lacking.join(", ")))
                .into())
        }
    }
}

fn findings() -> Result<Vec<Finding>> {
    let host = Host::from_environment()?;
    let mut findings = vec![library(), memory()];
    findings.extend(room()?);
    findings.push(qemu(&host));
    findings.push(accelerator(&host)?);
    findings.push(firmware(&host));
    findings.extend(catalogs()?);
    findings.push(mmdebstrap());
    Ok(findings)
}

fn library() -> Finding {
    let detail = format!("version {}, a part of this program", bootwright_rootfs::LIBEXT2FS);
    Finding::new("libext2fs", "editing ext4", State::Good, detail).required()
}

fn memory() -> Finding {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let free = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse::<u64>().ok())
        .map(|kib| kib << 10);
    let feature = "builds, and guests";
    let (state, detail) = match free {
        None => (State::Poor, "/proc/meminfo does not say how much is free".to_owned()),
        Some(free) if free < BUILD_MEMORY => (
            State::Missing,
            format!("{} free, a build takes up to {}", mib(free), mib(BUILD_MEMORY)),
        ),
        Some(free) if free < BOOT_MEMORY => {
            (State::Poor, format!("{} free, a guest takes {}", mib(free), mib(BOOT_MEMORY)))
        }
        Some(free) => (State::Good, format!("{} free", mib(free))),
    };
    Finding::new("memory", feature, state, detail).required()
}

/// Room where files of a build go.
fn room() -> Result<Vec<Finding>> {
    let cache = bases::store(true)?.cache.folder().to_owned();
    let places: [(&str, &str, PathBuf); 3] = [
        ("room for outputs", "builds into this folder", std::env::current_dir()?),
        ("room for edits", "edits past the limit in memory", scratch::dir()),
        ("room in the cache", "base images from catalogs and servers", cache),
    ];
    Ok(places.into_iter().map(|(name, feature, path)| space(name, feature, &path)).collect())
}

fn space(name: &'static str, feature: &'static str, path: &Path) -> Finding {
    // A folder that is yet to be made lies where its parent does.
    let there = path.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/"));
    let (state, detail) = match rustix::fs::statvfs(there) {
        Err(error) => (State::Poor, format!("{}: {error}", path.display())),
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            let state = match free {
                0 => State::Missing,
                free if free < ROOM => State::Poor,
                _ => State::Good,
            };
            (state, format!("{} free in {}", mib(free), path.display()))
        }
    };
    Finding::new(name, feature, state, detail)
}

fn qemu(host: &Host) -> Finding {
    let feature = "bootwright boot";
    match host.qemu(Arch::Amd64) {
        Ok(path) => {
            let version = version(&path).unwrap_or_else(|| "of an unknown version".to_owned());
            let detail = format!("{}, {version}", path.display());
            Finding::new("QEMU", feature, State::Good, detail)
        }
        Err(error) => lacking("QEMU", feature, &error),
    }
}

/// The first line of what a program says about its version.
fn version(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().next().map(str::to_owned).filter(|_| output.status.success())
}

fn accelerator(host: &Host) -> Result<Finding> {
    let feature = "guests at full speed";
    Ok(match host.accelerator(Arch::Amd64, interrupt::flag()) {
        Ok(choice) => {
            let is_fast = choice.accelerator == Accelerator::Kvm;
            let state = if is_fast { State::Good } else { State::Poor };
            let detail = format!("{} ({})", choice.accelerator, choice.reason);
            Finding::new("accelerator", feature, state, detail)
        }
        Err(error @ Error::Cancelled) => return Err(error.into()),
        Err(error) => lacking("accelerator", feature, &error),
    })
}

fn firmware(host: &Host) -> Finding {
    let feature = "bootwright boot --firmware uefi";
    match host.uefi(Arch::Amd64) {
        Ok(flash) => {
            Finding::new("UEFI firmware", feature, State::Good, flash.code.display().to_string())
        }
        Err(error) => lacking("UEFI firmware", feature, &error),
    }
}

/// Something that the crate for guests did not find.
fn lacking(name: &'static str, feature: &'static str, error: &Error) -> Finding {
    let finding = Finding::new(name, feature, State::Missing, error.to_string());
    match *error {
        Error::ToolMissing { debian, fedora, .. }
        | Error::FirmwareMissing { debian, fedora, .. } => finding.with(Package { debian, fedora }),
        _ => finding,
    }
}

fn catalogs() -> Result<Vec<Finding>> {
    let config = bases::store(true)?.config;
    let known: Vec<&str> = Distribution::ALL
        .into_iter()
        .filter(|distribution| config.catalog(*distribution).is_ok())
        .map(Distribution::name)
        .collect();
    let feature = "bases by name, such as ubuntu:noble";
    let (state, detail) = match known.is_empty() {
        true => {
            (State::Missing, format!("{} names no mirror (docs/bases.md)", config.file.display()))
        }
        false => (State::Good, format!("{} in {}", known.join(", "), config.file.display())),
    };
    let catalog = Finding::new("catalog", feature, state, detail);
    let keyring = config.ubuntu.keyring.unwrap_or_else(|| UBUNTU_KEYRING.into());
    let is_there = keyring.is_file();
    let (state, detail) = match is_there {
        true => (State::Good, keyring.display().to_string()),
        false => (State::Missing, format!("there is no {}", keyring.display())),
    };
    let package = Package {
        debian: "ubuntu-keyring (on Ubuntu ubuntu-cloudimage-keyring)",
        fedora: "ubu-keyring",
    };
    let keys = Finding::new("Ubuntu's keys", "ubuntu: bases, which are signed", state, detail);
    Ok(vec![catalog, keys.with(package)])
}

fn mmdebstrap() -> Finding {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders)
        .map(|folder| folder.join("mmdebstrap"))
        .find(|path| path.is_file());
    let feature = "ci/base, which makes bases from packages";
    let package = Package { debian: "mmdebstrap", fedora: "mmdebstrap" };
    let (state, detail) = match found {
        Some(path) => (State::Good, path.display().to_string()),
        None => (State::Missing, "mmdebstrap is not in PATH".to_owned()),
    };
    Finding::new("mmdebstrap", feature, state, detail).with(package)
}

fn show(finding: &Finding) {
    let state = match finding.state {
        State::Good => "good   ",
        State::Poor => "poor   ",
        State::Missing => "missing",
    };
    report::data(format_args!(
        "{state}  {} ({}): {}",
        finding.name, finding.feature, finding.detail
    ));
    if let Some(Package { debian, fedora }) = finding.package {
        report::data(format_args!(
            "         install the package {debian} (Debian, Ubuntu) or {fedora} (Fedora)"
        ));
    }
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}
