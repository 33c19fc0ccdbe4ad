//! The command line.

mod env;

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};

use crate::boot::Stage;
use crate::recover::Recovery;
use crate::root::Root;

pub use env::EnvVerb;

/// Where the configuration is unless `--config` says otherwise.
pub const CONFIG: &str = "/etc/bootwright/agent.yml";

const HELP: &str = "\
The bootwright agent: finds the seed of this machine and activates its env.

Usage: bootwright-agent VERB [OPTION]...

Verbs:
  boot [--network]  look for a seed, activate its env, report; with --network
                    ask the metadata servers; units run this
  apply [--dry-run] make the machine what its active env says; with --dry-run
                    only say what would change, as a diff
  watch             wait for a seed that is attached while the machine runs
  status [--json]   print the report of the last run
  env export [--format sh|systemd|docker] KEYS
                    print keys of the active env as variables
  env exec --keys KEYS [--] COMMAND...
                    run a command with these keys, and no others, as variables
  env flatten [--prefix|--postfix|--combine|--assign TEXT] KEYS
                    print them by the rules of flatyaml
  facts [--json]    print what is known about this machine
  recover [HOW]     clear a failure and restart the services; HOW may be
                    --last or --previous (activate that kept env),
                    --restored (the data has been restored), or
                    --unbind (take any seed next)
  release           eject, unbind or wipe the medium, as `after_use` says
  failed UNIT       report that a unit failed; OnFailure= runs this

Options:
  --config FILE     configuration [/etc/bootwright/agent.yml]; missing: defaults
  --root DIR        take every path below DIR: for tests and for images
  --help            print this
  --version         print the version

KEYS are separated by commas: appliance.domain,ecs.git; `.` stands for all.

Example: bootwright-agent env exec --keys appliance.domain -- printenv

Exit codes: 0 active, standby, waiting for a restore or done; 3 unconfigured (no
seed was offered; clean); 1 failed (the report says why); 2 wrong usage.
";

const VERBS: &str = "boot, apply, watch, status, env, facts, recover, release or failed";

/// What every verb takes.
#[derive(Debug)]
pub struct Common {
    /// Where all paths start.
    pub root: Root,
    /// The configuration file, below the root.
    pub config: PathBuf,
}

/// What to do.
#[derive(Debug)]
pub enum Verb {
    /// Look for a seed.
    Boot(Stage),
    /// Do the tasks with the env that is active.
    Apply {
        /// Only say what would change.
        dry: bool,
    },
    /// Wait for a seed.
    Watch,
    /// Print the last report.
    Status {
        /// As JSON.
        json: bool,
    },
    /// The active env as variables.
    Env(EnvVerb),
    /// Print what is known about the machine.
    Facts {
        /// As JSON.
        json: bool,
    },
    /// Get out of a failure.
    Recover(Recovery),
    /// Let go of the medium.
    Release,
    /// Report a unit that failed.
    Failed {
        /// Its name.
        unit: String,
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
    #[error("no verb; use {VERBS}")]
    NoVerb,
    /// A word that is no verb.
    #[error("`{0}` is no verb; use {VERBS}")]
    UnknownVerb(String),
    /// An option of another verb.
    #[error("{0} has no option --{1}")]
    Misplaced(String, String),
    /// Two ways to recover.
    #[error("recover takes one of --last, --previous, --restored and --unbind")]
    Ambiguous,
    /// Nothing to do with the env.
    #[error("env needs export, exec or flatten")]
    NoEnvVerb,
    /// No keys.
    #[error("which keys of the env? name them, separated by commas; `.` stands for all")]
    NoKeys,
    /// No command.
    #[error("env exec needs a command")]
    NoCommand,
    /// A format that does not exist.
    #[error("--format takes sh, systemd or docker")]
    UnknownFormat,
    /// No unit.
    #[error("failed needs the name of a unit")]
    NoUnit,
}

/// Parses the arguments after the program's name.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<(Common, Verb), UsageError> {
    let mut parser = Parser::from_args(args);
    let mut common = Common { root: Root::default(), config: PathBuf::from(CONFIG) };
    let mut words = Vec::new();
    let mut switches = Vec::new();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("root") => common.root = Root::new(parser.value()?),
            Arg::Long("config") => common.config = PathBuf::from(parser.value()?),
            Arg::Long("help") | Arg::Short('h') => {
                return Ok((common, Verb::Tell(HELP.to_owned())));
            }
            Arg::Long("version") | Arg::Short('V') => return Ok((common, Verb::Tell(version()))),
            Arg::Long(
                name @ ("json" | "dry-run" | "network" | "last" | "previous" | "restored"
                | "unbind"),
            ) => switches.push(name.to_owned()),
            Arg::Value(word) if words.is_empty() && word == "env" => {
                let verb = env::parse(&mut parser, &mut common)?;
                return Ok((common, Verb::Env(verb)));
            }
            Arg::Value(word) if words.len() < 2 => words.push(word.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let mut words = words.into_iter();
    let name = words.next().ok_or(UsageError::NoVerb)?;
    let verb = verb(&name, words.next(), &mut switches)?;
    match switches.pop() {
        Some(switch) => Err(UsageError::Misplaced(name, switch)),
        None => Ok((common, verb)),
    }
}

/// The verb of this name, which takes its switches out of the list.
fn verb(
    name: &str,
    operand: Option<String>,
    switches: &mut Vec<String>,
) -> Result<Verb, UsageError> {
    let mut take = |switch: &str| {
        let at = switches.iter().position(|given| given == switch);
        at.map(|at| switches.remove(at)).is_some()
    };
    if let Some(word) = operand.as_ref().filter(|_| name != "failed") {
        return Err(UsageError::Option(lexopt::Error::UnexpectedArgument(word.into())));
    }
    Ok(match name {
        "boot" if take("network") => Verb::Boot(Stage::Network),
        "boot" => Verb::Boot(Stage::Local),
        "apply" => Verb::Apply { dry: take("dry-run") },
        "watch" => Verb::Watch,
        "status" => Verb::Status { json: take("json") },
        "facts" => Verb::Facts { json: take("json") },
        "release" => Verb::Release,
        "failed" => Verb::Failed { unit: operand.ok_or(UsageError::NoUnit)? },
        "recover" => {
            let ways = [
                ("last", Recovery::Last),
                ("previous", Recovery::Previous),
                ("restored", Recovery::Restored),
                ("unbind", Recovery::Unbind),
            ];
            let chosen: Vec<_> = ways.into_iter().filter(|(switch, _)| take(switch)).collect();
            match chosen[..] {
                [] => Verb::Recover(Recovery::Clear),
                [(_, recovery)] => Verb::Recover(recovery),
                _ => return Err(UsageError::Ambiguous),
            }
        }
        other => return Err(UsageError::UnknownVerb(other.to_owned())),
    })
}

fn version() -> String {
    format!("bootwright-agent {}\n", env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &str) -> Result<(Common, Verb), UsageError> {
        parse(words.split_whitespace().map(OsString::from))
    }

    fn error(words: &str) -> String {
        parse_words(words).unwrap_err().to_string()
    }

    #[test]
    fn verbs_and_options() {
        let Ok((common, Verb::Boot(Stage::Local))) = parse_words("boot --root /r --config=/c.yml")
        else {
            panic!("boot was not recognised");
        };
        assert_eq!(common.root.at("/dev"), PathBuf::from("/r/dev"));
        assert_eq!(common.config, PathBuf::from("/c.yml"));
        let verb = |words| parse_words(words).unwrap().1;
        assert!(matches!(verb("boot --network"), Verb::Boot(Stage::Network)));
        assert!(matches!(verb("apply --dry-run"), Verb::Apply { dry: true }));
        assert!(matches!(verb("status --json"), Verb::Status { json: true }));
        assert!(matches!(verb("--json facts"), Verb::Facts { json: true }));
        assert!(matches!(verb("recover"), Verb::Recover(Recovery::Clear)));
        assert!(matches!(verb("recover --unbind"), Verb::Recover(Recovery::Unbind)));
        assert!(matches!(verb("failed x.service"), Verb::Failed { unit } if unit == "x.service"));
        let Verb::Env(EnvVerb::Exec { keys, command }) =
            verb("env exec --keys a.b,c -- run --keys x")
        else {
            panic!("env exec was not recognised");
        };
        assert_eq!((keys.len(), command.len()), (2, 3));
        assert!(matches!(verb("env export a"), Verb::Env(EnvVerb::Export { .. })));
        assert!(matches!(verb("boot --help"), Verb::Tell(text) if text == HELP));
        assert!(matches!(verb("--version"), Verb::Tell(text) if text.contains("0.1")));
    }

    #[test]
    fn wrong_usage() {
        assert_eq!(error(""), format!("no verb; use {VERBS}"));
        assert_eq!(error("go"), format!("`go` is no verb; use {VERBS}"));
        assert_eq!(error("boot --json"), "boot has no option --json");
        assert_eq!(error("boot --rot x"), "invalid option '--rot'");
        assert_eq!(error("boot more"), "unexpected argument \"more\"");
        assert_eq!(error("failed"), "failed needs the name of a unit");
        assert!(error("recover --last --unbind").starts_with("recover takes one of"));
        assert_eq!(error("env"), "env needs export, exec or flatten");
        assert!(error("env export").starts_with("which keys"));
        assert_eq!(error("env exec --keys a"), "env exec needs a command");
        assert_eq!(error("boot --root"), "missing argument for option '--root'");
    }

    #[test]
    fn help_fits_a_terminal() {
        for line in HELP.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
