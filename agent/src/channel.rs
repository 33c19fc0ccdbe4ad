//! Gets the report out: files, the console, systemd, what the hypervisor listens to, programs.

mod console;
mod hooks;
mod kvp;
pub mod notify;
mod page;
mod stream;
mod virtio;
pub mod words;

use bootwright_seed::report::Report;

use crate::atomic;
use crate::boot::chain;
use crate::config::Config;
use crate::root::Root;
use crate::sources;

/// The variable of the machine that a VMware host reads.
const GUESTINFO: &str = "guestinfo.bootwright.report";

/// Where the report of the last run is. It holds no secret and everybody may read it.
pub const REPORT: &str = "/run/bootwright/report.json";

/// Writes the report to its file alone. Returns what did not work.
pub fn keep(root: &Root, report: &Report) -> Vec<String> {
    match json(report).and_then(|json| write(root, &json)) {
        Ok(()) => Vec::new(),
        Err(complaint) => vec![complaint],
    }
}

fn json(report: &Report) -> Result<String, String> {
    let json = serde_json::to_string(report);
    json.map(|json| json + "\n")
        .map_err(|error| format!("cannot write the report as JSON: {error}"))
}

fn write(root: &Root, json: &str) -> Result<(), String> {
    atomic::write(&root.at(REPORT), json.as_bytes(), 0o644).map_err(|error| chain(&error))
}

/// Delivers the report on every channel there is. Returns what did not work; that changes
/// nothing about the machine's state.
pub fn deliver(root: &Root, config: &Config, report: &Report) -> Vec<String> {
    let json = match json(report) {
        Ok(json) => json,
        Err(complaint) => return vec![complaint],
    };
    let mut complaints: Vec<String> = write(root, &json).err().into_iter().collect();
    if let Some(console) = &config.console
        && let Err(error) = stream::send(&root.at(console), console::line(report).as_bytes())
    {
        complaints.push(format!("no report on {}: {error}", console.display()));
    }
    if let Err(error) = notify::status(&console::summary(report)) {
        complaints.push(format!("no status for systemd: {error}"));
    }
    if let Some(port) = virtio::find(root)
        && let Err(error) = stream::send(&root.at(&port), json.as_bytes())
    {
        complaints.push(format!("no report on {port}: {error}"));
    }
    complaints.extend(page::write(root, config, report));
    if let Some(Err(error)) = kvp::put(root, report) {
        complaints.push(format!("no report for Hyper-V: {error}"));
    }
    if let Some(Err(error)) = sources::set_guestinfo(root, GUESTINFO, json.trim_end()) {
        complaints.push(format!("no report for VMware: {error}"));
    }
    complaints.extend(hooks::run(root, &config.report_hooks, &json));
    complaints
}
