//! A child process that cannot be left behind.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::host::Host;
use crate::{Error, Result};

/// How often a process that should be ending is looked at.
const POLL: Duration = Duration::from_millis(10);

/// A running program. Dropping it kills and reaps it.
///
/// It has a process group of its own, so that Ctrl-C in a terminal reaches us and not it:
/// we end it in order. If we are killed ourselves, the kernel kills it (`setpriv` of
/// util-linux asks for that before it becomes the program, where it is installed). The
/// kernel takes the thread that called [`Process::start`] for the parent, so that thread
/// must live as long as the value.
pub(crate) struct Process {
    child: Child,
    program: PathBuf,
}

impl Process {
    /// Starts a program with no standard input, its output and error piped to us.
    pub fn start(host: &Host, program: &Path, arguments: &[OsString]) -> Result<Self> {
        let mut command = match host.find("setpriv").filter(|setpriv| can_tie(setpriv)) {
            Some(setpriv) => tied(&setpriv, program),
            None => Command::new(program),
        };
        let child = command
            .args(arguments)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(failure("starting", program))?;
        Ok(Self { child, program: program.to_owned() })
    }

    /// Its standard output; once.
    pub fn take_output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Its standard error; once.
    pub fn take_errors(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().map_err(failure("waiting for", &self.program))
    }

    /// Waits until it ends; `None` if that takes longer than `limit`.
    pub fn ended_within(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        let deadline = Instant::now() + limit;
        loop {
            let status = self.ended()?;
            if status.is_some() || Instant::now() >= deadline {
                return Ok(status);
            }
            thread::sleep(POLL);
        }
    }

    /// Waits until it ends, and kills it if that takes longer than `limit`.
    pub fn finish(&mut self, limit: Duration) -> Result<ExitStatus> {
        if let Some(status) = self.ended_within(limit)? {
            return Ok(status);
        }
        self.child.kill().and_then(|()| self.child.wait()).map_err(failure("ending", &self.program))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if it has ended and been reaped, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that becomes `program`, which then dies when its parent does.
fn tied(setpriv: &Path, program: &Path) -> Command {
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// Whether this `setpriv` knows the option: that of BusyBox does not.
fn can_tie(setpriv: &Path) -> bool {
    tied(setpriv, setpriv)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn failure(action: &'static str, program: &Path) -> impl Fn(io::Error) -> Error {
    move |source| Error::Process { action, program: program.to_owned(), source }
}
