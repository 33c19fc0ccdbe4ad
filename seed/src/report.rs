//! The agent's report: what the guest tells the host, on every channel.
//!
//! The agent writes it (`/run/bootwright/report.json`, a virtio-serial port, a line on
//! the console), `bootwright boot` reads it. Both use these types, so they cannot drift.

use serde::{Deserialize, Serialize};

/// Version of the report's shape; raised when a field changes its meaning.
pub const SCHEMA: u32 = 1;

/// Name of the virtio-serial port the report goes to, as one line of JSON.
/// The guest sees it as `/dev/virtio-ports/<name>` and in `/sys/class/virtio-ports/*/name`.
pub const VIRTIO_PORT: &str = "org.bootwright.report.0";

/// What the console line starts with; the rest is `key=value` pairs.
pub const CONSOLE_PREFIX: &str = "bootwright-agent:";

/// What the machine is, as far as its configuration goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// An env was found, checked and put in place.
    Active,
    /// An env was found that says the machine is to wait.
    Standby,
    /// No source offered an env. A clean state: the machine waits for its seed.
    Unconfigured,
    /// A source offered something that could not be used.
    Failed,
    /// The env is in place but asks for a restore before services start.
    WaitingForRestore,
}

impl State {
    /// All states.
    pub const ALL: [Self; 5] =
        [Self::Active, Self::Standby, Self::Unconfigured, Self::Failed, Self::WaitingForRestore];

    /// The state's name as it stands in reports and on the console.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Standby => "standby",
            Self::Unconfigured => "unconfigured",
            Self::Failed => "failed",
            Self::WaitingForRestore => "waiting-for-restore",
        }
    }
}

/// The whole report. Holds no value of the env: those are secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`] of the agent that wrote it.
    pub schema: u32,
    /// The outcome.
    pub state: State,
    /// Version of the agent.
    pub agent: String,
    /// The appliance, from the agent's configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// Where the env came from; absent unless one was activated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Instance-id that the medium carries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// Path of the active env in the guest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// Everything that was looked at, in order, with what came of it.
    #[serde(default)]
    pub tried: Vec<Tried>,
    /// What works but should be looked into: a seed that was refused, an env others could read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Why the state is `failed`: what, where, and what to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Milliseconds the agent took, waiting for late devices included.
    pub elapsed_ms: u64,
}

impl Report {
    /// The report as far as the line tells that the agent writes to the console; nothing if
    /// `line` holds none. Not told there: the agent's version, the path of the env, and what
    /// was tried.
    #[must_use]
    pub fn from_console(line: &str) -> Option<Self> {
        let (_, summary) = line.split_once(CONSOLE_PREFIX)?;
        let (words, error) = match summary.split_once(" error=") {
            Some((words, error)) => (words, Some(error.trim_end().to_owned())),
            None => (summary, None),
        };
        let value = |key: &str| {
            let mut pairs = words.split_ascii_whitespace().filter_map(|word| word.split_once('='));
            pairs.find(|(found, _)| *found == key).map(|(_, value)| value.to_owned())
        };
        let state = value("state")?;
        let state = State::ALL.into_iter().find(|known| known.name() == state)?;
        let source = value("source").zip(value("device")).map(|(kind, device)| Source {
            kind,
            device,
            filesystem: None,
            file: String::new(),
        });
        let profile = value("profile").and_then(|profile| {
            let (name, version) = profile.split_once('/')?;
            Some(Profile { name: name.to_owned(), version: version.to_owned() })
        });
        let instance_id = value("instance-id");
        let (agent, env, tried, elapsed_ms) = (String::new(), None, Vec::new(), 0);
        let warnings = Vec::new();
        let schema = SCHEMA;
        Some(Self {
            schema,
            state,
            agent,
            profile,
            source,
            instance_id,
            env,
            tried,
            warnings,
            error,
            elapsed_ms,
        })
    }
}

/// Identity of the appliance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The profile's name.
    pub name: String,
    /// The profile's version.
    pub version: String,
}

/// A place an env can come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The kind, such as `cidata` or `ec2`.
    pub kind: String,
    /// The block device, such as `/dev/sr0`, or the file, address or place.
    pub device: String,
    /// `iso9660` or `vfat`, if it was on a medium.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filesystem: Option<String>,
    /// File on the medium, such as `user-data`, or the name of the string or variable.
    pub file: String,
}

/// One candidate that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// The device or place.
    pub place: String,
    /// What it turned out to be, or why it was refused.
    pub outcome: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_line_is_a_report() {
        let line = "[ 9.1] bootwright-agent: state=active source=cidata device=/dev/sr0 \
                    instance-id=iid-1 profile=ecs/2.4.0";
        let report = Report::from_console(line).unwrap();
        assert_eq!(report.state, State::Active);
        assert_eq!(report.source.unwrap().device, "/dev/sr0");
        assert_eq!(report.instance_id.unwrap(), "iid-1");
        assert_eq!(report.profile.unwrap().version, "2.4.0");
        assert_eq!(report.error, None);
        let failed = "bootwright-agent: state=failed error=bad state=active file\r";
        let report = Report::from_console(failed).unwrap();
        assert_eq!(report.state, State::Failed);
        assert_eq!(report.error.unwrap(), "bad state=active file");
    }

    #[test]
    fn other_lines_are_none() {
        for line in ["", "bootwright-agent:", "bootwright-agent: state=new", "state=active"] {
            assert_eq!(Report::from_console(line), None, "{line}");
        }
    }
}
