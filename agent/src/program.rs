//! Runs another program for a bounded time, with its arguments as a list.

use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Pause between two looks at whether it has ended.
const PAUSE: Duration = Duration::from_millis(10);
/// Most that is read of what it says; a seed and some more.
const MOST: u64 = 32 * 1024 * 1024;
/// Where programs are, whatever the environment of an early unit says.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a program that ended in time left behind.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output. May be secret.
    pub out: Vec<u8>,
}

/// Runs `name`, looked for in the usual folders, with `input` on its standard input.
///
/// # Errors
/// It cannot be started, or did not end within `limit` and was killed.
pub fn run(name: &str, args: &[&str], input: &[u8], limit: Duration) -> io::Result<Ended> {
    let mut command = Command::new(name);
    command.args(args).env("PATH", PATH);
    finish(command, input, limit)
}

/// Runs a command with `input` on its standard input; what it says on standard error is left out.
///
/// # Errors
/// As [`run`].
pub fn finish(mut command: Command, input: &[u8], limit: Duration) -> io::Result<Ended> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let deadline = Instant::now() + limit;
    // Both pipes in threads: a program may write before it has read everything.
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_vec();
        // A program need not read its input.
        thread::spawn(move || drop(stdin.write_all(&input)));
    }
    let (sender, receiver) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || {
            let mut out = Vec::new();
            let _ = stdout.take(MOST).read_to_end(&mut out);
            let _ = sender.send(out);
        });
    }
    let status = wait(&mut child, deadline)?;
    // A grandchild may hold the pipe open; what the program itself wrote has arrived.
    let left = deadline.saturating_duration_since(Instant::now()).max(PAUSE);
    let out = receiver.recv_timeout(left).unwrap_or_default();
    Ok(Ended { status, out })
}

fn wait(child: &mut Child, deadline: Instant) -> io::Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it did not end in time"));
        }
        thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(5);

    #[test]
    fn input_and_output_of_any_size() {
        let input = vec![b'x'; 300_000];
        let ended = run("cat", &[], &input, SECOND).unwrap();
        assert!(ended.status.success());
        assert_eq!(ended.out, input);
        assert_eq!(run("sh", &["-c", "exit 3"], b"", SECOND).unwrap().status.code(), Some(3));
    }

    #[test]
    fn one_that_hangs_is_killed() {
        let start = Instant::now();
        let error = run("sleep", &["60"], b"", Duration::from_millis(100)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(start.elapsed() < SECOND);
        assert!(run("no-such-program", &[], b"", SECOND).is_err());
    }
}
