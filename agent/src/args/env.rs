//! The command line of the verb `env`.

use lexopt::{Arg, Parser, ValueExt};

use super::{Common, UsageError};
use bootwright_seed::env::flatten::Output;
use bootwright_seed::env::flatten::compat::Style;

/// What to do with the active env.
#[derive(Debug)]
pub enum EnvVerb {
    /// Print variables.
    Export {
        /// Dotted keys; `.` for all.
        keys: Vec<String>,
        /// For what.
        output: Output,
    },
    /// Run a command with variables.
    Exec {
        /// Dotted keys.
        keys: Vec<String>,
        /// The command and its arguments.
        command: Vec<std::ffi::OsString>,
    },
    /// Print variables by flatyaml's rules.
    Flatten {
        /// Top-level keys; `.` for all.
        keys: Vec<String>,
        /// How names and lines are put together.
        style: Style,
    },
}

/// Parses what follows `env`.
pub fn parse(parser: &mut Parser, common: &mut Common) -> Result<EnvVerb, UsageError> {
    let name = match parser.next()? {
        Some(Arg::Value(word)) => word.string()?,
        Some(other) => return Err(other.unexpected().into()),
        None => return Err(UsageError::NoEnvVerb),
    };
    let mut given = Given::default();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("root") => common.root = crate::root::Root::new(parser.value()?),
            Arg::Long("config") => common.config = parser.value()?.into(),
            Arg::Long("format") if name == "export" => {
                given.output = output(&parser.value()?.string()?)?;
            }
            Arg::Long("keys") if name == "exec" => given.keys = Some(parser.value()?.string()?),
            Arg::Long("prefix") if name == "flatten" => {
                given.style.prefix = parser.value()?.string()?;
            }
            Arg::Long("postfix") if name == "flatten" => {
                given.style.postfix = parser.value()?.string()?;
            }
            Arg::Long("combine") if name == "flatten" => {
                given.style.combine = parser.value()?.string()?;
            }
            Arg::Long("assign") if name == "flatten" => {
                given.style.assign = parser.value()?.string()?;
            }
            Arg::Value(word) if name == "exec" => {
                // From here on everything is the command's.
                given.command.push(word);
                given.command.extend(parser.raw_args()?);
            }
            Arg::Value(word) if given.keys.is_none() => given.keys = Some(word.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    given.verb(&name)
}

#[derive(Default)]
struct Given {
    keys: Option<String>,
    output: Option<Output>,
    style: Style,
    command: Vec<std::ffi::OsString>,
}

impl Given {
    fn verb(self, name: &str) -> Result<EnvVerb, UsageError> {
        let keys = self.keys.map(|keys| keys.split(',').map(str::to_owned).collect::<Vec<_>>());
        let keys = keys.filter(|keys| keys.iter().all(|key| !key.is_empty()));
        match (name, keys) {
            ("export", Some(keys)) => {
                Ok(EnvVerb::Export { keys, output: self.output.unwrap_or(Output::Sh) })
            }
            ("flatten", Some(keys)) => Ok(EnvVerb::Flatten { keys, style: self.style }),
            ("exec", _) if self.command.is_empty() => Err(UsageError::NoCommand),
            ("exec", Some(keys)) => Ok(EnvVerb::Exec { keys, command: self.command }),
            ("export" | "flatten" | "exec", None) => Err(UsageError::NoKeys),
            _ => Err(UsageError::NoEnvVerb),
        }
    }
}

fn output(name: &str) -> Result<Option<Output>, UsageError> {
    match name {
        "sh" => Ok(Some(Output::Sh)),
        "systemd" => Ok(Some(Output::Systemd)),
        "docker" => Ok(Some(Output::Docker)),
        _ => Err(UsageError::UnknownFormat),
    }
}
