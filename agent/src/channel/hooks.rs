//! Hands the report to programs that the image has for that: the hook for error trackers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::program;
use crate::root::Root;

/// How long one program may take. A boot does not wait for a tracker that is down.
const LIMIT: Duration = Duration::from_secs(10);

/// Runs every program of the folder, in the order of their names, with the report as JSON on
/// its standard input and nothing of the agent's environment. Returns what did not work.
pub fn run(root: &Root, folder: &Path, json: &str) -> Vec<String> {
    let entries = fs::read_dir(root.at(folder)).into_iter().flatten().flatten();
    let mut programs: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| is_program(path)).collect();
    programs.sort();
    programs.iter().filter_map(|program| call(program, json).err()).collect()
}

fn is_program(path: &Path) -> bool {
    let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    let executable =
        fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    executable && !hidden
}

fn call(path: &Path, json: &str) -> Result<(), String> {
    let mut command = Command::new(path);
    command.env_clear().env("PATH", program::PATH).current_dir("/");
    let name = path.file_name().unwrap_or_default().display();
    match program::finish(command, json.as_bytes(), LIMIT) {
        Ok(ended) if ended.status.success() => Ok(()),
        Ok(ended) => Err(format!("the report hook {name} ended with {}", ended.status)),
        Err(error) => Err(format!("the report hook {name} failed: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_get_the_report_and_no_environment() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("hooks");
        fs::create_dir(&folder).unwrap();
        let out = dir.path().join("out");
        let script = |name: &str, text: String, mode: u32| {
            let path = folder.join(name);
            fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        script("10-track", format!("{{ cat; env | grep -c CARGO; }} >{}", out.display()), 0o755);
        script("20-bad", "exit 4".to_owned(), 0o755);
        script("30-off", "exit 5".to_owned(), 0o644);
        script(".40-hidden", "exit 6".to_owned(), 0o755);
        let complaints = run(&Root::new(dir.path()), Path::new("/hooks"), "{}\n");
        assert_eq!(
            complaints,
            [
                "the report hook 10-track ended with exit status: 1",
                "the report hook 20-bad ended with exit status: 4",
            ]
        );
        assert_eq!(fs::read_to_string(out).unwrap(), "{}\n0\n");
        assert!(run(&Root::new(dir.path()), Path::new("/none"), "").is_empty());
    }
}
