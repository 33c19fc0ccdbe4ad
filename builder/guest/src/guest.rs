//! A running QEMU and everything it says, on one channel.

use std::io::{BufReader, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use crate::console::Transcript;
use crate::lines::{Line, next_line};
use crate::port::REPORT_LIMIT;
use crate::process::Process;
use crate::qmp::{self, Control, Message, Messages};
use crate::scratch::Scratch;
use crate::{Error, Result};

/// Signals that may wait to be read before the senders are held up: a bound on memory.
const BACKLOG: usize = 64;

/// Bytes read from a stream at once.
const CHUNK: usize = 4096;

/// How long QEMU may take from its start to its connections.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// How long QEMU may take to end once it has closed its channels.
const END_LIMIT: Duration = Duration::from_secs(5);

/// How often a listening socket is looked at.
const POLL: Duration = Duration::from_millis(5);

/// Lines of QEMU's standard error that an error shows.
const ERROR_LINES: usize = 30;

/// What comes from a QEMU. The channel closes when QEMU has ended and all it said is read.
pub(crate) enum Signal {
    /// Bytes from the serial console.
    Console(Vec<u8>),
    /// Bytes from QEMU's standard error.
    Errors(Vec<u8>),
    /// A line from the report's port.
    Report(Line),
    /// A message on the control connection.
    Control(Message),
    /// The control connection is not what it should be; nothing more will come from it.
    Fault(Error),
}

/// A socket that QEMU is told to connect to.
pub(crate) struct Socket {
    pub path: PathBuf,
    listener: UnixListener,
}

impl Socket {
    /// Listens on a new socket in the folder.
    pub fn listen(scratch: &Scratch, name: &str) -> Result<Self> {
        let path = scratch.path(name);
        let failed = |source| Error::File { action: "listening on", path: path.clone(), source };
        let listener = UnixListener::bind(&path).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        Ok(Self { path, listener })
    }

    /// The connection that the process makes.
    fn accept(&self, process: &mut Process, cancel: &AtomicBool) -> Result<UnixStream> {
        let deadline = Instant::now() + CONNECT_LIMIT;
        loop {
            if cancel.load(Ordering::Relaxed) {
                return Err(Error::Cancelled);
            }
            if let Ok((stream, _)) = self.listener.accept() {
                return Ok(stream);
            }
            if process.ended()?.is_some() || Instant::now() >= deadline {
                let problem = format!("no connection within {} s", CONNECT_LIMIT.as_secs());
                return Err(Error::Control { problem, source: None });
            }
            thread::sleep(POLL);
        }
    }
}

/// A running QEMU. Dropping it kills it and removes its folder.
pub(crate) struct Guest {
    pub process: Process,
    pub control: Control,
    pub signals: Receiver<Signal>,
    pub errors: Transcript,
    _scratch: Scratch,
}

impl Guest {
    /// Takes charge of a QEMU that was started with these sockets and this folder.
    pub fn attach(
        mut process: Process,
        control: &Socket,
        report: &Socket,
        scratch: Scratch,
        cancel: &AtomicBool,
    ) -> Result<Self> {
        let (sender, signals) = mpsc::sync_channel(BACKLOG);
        if let Some(output) = process.take_output() {
            follow(output, sender.clone(), Signal::Console);
        }
        if let Some(errors) = process.take_errors() {
            follow(errors, sender.clone(), Signal::Errors);
        }
        let connected = connect(&mut process, control, report, cancel);
        let ((control, messages), report) = match connected {
            Ok(connected) => connected,
            // A QEMU that does not like its arguments closes its connections and ends.
            Err(error @ Error::Control { .. }) => {
                drop(sender);
                return Err(last_words(process, &signals)?.unwrap_or(error));
            }
            Err(error) => return Err(error),
        };
        follow_messages(messages, sender.clone());
        follow_report(report, sender);
        Ok(Self {
            process,
            control,
            signals,
            errors: Transcript::new(ERROR_LINES),
            _scratch: scratch,
        })
    }

    /// The error to give when QEMU ended by itself; call it once the channel has closed.
    pub fn ended(&mut self) -> Result<Error> {
        let status = self.process.finish(END_LIMIT)?;
        Ok(Error::QemuEnded { status, stderr: self.errors.tail() })
    }
}

/// The control connection, opened, and the report's.
fn connect(
    process: &mut Process,
    control: &Socket,
    report: &Socket,
    cancel: &AtomicBool,
) -> Result<((Control, Messages), UnixStream)> {
    let report = report.accept(process, cancel)?;
    let control = control.accept(process, cancel)?;
    Ok((qmp::handshake(control)?, report))
}

/// Why a QEMU ended that never came to the point; nothing if it still runs.
fn last_words(mut process: Process, signals: &Receiver<Signal>) -> Result<Option<Error>> {
    let Some(status) = process.ended_within(END_LIMIT)? else {
        return Ok(None);
    };
    let mut errors = Transcript::new(ERROR_LINES);
    while let Ok(signal) = signals.recv() {
        if let Signal::Errors(bytes) = signal {
            errors.feed(&bytes);
        }
    }
    Ok(Some(Error::QemuEnded { status, stderr: errors.tail() }))
}

/// Sends a stream's bytes until it ends or nobody listens. An error of the stream is its
/// end: it means that QEMU is gone.
pub(crate) fn follow(
    mut stream: impl Read + Send + 'static,
    sender: SyncSender<Signal>,
    signal: fn(Vec<u8>) -> Signal,
) {
    thread::spawn(move || {
        let mut chunk = [0; CHUNK];
        while let Ok(count @ 1..) = stream.read(&mut chunk) {
            if sender.send(signal(chunk[..count].to_vec())).is_err() {
                return;
            }
        }
    });
}

fn follow_report(stream: UnixStream, sender: SyncSender<Signal>) {
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        while let Ok(Some(line)) = next_line(&mut reader, REPORT_LIMIT) {
            let blank = matches!(&line, Line::Whole(text) if text.trim_ascii().is_empty());
            if !blank && sender.send(Signal::Report(line)).is_err() {
                return;
            }
        }
    });
}

fn follow_messages(mut messages: Messages, sender: SyncSender<Signal>) {
    thread::spawn(move || {
        loop {
            let signal = match messages.next() {
                Ok(Some(message)) => Signal::Control(message),
                Err(fault @ Error::Control { source: None, .. }) => Signal::Fault(fault),
                // The connection's end, orderly or not: QEMU is gone.
                Ok(None) | Err(_) => return,
            };
            let last = matches!(signal, Signal::Fault(_));
            if sender.send(signal).is_err() || last {
                return;
            }
        }
    });
}
