//! Runs programs of the distribution: arguments as lists, a bounded time, secrets on standard
//! input only, and the end of what they said in errors.
//!
//! Programs are looked for below the root. A root that is not `/` never reaches the programs
//! of the machine that runs the agent.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::mask::Mask;
use crate::channel::notify;
use crate::root::Root;

/// Where programs are, whatever the environment of an early unit says.
const FOLDERS: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/// How long a program may take unless its call says otherwise.
const LIMIT: Duration = Duration::from_secs(120);
/// Time for the agent's own work after a program.
const SPARE: Duration = Duration::from_secs(60);
/// Most that is kept of each stream.
const MOST: usize = 1 << 20;
/// Pause between two looks at whether it has ended.
const PAUSE: Duration = Duration::from_millis(5);
/// Lines of output in an error.
const TAIL: usize = 6;

/// A program with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    program: String,
    args: Vec<String>,
    input: Vec<u8>,
    env: Vec<(String, String)>,
    limit: Duration,
    quiet_codes: Vec<i32>,
}

impl Call {
    /// A call of a program: a name to look for, or an absolute path below the root.
    pub fn new<A: Into<String>>(program: &str, args: impl IntoIterator<Item = A>) -> Self {
        Self {
            program: program.to_owned(),
            args: args.into_iter().map(Into::into).collect(),
            input: Vec::new(),
            env: Vec::new(),
            limit: LIMIT,
            quiet_codes: Vec::new(),
        }
    }

    /// What it gets on standard input; may be secret, and is never shown.
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Adds a variable to its environment, which is otherwise nearly empty.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Gives it another time than the usual two minutes.
    pub fn limit(mut self, seconds: u64) -> Self {
        self.limit = Duration::from_secs(seconds);
        self
    }

    /// Exit codes that are no failure besides 0.
    pub fn accept(mut self, codes: &[i32]) -> Self {
        self.quiet_codes = codes.to_vec();
        self
    }

    /// The program and its arguments, for people.
    pub fn line(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.args);
        words.map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
    }
}

fn quoted(word: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !word.is_empty() && word.chars().all(bare) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// What a program left behind.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub out: String,
    /// What it wrote to standard error.
    pub err: String,
}

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No folder has it.
    #[error("the program `{0}` is missing in this image; install the package that has it")]
    Missing(String),
    /// It could not be started.
    #[error("`{line}` cannot be started")]
    Start {
        /// The call.
        line: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// It took too long and was killed.
    #[error("`{line}` did not end within {seconds} s and was killed{tail}")]
    Late {
        /// The call.
        line: String,
        /// Its limit.
        seconds: u64,
        /// What it said last.
        tail: String,
    },
    /// It said that it failed.
    #[error("`{line}` ended with {how}{tail}")]
    Failed {
        /// The call.
        line: String,
        /// Exit code or signal.
        how: String,
        /// What it said last.
        tail: String,
    },
}

/// The programs of the machine.
#[derive(Debug, Clone)]
pub struct Programs {
    root: Root,
    mask: Mask,
}

impl Programs {
    /// Programs below `root`; `mask` goes over what they say.
    pub fn new(root: &Root, mask: &Mask) -> Self {
        Self { root: root.clone(), mask: mask.clone() }
    }

    /// Where a program is.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        if name.starts_with('/') {
            return Some(self.root.at(name)).filter(|path| path.is_file());
        }
        FOLDERS.iter().map(|dir| self.root.at(dir).join(name)).find(|path| path.is_file())
    }

    /// Where a path below the root really is, for programs that take paths.
    pub fn real(&self, path: &str) -> String {
        self.root.at(path).display().to_string()
    }

    /// Whether the image has a program.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Runs a call that has to succeed.
    ///
    /// # Errors
    /// It is missing, took too long or said that it failed.
    pub fn run(&self, call: &Call) -> Result<Ended, RunError> {
        let ended = self.ask(call)?;
        match ended.code {
            Some(0) => Ok(ended),
            Some(code) if call.quiet_codes.contains(&code) => Ok(ended),
            code => Err(RunError::Failed {
                line: self.mask.over(&call.line()),
                how: code.map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}")),
                tail: self.tail(call, &ended),
            }),
        }
    }

    /// Runs a call whose exit code is an answer.
    ///
    /// # Errors
    /// It is missing or took too long.
    pub fn ask(&self, call: &Call) -> Result<Ended, RunError> {
        let path =
            self.find(&call.program).ok_or_else(|| RunError::Missing(call.program.clone()))?;
        let line = || self.mask.over(&call.line());
        let start = |cause| RunError::Start { line: line(), cause };
        // The unit that runs the agent counts on shorter times.
        notify::extend(call.limit + SPARE);
        let mut child = self.command(&path, call).spawn().map_err(start)?;
        if let Some(mut stdin) = child.stdin.take() {
            let input = call.input.clone();
            // A program need not read its input.
            thread::spawn(move || drop(stdin.write_all(&input)));
        }
        let (out, err) = (collect(child.stdout.take()), collect(child.stderr.take()));
        let code = wait(&mut child, call.limit).map_err(start)?;
        let ended = Ended { code: code.flatten(), out: gathered(&out), err: gathered(&err) };
        if code.is_none() {
            let tail = self.tail(call, &ended);
            return Err(RunError::Late { line: line(), seconds: call.limit.as_secs(), tail });
        }
        Ok(ended)
    }

    fn command(&self, path: &std::path::Path, call: &Call) -> Command {
        let below = FOLDERS.map(|dir| self.root.at(dir).display().to_string());
        // Scripts of a test need the usual tools too; below `/` both halves are the same.
        let path_variable = format!("{}:{}", below.join(":"), FOLDERS.join(":"));
        let mut command = Command::new(path);
        command
            .args(&call.args)
            .env_clear()
            .env("PATH", path_variable)
            .env("LC_ALL", "C")
            .env("HOME", "/root")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .envs(call.env.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own, so that its children end with it.
            .process_group(0);
        command
    }

    /// The end of what it said, without what it must not say.
    fn tail(&self, call: &Call, ended: &Ended) -> String {
        let text = if ended.err.trim().is_empty() { &ended.out } else { &ended.err };
        let text = self.mask.with(&String::from_utf8_lossy(&call.input)).over(text);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = lines[lines.len().saturating_sub(TAIL)..].join("; ");
        if last.is_empty() { String::new() } else { format!(": {}", printable(&last)) }
    }
}

/// Text without what could drive a terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Waits for the end: the exit code (none after a signal), or nothing if it was killed for
/// taking too long.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<Option<i32>>> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.code()));
        }
        if Instant::now() >= deadline {
            let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            if let Some(group) = group {
                // It may have ended just now.
                let _ = kill_process_group(group, Signal::KILL);
            }
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(PAUSE);
    }
}

fn collect(stream: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    if let Some(mut stream) = stream {
        thread::spawn(move || {
            let mut kept = Vec::new();
            let mut buffer = [0; 8192];
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                kept.extend_from_slice(buffer.get(..read).unwrap_or_default());
                // The end of a long output says more than its beginning.
                if kept.len() > 2 * MOST {
                    kept.drain(..kept.len() - MOST);
                }
            }
            let _ = sender.send(kept);
        });
    }
    receiver
}

/// What was collected; a daemon that the program left behind may hold the pipe open.
fn gathered(receiver: &Receiver<Vec<u8>>) -> String {
    let bytes = receiver.recv_timeout(Duration::from_secs(2)).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::bench::Bench;
    use super::*;

    fn programs(bench: &Bench) -> Programs {
        Programs::new(&bench.root(), &Mask::default())
    }

    #[test]
    fn arguments_input_and_output() {
        let bench = Bench::new();
        bench.tool("tell", "cat; echo \"$1|$2|$X\"; pwd");
        let call = Call::new("tell", ["a b", "c;d"]).input("in").env("X", "y");
        assert_eq!(programs(&bench).run(&call).unwrap().out, "ina b|c;d|y\n/\n");
        assert_eq!(call.line(), "tell 'a b' 'c;d'");
    }

    #[test]
    fn failures_carry_the_tail_without_secrets() {
        let bench = Bench::new();
        bench.tool("bad", "cat >&2; echo reason >&2; exit 3");
        let error = programs(&bench).run(&Call::new("bad", ["x"]).input("hunter2\n")).unwrap_err();
        assert_eq!(error.to_string(), "`bad x` ended with exit code 3: ***; reason");
        let call = Call::new("bad", [""; 0]).accept(&[3]);
        assert_eq!(programs(&bench).run(&call).unwrap().code, Some(3));
    }

    #[test]
    fn b72_nothing_runs_forever() {
        let bench = Bench::new();
        bench.tool("hang", "echo waiting; sleep 600 & wait");
        let mut call = Call::new("hang", [""; 0]);
        call.limit = Duration::from_millis(200);
        let start = Instant::now();
        let error = programs(&bench).run(&call).unwrap_err().to_string();
        assert!(error.contains("did not end within 0 s and was killed: waiting"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn the_host_is_out_of_reach() {
        let bench = Bench::new();
        let error = programs(&bench).run(&Call::new("ls", [""; 0])).unwrap_err();
        assert!(error.to_string().starts_with("the program `ls` is missing in this image"));
        assert!(!programs(&bench).has("/bin/ls"));
    }
}
