//! Files in /run that tell units, scripts and the next run which state the machine is in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bootwright_seed::report::State;

use crate::atomic;
use crate::boot::chain;
use crate::config::Config;
use crate::root::Root;

/// The machine has no env and waits for one.
pub const UNCONFIGURED: &str = "/run/bootwright/unconfigured";
/// The env says that the machine is to stand by.
pub const STANDBY: &str = "/run/bootwright/standby";
/// Data has to be restored first.
pub const WAITING: &str = "/run/bootwright/waiting-for-restore";
/// A seed that is attached from now on is to be noticed; starts the watch.
pub const WATCH: &str = "/run/bootwright/watch";
/// Metadata servers are to be asked; starts the second stage.
pub const NETWORK: &str = "/run/bootwright/seek-network";
/// Media that are to be released; starts that.
pub const RELEASE: &str = "/run/bootwright/release";

/// Sets the flags of a state and clears those of the others.
///
/// # Errors
/// The flags that could not be set or cleared, in words.
pub fn set(root: &Root, config: &Config, state: State) -> Vec<String> {
    let failure = config.failure_flag.as_path();
    let flags: [(&Path, State); 4] = [
        (failure, State::Failed),
        (Path::new(UNCONFIGURED), State::Unconfigured),
        (Path::new(STANDBY), State::Standby),
        (Path::new(WAITING), State::WaitingForRestore),
    ];
    let change = |(path, owner): (&Path, State)| match owner == state {
        true => raise(root, path),
        // A failure that a unit reported stays until the machine is well or somebody clears it.
        false if path == failure && state != State::Active => Ok(()),
        false => lower(root, path),
    };
    flags.into_iter().filter_map(|flag| change(flag).err()).collect()
}

/// Makes a flag.
///
/// # Errors
/// It cannot be made.
pub fn raise(root: &Root, path: &Path) -> Result<(), String> {
    let real = root.at(path);
    if real.exists() {
        return Ok(());
    }
    atomic::write(&real, b"", 0o644).map_err(|error| chain(&error))
}

/// Removes a flag.
///
/// # Errors
/// It cannot be removed.
pub fn lower(root: &Root, path: &Path) -> Result<(), String> {
    match fs::remove_file(root.at(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(format!("cannot remove {}: {error}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Whether a flag is there.
pub fn is_raised(root: &Root, path: impl Into<PathBuf>) -> bool {
    root.at(path.into()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Upstream took a machine without an env, and one that was told to wait, for a failure
    /// (domain.md B35, B38), and called the flag by two names (B39).
    #[test]
    fn b35_b38_b39_only_a_failure_raises_the_failure_flag() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::new(dir.path());
        let mut config = Config::default();
        config.failure_flag = "/run/appliance-failed".into();
        let raised = || {
            ["/run/appliance-failed", UNCONFIGURED, STANDBY, WAITING].map(|f| is_raised(&root, f))
        };
        for (state, expected) in [
            (State::Unconfigured, [false, true, false, false]),
            (State::Standby, [false, false, true, false]),
            (State::Failed, [true, false, false, false]),
            (State::WaitingForRestore, [true, false, false, true]),
            (State::Active, [false; 4]),
        ] {
            assert_eq!(set(&root, &config, state), Vec::<String>::new());
            assert_eq!(raised(), expected, "{state:?}");
        }
    }
}
