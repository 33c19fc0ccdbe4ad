//! The env that was active last, kept for a boot without its source and for `recover`.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::atomic;
use crate::boot::chain;
use crate::config::Keep;
use crate::judge::Env;
use crate::program;
use crate::root::Root;

/// In memory.
const RUN: &str = "/run/bootwright/kept.yml";
/// On the disk: as it is, sealed as it came, encrypted by systemd-creds.
const PLAIN: &str = "/var/lib/bootwright/kept.yml";
const SEALED: &str = "/var/lib/bootwright/kept.yml.age";
const CREDS: &str = "/var/lib/bootwright/kept.yml.cred";
/// What the env before the kept one is called.
const PREVIOUS: &str = ".previous";
/// Only root reads it.
const MODE: u32 = 0o600;
/// The name that systemd-creds binds the file to.
const NAME: &str = "--name=bootwright.env";
/// systemd-creds may talk to a TPM, which is slow.
const LIMIT: Duration = Duration::from_secs(30);

/// Which of the two kept envs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The one that was active last.
    Last,
    /// The one before it.
    Previous,
}

impl Which {
    fn path(self, path: &str) -> PathBuf {
        match self {
            Self::Last => PathBuf::from(path),
            Self::Previous => PathBuf::from(format!("{path}{PREVIOUS}")),
        }
    }
}

/// Keeps an env; the one kept before becomes the previous one.
///
/// # Errors
/// Why it is not kept. The env is active all the same.
pub fn store(root: &Root, keep: Keep, env: &Env) -> Result<(), String> {
    let (path, bytes) = match (keep, &env.sealed) {
        (Keep::None, _) => return Ok(()),
        (Keep::Run, _) => (RUN, env.text.clone()),
        (Keep::Plain, _) => (PLAIN, env.text.clone()),
        (Keep::Encrypted, Some(sealed)) => (SEALED, sealed.clone()),
        (Keep::Encrypted, None) => {
            // Encrypting gives other bytes each time, so it is opened to see whether it is this.
            if load(root, keep, Which::Last)?.is_some_and(|kept| kept == env.text) {
                return Ok(());
            }
            (CREDS, creds(&["encrypt", NAME, "-", "-"], &env.text)?)
        }
    };
    let target = root.at(path);
    if fs::read(&target).is_ok_and(|kept| kept == bytes) {
        return Ok(());
    }
    for old in places(keep) {
        let old = root.at(old);
        let mut previous = old.clone().into_os_string();
        previous.push(PREVIOUS);
        match fs::rename(&old, previous) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(format!("{} cannot be renamed: {error}", old.display()));
            }
            _ => {}
        }
    }
    atomic::write(&target, &bytes, MODE).map_err(|error| chain(&error))
}

/// A kept env, as it was activated or still sealed; `None` if there is none.
///
/// # Errors
/// It is there and cannot be read or opened.
pub fn load(root: &Root, keep: Keep, which: Which) -> Result<Option<Vec<u8>>, String> {
    for place in places(keep) {
        let path = root.at(which.path(place));
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(format!("{} cannot be read: {error}", path.display())),
        };
        return match *place {
            CREDS => creds(&["decrypt", NAME, "-", "-"], &bytes).map(Some),
            _ => Ok(Some(bytes)),
        };
    }
    Ok(None)
}

fn places(keep: Keep) -> &'static [&'static str] {
    match keep {
        Keep::None => &[],
        Keep::Run => &[RUN],
        Keep::Plain => &[PLAIN],
        Keep::Encrypted => &[SEALED, CREDS],
    }
}

/// Runs systemd-creds; the secret goes through pipes.
fn creds(words: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
    let verb = words.first().copied().unwrap_or_default();
    match program::run("systemd-creds", words, input, LIMIT) {
        Ok(ended) if ended.status.success() && !ended.out.is_empty() => Ok(ended.out),
        Ok(ended) => Err(format!("systemd-creds {verb} ended with {}", ended.status)),
        Err(error) => Err(format!(
            "systemd-creds, which keep: encrypted needs for a seed that is not encrypted itself, cannot be run: {error}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn env(text: &str, sealed: Option<&str>) -> Env {
        Env {
            text: text.as_bytes().to_vec(),
            digest: String::new(),
            standby: false,
            restore: false,
            serial: None,
            sealed: sealed.map(|text| text.as_bytes().to_vec()),
            warnings: Vec::new(),
        }
    }

    /// Upstream kept no copy when a bad env replaced a good one (domain.md B32).
    #[test]
    fn b32_the_last_two_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::new(dir.path());
        for keep in [Keep::Run, Keep::Plain, Keep::Encrypted] {
            let kept = |which| {
                load(&root, keep, which).unwrap().map(|bytes| String::from_utf8(bytes).unwrap())
            };
            assert_eq!(kept(Which::Last), None);
            for text in ["one", "two", "two"] {
                store(&root, keep, &env(text, Some(&format!("sealed {text}")))).unwrap();
            }
            let expected = if keep == Keep::Encrypted { "sealed " } else { "" };
            assert_eq!(kept(Which::Last), Some(format!("{expected}two")));
            assert_eq!(kept(Which::Previous), Some(format!("{expected}one")));
        }
        for path in [RUN, PLAIN, SEALED] {
            let mode = fs::metadata(root.at(path)).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o600, "{path}");
        }
        store(&root, Keep::None, &env("x", None)).unwrap();
        assert_eq!(load(&root, Keep::None, Which::Last).unwrap(), None);
    }
}
