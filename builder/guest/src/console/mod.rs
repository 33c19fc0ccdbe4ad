//! The serial console: lines of it for people, its end for errors, its bytes for a log.

mod log;
mod split;
mod tail;
mod transcript;

use std::time::{Duration, Instant};

pub(crate) use log::Log;
pub use tail::Tail;
pub(crate) use transcript::Transcript;

use crate::event::Event;
use crate::symptom::{self, Symptom};
use crate::{Error, Result};
use bootwright_seed::report::{CONSOLE_PREFIX, Report, VIRTIO_PORT};

/// How long the guest may go on after a symptom: the rest of a panic's trace is worth having.
const SYMPTOM_GRACE: Duration = Duration::from_secs(3);

/// How long the report may take to follow the agent's line on the console.
const PORT_GRACE: Duration = Duration::from_secs(15);

/// Console lines that an error shows.
const TAIL_LINES: usize = 30;

/// Where the agent's report comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReportChannel {
    /// The virtio-serial port.
    Port,
    /// The agent's line on the console: the machine has no virtio devices.
    Console,
}

/// Everything that is done with the console's bytes.
pub(crate) struct Console {
    transcript: Transcript,
    log: Option<Log>,
    channel: ReportChannel,
    report: Option<Report>,
    suspicion: Option<Suspicion>,
}

/// What the console showed that makes a report unlikely, and when to stop waiting for one.
struct Suspicion {
    due: Instant,
    cause: Cause,
}

enum Cause {
    Symptom(&'static Symptom),
    AgentLine(String),
}

impl Console {
    /// A console that has shown nothing yet.
    pub fn new(log: Option<Log>, channel: ReportChannel) -> Self {
        let transcript = Transcript::new(TAIL_LINES);
        Self { transcript, log, channel, report: None, suspicion: None }
    }

    /// The report, if it came by the console.
    pub fn take_report(&mut self) -> Option<Report> {
        self.report.take()
    }

    /// Takes the next bytes: logs them, tells of them, looks for symptoms in them.
    pub fn feed(&mut self, bytes: &[u8], events: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        if let Some(log) = &mut self.log {
            log.write(bytes)?;
        }
        events(Event::ConsoleBytes(bytes));
        for line in self.transcript.feed(bytes) {
            events(Event::ConsoleLine(&line));
            if self.channel == ReportChannel::Console && self.report.is_none() {
                self.report = Report::from_console(&line);
            }
            self.suspect(&line);
        }
        // Prompts have no end of line.
        self.suspect(&self.transcript.unfinished());
        Ok(())
    }

    fn suspect(&mut self, line: &str) {
        if self.suspicion.is_some() {
            return;
        }
        let (grace, cause) = if let Some(symptom) = symptom::find(line) {
            (SYMPTOM_GRACE, Cause::Symptom(symptom))
        } else if self.channel == ReportChannel::Port && line.contains(CONSOLE_PREFIX) {
            (PORT_GRACE, Cause::AgentLine(line.to_owned()))
        } else {
            return;
        };
        self.suspicion = Some(Suspicion { due: Instant::now() + grace, cause });
    }

    /// The error to give up with, once a suspicion has had its time.
    pub fn verdict(&self) -> Option<Error> {
        let due = self.suspicion.as_ref()?.due;
        if due <= Instant::now() { self.suspicion() } else { None }
    }

    /// What the console showed that makes a report unlikely, as an error.
    pub fn suspicion(&self) -> Option<Error> {
        Some(match &self.suspicion.as_ref()?.cause {
            Cause::Symptom(symptom) => Error::GuestBroken {
                meaning: symptom.meaning,
                advice: symptom.advice,
                console: self.tail(),
            },
            Cause::AgentLine(line) => Error::PortSilent { port: VIRTIO_PORT, line: line.clone() },
        })
    }

    /// The last lines.
    pub fn tail(&self) -> Tail {
        self.transcript.tail()
    }
}

#[cfg(test)]
mod tests {
    use super::{Cause, Console, ReportChannel};
    use crate::event::Event;

    #[test]
    fn bytes_and_lines_are_told() {
        let mut told = Vec::new();
        let mut console = Console::new(None, ReportChannel::Port);
        console
            .feed(b"\x1b[32mone\x1b[0m\r\n\r\ntwo", &mut |event| {
                if let Event::ConsoleLine(line) = event {
                    told.push(line.to_owned());
                }
            })
            .unwrap();
        assert_eq!(told, ["one"]);
        assert_eq!(console.tail().to_string(), "  | one\n  | two");
    }

    #[test]
    fn a_prompt_is_a_symptom_before_its_line_ends() {
        let mut console = Console::new(None, ReportChannel::Port);
        console.feed(b"error: no such partition.\r\ngrub rescue> ", &mut |_| {}).unwrap();
        assert!(matches!(
            console.suspicion.as_ref().map(|found| &found.cause),
            Some(Cause::Symptom(symptom)) if symptom.meaning.contains("GRUB")
        ));
        assert!(console.verdict().is_none(), "the grace has not passed");
    }

    #[test]
    fn the_agents_line_starts_the_wait_for_its_port() {
        let mut console = Console::new(None, ReportChannel::Port);
        console.feed(b"[  3.1] bootwright-agent: state=active\r\n", &mut |_| {}).unwrap();
        assert!(matches!(
            console.suspicion.as_ref().map(|found| &found.cause),
            Some(Cause::AgentLine(line)) if line.ends_with("state=active")
        ));
    }
    #[test]
    fn without_a_port_the_agents_line_is_the_report() {
        let mut console = Console::new(None, ReportChannel::Console);
        console.feed(b"[  3.1] bootwright-agent: state=active\r\n", &mut |_| {}).unwrap();
        assert!(console.suspicion.is_none());
        assert_eq!(console.take_report().map(|report| report.state.name()), Some("active"));
        assert!(console.take_report().is_none());
    }
}
