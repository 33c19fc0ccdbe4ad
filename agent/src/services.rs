//! Restarts the services that use the env, with whatever manages services here.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::program;
use crate::root::Root;

/// How long the manager may take to accept the request.
const LIMIT: Duration = Duration::from_secs(60);
/// Exists while systemd runs the machine (sd_booted(3)).
const SYSTEMD: &str = "/run/systemd/system";
/// Where the managers' programs are.
const SYSTEMCTL: [&str; 2] = ["/usr/bin/systemctl", "/bin/systemctl"];
const RC_SERVICE: [&str; 2] = ["/sbin/rc-service", "/usr/sbin/rc-service"];

/// Restarts units. With systemd they are queued and not waited for; their conditions decide
/// whether they start. Returns what did not work.
pub fn restart(root: &Root, units: &[String]) -> Vec<String> {
    if units.is_empty() {
        return Vec::new();
    }
    if root.at(SYSTEMD).is_dir() {
        let mut words = vec!["--no-block", "restart"];
        words.extend(units.iter().map(String::as_str));
        return call(root, &SYSTEMCTL, &words).err().into_iter().collect();
    }
    let restart = |unit: &String| {
        let name = unit.strip_suffix(".service").unwrap_or(unit);
        call(root, &RC_SERVICE, &[name, "restart"]).err()
    };
    units.iter().filter_map(restart).collect()
}

fn call(root: &Root, programs: &[&str], words: &[&str]) -> Result<(), String> {
    let Some(path) = programs.iter().map(|path| root.at(path)).find(|path| path.is_file()) else {
        return Err(format!("{} is missing, so nothing is restarted", programs[0]));
    };
    let mut command = Command::new(&path);
    command.args(words).env("PATH", program::PATH);
    let name = Path::new(programs[0]).file_name().unwrap_or_default().display();
    match program::finish(command, b"", LIMIT) {
        Ok(ended) if ended.status.success() => Ok(()),
        Ok(ended) => Err(format!("{name} {} ended with {}", words.join(" "), ended.status)),
        Err(error) => Err(format!("{name} {}: {error}", words.join(" "))),
    }
}
