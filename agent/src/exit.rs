//! What a verb leaves behind: text for both streams and the exit code.

use std::io::Write;

use bootwright_seed::report::State;

use crate::args::UsageError;

/// A seed was offered and could not be used, or the agent itself failed.
pub const FAILED: u8 = 1;
/// The command line was wrong.
const USAGE: u8 = 2;
/// Nothing offered a seed. Not a failure: the unit lists it under SuccessExitStatus.
const UNCONFIGURED: u8 = 3;

/// Output and exit code of a verb.
#[derive(Debug, Default)]
pub struct Answer {
    /// For standard output.
    pub out: String,
    /// For standard error.
    pub err: String,
    /// The exit code.
    pub code: u8,
}

impl Answer {
    /// Text that was asked for.
    pub fn told(out: String) -> Self {
        Self { out, ..Self::default() }
    }

    /// A wrong command line.
    pub fn usage(error: &UsageError) -> Self {
        let err = format!("bootwright-agent: {error}; see bootwright-agent --help\n");
        Self { err, code: USAGE, ..Self::default() }
    }

    /// Something that kept the verb from its work.
    pub fn failed(reason: &str) -> Self {
        Self { err: format!("bootwright-agent: {reason}\n"), code: FAILED, ..Self::default() }
    }
}

/// Prints an answer.
pub fn say(answer: &Answer) {
    // Nobody is left to tell if these streams are closed.
    let _ = std::io::stdout().write_all(answer.out.as_bytes());
    let _ = std::io::stderr().write_all(answer.err.as_bytes());
}

/// The exit code for a state of the machine.
pub fn code(state: State) -> u8 {
    match state {
        State::Active | State::Standby | State::WaitingForRestore => 0,
        State::Unconfigured => UNCONFIGURED,
        State::Failed => FAILED,
    }
}
