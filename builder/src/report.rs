//! The one place that writes to the terminal: data on stdout, messages on stderr.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is what the file is for")]

use std::fmt::Display;
use std::io::{IsTerminal, Write};

use serde::Serialize;

/// Prints text on stdout. A closed pipe is no failure: the reader has seen enough.
pub fn data(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Writes bytes to stdout as they are. Gives whether anybody still reads them.
///
/// # Errors
/// What the system says, but that the reader has gone.
#[cfg(feature = "image")]
pub fn raw(bytes: &[u8]) -> std::io::Result<bool> {
    match std::io::stdout().write_all(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// A name from an image as it may be shown on a terminal: what could control one, and what
/// is not UTF-8, is escaped.
#[cfg(feature = "image")]
pub fn name(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c.is_control() {
                true => out.extend(c.escape_default()),
                false => out.push(c),
            }
        }
        out.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    out
}

/// Prints text that has its line ends on stdout.
pub fn text(text: impl Display) {
    let _ = write!(std::io::stdout(), "{text}");
}

/// Prints a value as JSON on stdout.
///
/// # Errors
/// A value that JSON cannot hold.
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    data(serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Prints a message on stderr.
pub fn message(text: impl Display) {
    eprintln!("{text}");
}

/// Prints an error with its causes on stderr.
pub fn error(error: &anyhow::Error) {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (start, end) = if colour { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    eprintln!("{start}error:{end} {}", causes.join(": "));
}
