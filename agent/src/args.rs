//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};

use crate::root::Root;

/// Where the configuration is unless `--config` says otherwise.
pub const CONFIG: &str = "/etc/bootwright/agent.yml";

const HELP: &str = "\
The bootwright agent: finds the seed of this machine and activates its env.

Usage: bootwright-agent VERB [OPTION]...

Verbs:
  boot             look for a seed, activate its env, report; the unit runs this
  status [--json]  print the report of the last run

Options:
  --config FILE    configuration [/etc/bootwright/agent.yml]; missing: defaults
  --root DIR       take every path below DIR: for tests and for images
  --help           print this
  --version        print the version

Exit codes of both verbs: 0 active, 3 unconfigured (no seed was offered; clean),
1 failed (the report says why), 2 wrong usage.
";

/// What to do.
#[derive(Debug)]
pub enum Verb {
    /// Look for a seed.
    Boot {
        /// Where all paths start.
        root: Root,
        /// The configuration file, below the root.
        config: PathBuf,
    },
    /// Print the last report.
    Status {
        /// Where all paths start.
        root: Root,
        /// As JSON.
        json: bool,
    },
    /// Print this text.
    Tell(String),
}

/// A wrong command line.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// An option that does not exist or lacks its value.
    #[error("{0}")]
    Option(#[from] lexopt::Error),
    /// No verb.
    #[error("no verb; use boot or status")]
    NoVerb,
    /// A word that is no verb.
    #[error("`{0}` is no verb; use boot or status")]
    UnknownVerb(String),
    /// An option that another verb has.
    #[error("--json goes with status alone")]
    JsonWithoutStatus,
}

/// Parses the arguments after the program's name.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Verb, UsageError> {
    let mut parser = Parser::from_args(args);
    let mut verb = None;
    let mut root = Root::default();
    let mut config = PathBuf::from(CONFIG);
    let mut json = false;
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("root") => root = Root::new(parser.value()?),
            Arg::Long("config") => config = PathBuf::from(parser.value()?),
            Arg::Long("json") => json = true,
            Arg::Long("help") | Arg::Short('h') => return Ok(Verb::Tell(HELP.to_owned())),
            Arg::Long("version") | Arg::Short('V') => return Ok(Verb::Tell(version())),
            Arg::Value(word) if verb.is_none() => verb = Some(word.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    match verb.as_deref() {
        Some("boot") if json => Err(UsageError::JsonWithoutStatus),
        Some("boot") => Ok(Verb::Boot { root, config }),
        Some("status") => Ok(Verb::Status { root, json }),
        Some(other) => Err(UsageError::UnknownVerb(other.to_owned())),
        None => Err(UsageError::NoVerb),
    }
}

fn version() -> String {
    format!("bootwright-agent {}\n", env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &str) -> Result<Verb, UsageError> {
        parse(words.split_whitespace().map(OsString::from))
    }

    fn error(words: &str) -> String {
        parse_words(words).unwrap_err().to_string()
    }

    #[test]
    fn verbs_and_options() {
        let Ok(Verb::Boot { root, config }) = parse_words("boot --root /r --config=/c.yml") else {
            panic!("boot was not recognised");
        };
        assert_eq!(root.at("/dev"), PathBuf::from("/r/dev"));
        assert_eq!(config, PathBuf::from("/c.yml"));
        assert!(matches!(parse_words("status --json"), Ok(Verb::Status { json: true, .. })));
        assert!(matches!(parse_words("boot --help"), Ok(Verb::Tell(text)) if text == HELP));
        assert!(matches!(parse_words("--version"), Ok(Verb::Tell(text)) if text.contains("0.1")));
    }

    #[test]
    fn wrong_usage() {
        assert_eq!(error(""), "no verb; use boot or status");
        assert_eq!(error("go"), "`go` is no verb; use boot or status");
        assert_eq!(error("boot --json"), "--json goes with status alone");
        assert_eq!(error("boot --rot x"), "invalid option '--rot'");
        assert_eq!(error("boot more"), "unexpected argument \"more\"");
        assert_eq!(error("boot --root"), "missing argument for option '--root'");
    }

    #[test]
    fn help_fits_a_terminal() {
        for line in HELP.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
