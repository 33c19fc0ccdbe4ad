//! The machine that tasks look at and change, and why a task fails.

use std::fs;
use std::io;

use bootwright_seed::yaml::tree::Node;

use super::env::EnvError;
use super::mask::Mask;
use super::program::{Call, Programs, RunError};
use crate::atomic::WriteError;
use crate::root::Root;

/// Exists while systemd runs the machine (sd_booted(3)).
const SYSTEMD: &str = "/run/systemd/system";
/// Exists while OpenRC does.
const OPENRC: &str = "/run/openrc";

/// What a task works on.
pub struct Machine<'a> {
    /// Where all paths start.
    pub root: &'a Root,
    /// The active env.
    pub env: &'a Node,
    /// The programs of the image.
    pub programs: Programs,
    /// Nothing is changed, so what a task rests on may be planned only.
    pub dry: bool,
}

/// Why a task cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// The env does not say what the task needs.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// A program failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Something cannot be looked at.
    #[error("cannot read {0}")]
    Look(String, #[source] io::Error),
    /// Something cannot be changed.
    #[error("cannot change {0}")]
    Change(String, #[source] io::Error),
    /// It would do harm, or cannot be done here.
    #[error("{0}")]
    Refused(String),
}

impl<'a> Machine<'a> {
    /// A machine below `root` with an env.
    pub fn new(root: &'a Root, env: &'a Node, mask: &Mask) -> Self {
        Self { root, env, programs: Programs::new(root, mask), dry: false }
    }

    /// The text of a file; nothing if there is none.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn read(&self, path: &str) -> Result<Option<String>, TaskError> {
        match fs::read(self.root.at(path)) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(TaskError::Look(path.to_owned(), error)),
        }
    }

    /// Whether a path exists.
    pub fn exists(&self, path: &str) -> bool {
        self.root.at(path).exists()
    }

    /// Whether systemd runs the machine.
    pub fn has_systemd(&self) -> bool {
        self.root.at(SYSTEMD).is_dir() && self.programs.has("systemctl")
    }

    /// Whether OpenRC runs the machine.
    pub fn has_openrc(&self) -> bool {
        self.root.at(OPENRC).is_dir() && self.programs.has("rc-service")
    }

    /// Has a service that runs take its new configuration. Nothing waits for it: the service
    /// may be waiting for this very run.
    pub fn reload(&self, service: &str) -> Option<Call> {
        let service = service.strip_suffix(".service").unwrap_or(service);
        if self.has_systemd() {
            let unit = format!("{service}.service");
            let words = ["--no-block", "try-reload-or-restart", &unit];
            // 5: the image has no such unit, so nothing of it runs.
            return Some(Call::new("systemctl", words).accept(&[5]));
        }
        // --ifstarted makes a stopped service no failure.
        self.has_openrc()
            .then(|| Call::new("rc-service", ["--ifexists", "--ifstarted", service, "restart"]))
    }

    /// Has systemd read its units again.
    pub fn reload_units(&self) -> Option<Call> {
        self.has_systemd().then(|| Call::new("systemctl", ["daemon-reload"]))
    }
}
