//! Gets the report out: a file, the console, systemd, a virtio-serial port.

mod console;
mod notify;
mod stream;
mod virtio;
pub mod words;

use bootwright_seed::report::Report;

use crate::atomic;
use crate::boot::chain;
use crate::config::Config;
use crate::root::Root;

/// Where the report of the last run is. It holds no secret and everybody may read it.
pub const REPORT: &str = "/run/bootwright/report.json";

/// Delivers the report on every channel there is. Returns what did not work; that changes
/// nothing about the machine's state.
pub fn deliver(root: &Root, config: &Config, report: &Report) -> Vec<String> {
    let mut complaints = Vec::new();
    let json = match serde_json::to_string(report) {
        Ok(json) => json + "\n",
        Err(error) => return vec![format!("cannot write the report as JSON: {error}")],
    };
    if let Err(error) = atomic::write(&root.at(REPORT), json.as_bytes(), 0o644) {
        complaints.push(chain(&error));
    }
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
    complaints
}
