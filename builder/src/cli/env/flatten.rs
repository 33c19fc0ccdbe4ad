//! Arguments of `bootwright env flatten`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Print an env as variables for shells, systemd and docker.
///
/// `appliance: {domain: x.test}` becomes APPLIANCE_DOMAIN=x.test; a list has its items as
/// NAME_0, NAME_1 and so on, and their number as NAME_LEN. Names are such that every
/// shell takes them, and values are quoted as the format wants it. Two keys that become one
/// name, a key that is not there and a value that the format cannot hold are errors.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bootwright env flatten --file env.yml appliance,ecs >vars.sh; . ./vars.sh
  bootwright env flatten --file env.yml --format systemd appliance >site.env
  bootwright env flatten --compat --prefix 'export ' appliance <env.yml")]
pub struct EnvFlatten {
    /// What to write: what a shell reads with `.`, systemd's EnvironmentFile=, or docker's
    /// --env-file.
    #[arg(long, value_enum, default_value_t = FlattenFormat::Sh, conflicts_with = "compat")]
    pub format: FlattenFormat,
    /// Follow flatyaml to the letter: its types (0600 becomes 384), names and quoting.
    #[arg(long)]
    pub compat: bool,
    /// Text in front of every name.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    pub prefix: String,
    /// With --compat: text at the end of every line.
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        requires = "compat",
        value_name = "TEXT"
    )]
    pub postfix: String,
    /// With --compat: text between the parts of a name.
    #[arg(long, default_value = "_", requires = "compat", value_name = "TEXT")]
    pub combine: String,
    /// With --compat: text between name and value.
    #[arg(long, default_value = "=", requires = "compat", value_name = "TEXT")]
    pub assign: String,
    /// The env; stdin if it is not given.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Top-level keys, separated by commas; `.` for all of them.
    #[arg(value_delimiter = ',', required = true, value_name = "KEYS")]
    pub keys: Vec<String>,
}

/// What variables are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FlattenFormat {
    /// A file for `.` in any POSIX shell.
    Sh,
    /// A file for EnvironmentFile=.
    Systemd,
    /// A file for docker run --env-file.
    Docker,
}
