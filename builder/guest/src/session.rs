//! One guest from its start to its end: what is waited for, and for how long.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use bootwright_seed::report::Report;

use crate::console::Console;
use crate::event::Event;
use crate::guest::{Guest, Signal};
use crate::lines::Line;
use crate::port;
use crate::qmp::{Happening, Message};
use crate::{Error, Result};

/// How long a wait may last before deadlines and the cancel flag are looked at again.
const TICK: Duration = Duration::from_millis(100);

/// How often the power button is pressed: early in a boot nothing in the guest listens yet.
const PRESS_EVERY: Duration = Duration::from_secs(3);

/// How long QEMU may take to obey `quit`.
const QUIT_LIMIT: Duration = Duration::from_secs(5);

/// Restarts that a guest may need to find its feet; one is usual with shim's fallback.
const RESTART_LIMIT: u32 = 5;

/// A guest and whoever is told about it.
pub(crate) struct Session<'a> {
    guest: Guest,
    console: Console,
    cancel: &'a AtomicBool,
    events: &'a mut dyn FnMut(Event<'_>),
    shut_down: bool,
    restarts: u32,
    last_event: String,
}

/// What a moment brought.
enum Step {
    /// Nothing, or nothing that decides anything.
    Quiet,
    Report(Line),
    Ended,
}

impl<'a> Session<'a> {
    /// A session with a guest that has just been started.
    pub fn new(
        guest: Guest,
        console: Console,
        cancel: &'a AtomicBool,
        events: &'a mut dyn FnMut(Event<'_>),
    ) -> Self {
        Self {
            guest,
            console,
            cancel,
            events,
            shut_down: false,
            restarts: 0,
            last_event: String::new(),
        }
    }

    /// Tells the caller.
    pub fn tell(&mut self, event: Event<'_>) {
        (self.events)(event);
    }

    /// Waits until the agent reports, or until it is clear that it never will.
    pub fn wait_for_report(&mut self, limit: Duration) -> Result<Report> {
        let deadline = Instant::now() + limit;
        loop {
            match self.step()? {
                Step::Quiet => {}
                Step::Report(line) => return port::parse(&line),
                Step::Ended => return Err(self.why_ended()?),
            }
            if let Some(report) = self.console.take_report() {
                return Ok(report);
            }
            if let Some(error) = self.console.verdict() {
                return Err(error);
            }
            if self.restarts > RESTART_LIMIT {
                return Err(Error::GuestBroken {
                    meaning: "the guest restarts over and over",
                    advice: "the last lines before a restart say why",
                    console: self.console.tail(),
                });
            }
            if Instant::now() >= deadline {
                let silent = || Error::NoReport { limit, console: self.console.tail() };
                return Err(self.console.suspicion().unwrap_or_else(silent));
            }
        }
    }

    /// Powers the guest off by its power button, and pulls the plug if that takes longer
    /// than `limit`. Tells whether the guest went by itself.
    pub fn power_off(mut self, limit: Duration) -> Result<bool> {
        let deadline = Instant::now() + limit;
        let mut next_press = Instant::now();
        while Instant::now() < deadline {
            if Instant::now() >= next_press {
                next_press += PRESS_EVERY;
                self.command("system_powerdown")?;
            }
            if let Step::Ended = self.step()? {
                return Ok(self.shut_down);
            }
        }
        self.command("quit")?;
        let deadline = Instant::now() + QUIT_LIMIT;
        while Instant::now() < deadline {
            if let Step::Ended = self.step()? {
                break;
            }
        }
        Ok(false)
    }

    /// Sends a command, unless QEMU is just ending, which the next steps will tell.
    fn command(&mut self, command: &str) -> Result<()> {
        match self.guest.control.execute(command) {
            Err(Error::Control { source: Some(_), .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Takes what comes next, waiting a moment for it.
    fn step(&mut self) -> Result<Step> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        match self.guest.signals.recv_timeout(TICK) {
            Ok(Signal::Console(bytes)) => self.console.feed(&bytes, self.events)?,
            Ok(Signal::Errors(bytes)) => drop(self.guest.errors.feed(&bytes)),
            Ok(Signal::Report(line)) => return Ok(Step::Report(line)),
            Ok(Signal::Control(message)) => self.heed(message)?,
            Ok(Signal::Fault(error)) => return Err(error),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(Step::Ended),
        }
        Ok(Step::Quiet)
    }

    fn heed(&mut self, message: Message) -> Result<()> {
        let event = match message {
            Message::Answer => return Ok(()),
            Message::Refusal(problem) => return Err(Error::Control { problem, source: None }),
            Message::Happened(Happening { name, by_guest }) => {
                self.shut_down |= name == "SHUTDOWN" && by_guest;
                self.restarts += u32::from(name == "RESET" && by_guest);
                name
            }
        };
        // QEMU pauses a guest by itself when KVM cannot go on or the host's disk is full.
        if event == "STOP" && !self.shut_down {
            return Err(self.stopped()?);
        }
        self.last_event = event;
        Ok(())
    }

    /// The error for a paused guest, once QEMU has had a moment to say why.
    fn stopped(&mut self) -> Result<Error> {
        while let Ok(Signal::Errors(bytes)) = self.guest.signals.recv_timeout(TICK) {
            self.guest.errors.feed(&bytes);
        }
        let event = match self.last_event.as_str() {
            "" => "no reason given".to_owned(),
            name => format!("the event before was {name}"),
        };
        Ok(Error::QemuStopped { event, stderr: self.guest.errors.tail() })
    }

    fn why_ended(&mut self) -> Result<Error> {
        if let Some(error) = self.console.suspicion() {
            return Ok(error);
        }
        if self.shut_down {
            return Ok(Error::GuestEnded { console: self.console.tail() });
        }
        self.guest.ended()
    }
}

#[cfg(test)]
mod tests;
