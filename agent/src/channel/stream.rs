//! Writes to a terminal or port that may have nobody at its other end.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How long a receiver may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// Writes `bytes` to the device at `path`, for at most two seconds. It is never created.
pub fn send(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut device = retry(deadline, || open(path))?;
    let mut left = bytes;
    while !left.is_empty() {
        let sent = retry(deadline, || device.write(left))?;
        if sent == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        left = &left[sent..];
    }
    Ok(())
}

/// O_NOCTTY: a terminal must not become the one that controls the agent. O_NONBLOCK: flow
/// control, or a host that is not connected, must not hold up the boot.
fn open(path: &Path) -> io::Result<File> {
    File::options().write(true).custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK).open(path)
}

/// Repeats `attempt` while the other end is not ready.
fn retry<T>(deadline: Instant, mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match attempt() {
            Err(error) if is_not_ready(&error) && Instant::now() < deadline => thread::sleep(PAUSE),
            result => return result,
        }
    }
}

fn is_not_ready(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        // Full; interrupted; a port that another program still has open; a fifo nobody reads.
        Some(libc::EAGAIN | libc::EINTR | libc::EBUSY | libc::ENXIO)
    )
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::Command;

    use super::*;

    fn fifo(dir: &Path) -> std::path::PathBuf {
        let path = dir.join("fifo");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }

    #[test]
    fn a_slow_reader_gets_everything() {
        let dir = tempfile::tempdir().unwrap();
        let path = fifo(dir.path());
        let reader = {
            let path = path.clone();
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(100));
                let mut text = Vec::new();
                File::open(path).unwrap().read_to_end(&mut text).unwrap();
                text
            })
        };
        // More than a pipe holds.
        let bytes = vec![b'x'; 200_000];
        send(&path, &bytes).unwrap();
        assert_eq!(reader.join().unwrap(), bytes);
    }

    #[test]
    fn nobody_listening_ends_in_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = fifo(dir.path());
        let start = Instant::now();
        assert!(send(&path, b"x").is_err());
        assert!(start.elapsed() < PATIENCE * 3);
    }

    #[test]
    fn nothing_is_created() {
        let dir = tempfile::tempdir().unwrap();
        assert!(send(&dir.path().join("console"), b"x").is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
