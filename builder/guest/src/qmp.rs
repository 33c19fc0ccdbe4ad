//! QMP, QEMU's control protocol: one JSON object a line, both ways.

use std::io::{self, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::lines::{Line, next_line};
use crate::{Error, Result};

/// Longest message that is read, in bytes. QEMU's greeting and events are below one KiB.
const MESSAGE_LIMIT: usize = 1 << 20;

/// How long QEMU may take to answer the handshake.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// The sending half of a control connection.
pub(crate) struct Control {
    stream: UnixStream,
}

/// The receiving half.
pub(crate) struct Messages {
    reader: BufReader<UnixStream>,
}

/// What QEMU sends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// The greeting, or a command's success.
    Answer,
    /// A command's failure.
    Refusal(String),
    /// Something happened.
    Happened(Happening),
}

/// An event of QEMU's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Happening {
    /// Such as `SHUTDOWN`.
    pub name: String,
    /// Whether the guest brought it about.
    pub by_guest: bool,
}

/// Takes up a connection on which QEMU has just been started.
pub(crate) fn handshake(stream: UnixStream) -> Result<(Control, Messages)> {
    let limited = |limit| {
        stream.set_read_timeout(limit).map_err(|source| trouble("no limit can be set", source))
    };
    limited(Some(HANDSHAKE_LIMIT))?;
    let reader = stream.try_clone().map_err(|source| trouble("it cannot be shared", source))?;
    let mut messages = Messages { reader: BufReader::new(reader) };
    let mut control = Control {
        stream: stream.try_clone().map_err(|source| trouble("it cannot be shared", source))?,
    };
    messages.answer("the greeting")?;
    control.execute("qmp_capabilities")?;
    messages.answer("the answer to qmp_capabilities")?;
    limited(None)?;
    Ok((control, messages))
}

impl Control {
    /// Sends a command that has no arguments. Its answer comes among the messages.
    pub fn execute(&mut self, command: &str) -> Result<()> {
        self.stream
            .write_all(format!("{{\"execute\": \"{command}\"}}\n").as_bytes())
            .map_err(|source| trouble(command, source))
    }
}

impl Messages {
    /// The next message; `None` once QEMU has closed the connection.
    pub fn next(&mut self) -> Result<Option<Message>> {
        match next_line(&mut self.reader, MESSAGE_LIMIT) {
            Ok(None) => Ok(None),
            Ok(Some(Line::Whole(line))) => parse(&line).map(Some),
            Ok(Some(Line::TooLong)) => {
                Err(fault(format!("a message is longer than {MESSAGE_LIMIT} bytes")))
            }
            Err(source) => Err(trouble("reading failed", source)),
        }
    }

    fn answer(&mut self, what: &str) -> Result<()> {
        loop {
            match self.next()? {
                Some(Message::Answer) => return Ok(()),
                Some(Message::Happened(_)) => {}
                Some(Message::Refusal(reason)) => return Err(fault(format!("{what}: {reason}"))),
                None => return Err(fault(format!("closed before {what}"))),
            }
        }
    }
}

/// Understands one line of QMP.
fn parse(line: &[u8]) -> Result<Message> {
    #[derive(Deserialize)]
    struct Raw {
        #[serde(rename = "QMP")]
        greeting: Option<Value>,
        #[serde(rename = "return")]
        result: Option<Value>,
        error: Option<Refusal>,
        event: Option<String>,
        #[serde(default)]
        data: Value,
    }
    #[derive(Deserialize)]
    struct Refusal {
        desc: String,
    }
    let strange = || {
        fault(format!("a message makes no sense: {}", String::from_utf8_lossy(line).escape_debug()))
    };
    let raw: Raw = serde_json::from_slice(line).map_err(|_| strange())?;
    if let Some(name) = raw.event {
        let by_guest = raw.data.get("guest").and_then(Value::as_bool).unwrap_or(false);
        return Ok(Message::Happened(Happening { name, by_guest }));
    }
    if let Some(refusal) = raw.error {
        return Ok(Message::Refusal(refusal.desc));
    }
    if raw.greeting.is_some() || raw.result.is_some() {
        return Ok(Message::Answer);
    }
    Err(strange())
}

fn fault(problem: String) -> Error {
    Error::Control { problem, source: None }
}

fn trouble(problem: &str, source: io::Error) -> Error {
    Error::Control { problem: problem.into(), source: Some(source) }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixStream;
    use std::thread;

    use super::{Happening, Message, handshake, parse};

    /// A QEMU that says `first`, then answers each command with the next of `answers`, and
    /// gives back the commands it got.
    fn server(
        mut stream: UnixStream,
        first: &'static str,
        answers: &'static [&'static str],
    ) -> thread::JoinHandle<Vec<String>> {
        thread::spawn(move || {
            writeln!(stream, "{first}").unwrap();
            let commands = BufReader::new(stream.try_clone().unwrap()).lines();
            // The answers first: at their end no command is waited for.
            let answered = answers.iter().zip(commands).map(|(answer, command)| {
                writeln!(stream, "{answer}").unwrap();
                command.unwrap()
            });
            answered.collect()
        })
    }

    const GREETING: &str = r#"{"QMP": {"version": {}, "capabilities": ["oob"]}}"#;

    #[test]
    fn a_conversation() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let answers = &[
            "{\"event\": \"RESUME\", \"data\": {}}\r\n{\"return\": {}}\r",
            r#"{"error": {"class": "GenericError", "desc": "no such thing"}}"#,
        ];
        let server = server(theirs, GREETING, answers);
        let (mut control, mut messages) = handshake(ours).unwrap();
        control.execute("system_powerdown").unwrap();
        assert_eq!(messages.next().unwrap(), Some(Message::Refusal("no such thing".into())));
        assert_eq!(messages.next().unwrap(), None);
        assert_eq!(
            server.join().unwrap(),
            [r#"{"execute": "qmp_capabilities"}"#, r#"{"execute": "system_powerdown"}"#]
        );
    }

    #[test]
    fn a_peer_that_hangs_up_is_told_from_one_that_refuses() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        let error = handshake(ours).err().unwrap().to_string();
        assert!(error.contains("closed before the greeting"), "{error}");

        let (ours, theirs) = UnixStream::pair().unwrap();
        let refusal = &[r#"{"error": {"class": "GenericError", "desc": "not today"}}"#];
        let server = server(theirs, GREETING, refusal);
        let error = handshake(ours).err().unwrap().to_string();
        assert!(error.contains("qmp_capabilities: not today"), "{error}");
        server.join().unwrap();
    }

    #[test]
    fn events_tell_who_caused_them() {
        let line = br#"{"timestamp": {}, "event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-shutdown"}}"#;
        let happened =
            |name: &str, by_guest| Message::Happened(Happening { name: name.into(), by_guest });
        assert_eq!(parse(line).unwrap(), happened("SHUTDOWN", true));
        assert_eq!(parse(br#"{"event": "STOP"}"#).unwrap(), happened("STOP", false));
    }

    #[test]
    fn nonsense_is_shown_harmlessly() {
        for line in [&b"{}"[..], b"[]", b"\x1b[2J", b""] {
            assert!(parse(line).unwrap_err().to_string().contains("makes no sense"));
        }
        assert!(!parse(b"\x1b[2J").unwrap_err().to_string().contains('\x1b'));
    }
}
