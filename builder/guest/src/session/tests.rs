//! Sessions with a QEMU that this file plays: a shell for the process, a thread on the sockets.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Session;
use crate::Error;
use crate::console::{Console, ReportChannel};
use crate::guest::{Guest, Socket};
use crate::host::Host;
use crate::process::Process;
use crate::scratch::Scratch;

const REPORT: &str = r#"{"schema":1,"state":"standby","agent":"0.1.0","elapsed_ms":5}"#;
const GUEST_SHUTDOWN: &str = r#"{"event":"SHUTDOWN","data":{"guest":true}}"#;
const LIMIT: Duration = Duration::from_secs(20);

/// Starts a session with a process that says `chatter` on its console and goes on until a
/// file `end` appears in its folder; `play` has its sockets.
fn session<'a>(
    chatter: &str,
    cancel: &'a AtomicBool,
    events: &'a mut dyn FnMut(crate::Event<'_>),
    play: impl FnOnce(Player) + Send + 'static,
) -> (Session<'a>, JoinHandle<()>) {
    let scratch = Scratch::new().unwrap();
    let control = Socket::listen(&scratch, "control").unwrap();
    let report = Socket::listen(&scratch, "report").unwrap();
    let end = scratch.path("end");
    let script = "printf %s \"$1\"; echo trouble >&2; until test -e \"$2\"; do sleep 0.05; done";
    let arguments =
        ["-c", script, "sh", chatter].map(OsString::from).into_iter().chain([end.clone().into()]);
    let host = Host::from_environment().unwrap();
    let process =
        Process::start(&host, Path::new("/bin/sh"), &arguments.collect::<Vec<_>>()).unwrap();
    let player = Player::connect(&control.path, &report.path, end);
    let thread = thread::spawn(move || play(player));
    let guest = Guest::attach(process, &control, &report, scratch, cancel).unwrap();
    (Session::new(guest, Console::new(None, ReportChannel::Port), cancel, events), thread)
}

/// QEMU's side of the sockets.
struct Player {
    control: BufReader<UnixStream>,
    report: UnixStream,
    end: PathBuf,
}

impl Player {
    fn connect(control: &Path, report: &Path, end: PathBuf) -> Self {
        let mut control = BufReader::new(UnixStream::connect(control).unwrap());
        writeln!(control.get_mut(), r#"{{"QMP": {{}}}}"#).unwrap();
        Self { control, report: UnixStream::connect(report).unwrap(), end }
    }

    /// Waits for a command and answers it.
    fn obey(&mut self, command: &str) {
        let mut line = String::new();
        self.control.read_line(&mut line).unwrap();
        assert!(line.contains(command), "{line}");
        self.say(r#"{"return": {}}"#);
    }

    fn say(&mut self, message: &str) {
        writeln!(self.control.get_mut(), "{message}").unwrap();
    }

    fn report(&mut self, line: &str) {
        writeln!(self.report, "{line}").unwrap();
    }

    fn end(self) {
        std::fs::write(&self.end, "").unwrap();
    }
}

#[test]
fn a_report_and_a_power_off() {
    let cancel = AtomicBool::new(false);
    let mut lines = Vec::new();
    let mut events = |event: crate::Event<'_>| {
        if let crate::Event::ConsoleLine(line) = event {
            lines.push(line.to_owned());
        }
    };
    let (mut session, thread) = session("hello\n", &cancel, &mut events, |mut player| {
        player.obey("qmp_capabilities");
        player.report("");
        player.report(REPORT);
        player.obey("system_powerdown");
        player.say(GUEST_SHUTDOWN);
        player.end();
    });
    let report = session.wait_for_report(LIMIT).unwrap();
    assert_eq!(report.state.name(), "standby");
    assert!(session.power_off(LIMIT).unwrap());
    thread.join().unwrap();
    assert_eq!(lines, ["hello"]);
}

#[test]
fn a_guest_deaf_to_its_power_button() {
    let cancel = AtomicBool::new(false);
    let mut events = |_: crate::Event<'_>| {};
    let (mut session, thread) = session("", &cancel, &mut events, |mut player| {
        player.obey("qmp_capabilities");
        player.report(REPORT);
        player.obey("system_powerdown");
        player.obey("quit");
        player.end();
    });
    session.wait_for_report(LIMIT).unwrap();
    assert!(!session.power_off(Duration::from_millis(500)).unwrap());
    thread.join().unwrap();
}

#[test]
fn a_guest_that_leaves_before_it_reports() {
    let cancel = AtomicBool::new(false);
    let mut events = |_: crate::Event<'_>| {};
    let (mut session, thread) = session("bye", &cancel, &mut events, |mut player| {
        player.obey("qmp_capabilities");
        player.say(GUEST_SHUTDOWN);
        player.end();
    });
    assert_eq!(
        session.wait_for_report(LIMIT).unwrap_err().to_string(),
        "the guest powered itself off before its agent reported; the console's last lines:\n  | bye\nlook there for what ended it"
    );
    thread.join().unwrap();
}

#[test]
fn a_guest_that_qemu_stops() {
    let cancel = AtomicBool::new(false);
    let mut events = |_: crate::Event<'_>| {};
    let (mut session, thread) = session("", &cancel, &mut events, |mut player| {
        player.obey("qmp_capabilities");
        player.say(r#"{"event":"BLOCK_IO_ERROR","data":{}}"#);
        player.say(r#"{"event":"STOP"}"#);
        player.end();
    });
    let error = session.wait_for_report(LIMIT).unwrap_err().to_string();
    assert!(
        error.starts_with("QEMU stopped the guest: the event before was BLOCK_IO_ERROR"),
        "{error}"
    );
    assert!(error.contains("  | trouble\n"), "{error}");
    thread.join().unwrap();
}

#[test]
fn a_guest_that_floods_its_port() {
    let cancel = AtomicBool::new(false);
    let mut events = |_: crate::Event<'_>| {};
    let (mut session, thread) = session("", &cancel, &mut events, |mut player| {
        player.obey("qmp_capabilities");
        player.report(&"x".repeat(2 * crate::port::REPORT_LIMIT));
        player.end();
    });
    assert!(matches!(session.wait_for_report(LIMIT), Err(Error::ReportTooLong { .. })));
    thread.join().unwrap();
}

#[test]
fn cancelling_needs_no_signal() {
    let cancel = AtomicBool::new(false);
    let mut events = |_: crate::Event<'_>| {};
    let (mut session, thread) = session("", &cancel, &mut events, |mut player| {
        player.obey("qmp_capabilities");
    });
    thread.join().unwrap();
    cancel.store(true, std::sync::atomic::Ordering::Relaxed);
    let asked = Instant::now();
    assert!(matches!(session.wait_for_report(LIMIT), Err(Error::Cancelled)));
    drop(session);
    assert!(asked.elapsed() < Duration::from_secs(1));
}
