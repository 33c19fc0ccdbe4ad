//! Takes an env: puts it in place (0600, in one step, and not at all if it is there already),
//! keeps it, binds the machine to it, and has its medium released.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bootwright_seed::report::{State, Tried};

use crate::atomic::{self, WriteError};
use crate::binding::Binding;
use crate::boot::chain;
use crate::config::{Config, Reseed};
use crate::judge::Env;
use crate::outcome::Outcome;
use crate::root::Root;
use crate::sources::Offer;
use crate::{flags, kept, release, restored};

/// Only root reads the env: it is full of secrets.
const MODE: u32 = 0o600;

/// What it took to make the env active.
#[derive(Debug, PartialEq, Eq)]
pub enum Activated {
    /// The file was written.
    Written,
    /// The file had this content already.
    Unchanged,
}

/// Makes `env`, which came as `offer`, the env of the machine.
pub fn take(root: &Root, config: &Config, offer: &Offer, env: &Env, tried: Vec<Tried>) -> Outcome {
    let state = if env.standby {
        State::Standby
    } else if env.restore && !restored::is_done(root) {
        State::WaitingForRestore
    } else {
        State::Active
    };
    let mut outcome = if state == State::Standby {
        // What needs an env has none then, and does not start.
        if let Err(error) = flags::lower(root, &config.env_path) {
            return Outcome::failed(error, tried);
        }
        Outcome::taken(state, offer, None, tried)
    } else {
        match put(&root.at(&config.env_path), &env.text) {
            Ok(activated) => {
                let mut outcome = Outcome::taken(state, offer, Some(&config.env_path), tried);
                outcome.changed = activated == Activated::Written;
                outcome
            }
            Err(error) => return Outcome::failed(chain(&error), tried),
        }
    };
    outcome.warnings.extend(offer.warning.clone());
    outcome.warnings.extend(env.warnings.clone());
    outcome.warnings.extend(remember(root, config, offer, env));
    outcome
}

/// Keeps the env and notes where it came from; what of that did not work.
fn remember(root: &Root, config: &Config, offer: &Offer, env: &Env) -> Vec<String> {
    let mut done = vec![
        kept::store(root, config.keep, env)
            .map_err(|error| format!("the env is not kept: {error}")),
    ];
    let binds = config.reseed != Reseed::Any || config.keep.is_lasting();
    if binds && !offer.kind.is_own() {
        done.push(
            Binding::store(root, offer, env)
                .map_err(|error| format!("the machine is not bound to its seed: {error}")),
        );
    }
    // A medium that is the only place of the env would be missed at the next boot.
    let is_safe = done.iter().all(Result::is_ok);
    if is_safe {
        done.push(
            release::schedule(root, config.after_use, offer)
                .map_err(|error| format!("the medium stays readable: {error}")),
        );
    }
    done.into_iter().filter_map(Result::err).collect()
}

/// Makes `env` the content of the file at `path`.
pub fn put(path: &Path, env: &[u8]) -> Result<Activated, WriteError> {
    // A file that cannot be compared or put right is replaced.
    if matches!(is_in_place(path, env), Ok(true)) {
        return Ok(Activated::Unchanged);
    }
    atomic::write(path, env, MODE)?;
    Ok(Activated::Written)
}

/// Whether the file is a regular one with this content; if so, its mode is set right.
fn is_in_place(path: &Path, env: &[u8]) -> io::Result<bool> {
    let metadata = fs::symlink_metadata(path)?;
    let same = metadata.is_file() && metadata.len() == env.len() as u64 && fs::read(path)? == env;
    if same && metadata.permissions().mode() & 0o7777 != MODE {
        fs::set_permissions(path, Permissions::from_mode(MODE))?;
    }
    Ok(same)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn unchanged_content_is_not_rewritten_but_its_mode_is_put_right() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("env.yml");
        assert_eq!(put(&path, b"a: 1\n").unwrap(), Activated::Written);
        let inode = fs::metadata(&path).unwrap().ino();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(put(&path, b"a: 1\n").unwrap(), Activated::Unchanged);
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!((metadata.ino(), metadata.mode() & 0o7777), (inode, 0o600));
        assert_eq!(put(&path, b"a: 2\n").unwrap(), Activated::Written);
        assert_eq!(fs::read(&path).unwrap(), b"a: 2\n");
    }

    #[test]
    fn a_symlink_is_replaced_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        fs::write(&target, b"a: 1\n").unwrap();
        let path = dir.path().join("env.yml");
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert_eq!(put(&path, b"a: 1\n").unwrap(), Activated::Written);
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
    }
}
