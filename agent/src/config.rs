//! The agent's configuration, `/etc/bootwright/agent.yml`. docs/agent.md lists the keys.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bootwright_seed::report::Profile;
use bootwright_seed::yaml::decode::DecodeError;
use bootwright_seed::yaml::tree::{Node, Place};
use bootwright_seed::yaml::{self, YamlError};
use serde::Deserialize;

use crate::root::Root;
use crate::tasks::Entry;

mod policy;
mod source;

pub use policy::{AfterUse, Keep, Metadata, Reseed, StatusPage};
pub use source::SourceKind;

/// Longest wait for a late device. The unit's TimeoutStartSec is twice this and more.
const MAX_WAIT_SECONDS: u64 = 60;
/// Longest wait for metadata servers. The network unit's TimeoutStartSec is more.
const MAX_METADATA_SECONDS: u64 = 300;

/// The configuration; every key has a default.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    profile: Option<ProfileKeys>,
    /// Where the active env goes.
    pub env_path: PathBuf,
    /// Sources to look at; an earlier one wins over a later one.
    pub sources: Vec<SourceKind>,
    wait_seconds: u64,
    /// The local file that the source `file` is.
    pub env_file: PathBuf,
    /// How metadata servers are asked.
    pub metadata: Metadata,
    /// Which seed may change the env of a machine that has one.
    pub reseed: Reseed,
    /// Public keys whose signature makes a seed acceptable.
    pub signers: PathBuf,
    /// Files with the private keys that open encrypted seeds.
    pub identities: Vec<PathBuf>,
    /// Where the env is kept.
    pub keep: Keep,
    /// What happens to the medium.
    pub after_use: AfterUse,
    /// The key of the env that says whether the machine is to stand by.
    pub standby_key: String,
    /// The key of the env that says whether data has to be restored first.
    pub restore_key: String,
    /// The file that exists while the machine is in failure.
    pub failure_flag: PathBuf,
    /// Where people see the state.
    pub status_page: StatusPage,
    /// The folder of programs that get every report.
    pub report_hooks: PathBuf,
    /// Units that use the env; restarted when it changes after the boot.
    pub consumers: Vec<String>,
    /// The terminal that gets the one-line report; `~` for none.
    pub console: Option<PathBuf>,
    /// What is done with the env, in order.
    pub tasks: Vec<Entry>,
}

/// The appliance this image is, copied into the report.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileKeys {
    name: String,
    version: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            profile: None,
            env_path: PathBuf::from("/run/active-env.yml"),
            sources: SourceKind::ALL.to_vec(),
            wait_seconds: 10,
            env_file: PathBuf::from("/app/env.yml"),
            metadata: Metadata::default(),
            reseed: Reseed::default(),
            signers: PathBuf::from("/etc/bootwright/signers"),
            identities: vec![PathBuf::from("/etc/bootwright/identity")],
            keep: Keep::default(),
            after_use: AfterUse::default(),
            standby_key: "appliance.standby".to_owned(),
            restore_key: "appliance.restore".to_owned(),
            failure_flag: PathBuf::from("/run/bootwright/failed"),
            status_page: StatusPage::default(),
            report_hooks: PathBuf::from("/etc/bootwright/report.d"),
            consumers: Vec::new(),
            console: Some(PathBuf::from("/dev/console")),
            tasks: Vec::new(),
        }
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}; check its permissions", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// The file is not what docs/agent.md describes.
    #[error("the configuration cannot be used; correct it and restart bootwright-agent")]
    Parse(#[source] DecodeError),
    /// A value makes no sense.
    #[error("{}: {reason}; correct it and restart bootwright-agent", .file.display())]
    Value {
        /// The file.
        file: PathBuf,
        /// What is wrong with which key.
        reason: String,
    },
}

impl Config {
    /// Reads the file at `path`; a missing or empty one gives the defaults.
    pub fn load(root: &Root, path: &Path) -> Result<Self, ConfigError> {
        let bytes = match std::fs::read(root.at(path)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(ConfigError::Read(path.to_owned(), error)),
        };
        let config: Option<Self> = parse(path, &bytes).map_err(ConfigError::Parse)?;
        let config = config.unwrap_or_default();
        config.check().map_err(|reason| ConfigError::Value { file: path.to_owned(), reason })?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        self.check_paths()?;
        if self.sources.is_empty() {
            return Err("sources must name at least one source".to_owned());
        }
        for (index, kind) in self.sources.iter().enumerate() {
            if self.sources[..index].contains(kind) {
                return Err(format!("sources names {} twice", kind.name()));
            }
        }
        if self.wait_seconds > MAX_WAIT_SECONDS {
            return Err(format!("wait_seconds must be at most {MAX_WAIT_SECONDS}"));
        }
        if self.metadata.wait_seconds > MAX_METADATA_SECONDS {
            return Err(format!("metadata.wait_seconds must be at most {MAX_METADATA_SECONDS}"));
        }
        if self.status_page.mode().is_none() {
            return Err("status_page.mode must be octal digits in quotes, such as \"0644\"".into());
        }
        if self.after_use == AfterUse::Wipe && !self.keep.is_lasting() {
            return Err(
                "after_use: wipe needs keep: encrypted or keep: plain, or the next boot has no env"
                    .into(),
            );
        }
        match self.consumers.iter().find(|unit| unit.is_empty() || unit.starts_with('-')) {
            Some(unit) => Err(format!("consumers: `{unit}` is no name of a unit")),
            None => Ok(()),
        }
    }

    fn check_paths(&self) -> Result<(), String> {
        let page = &self.status_page;
        let files = [
            ("env_path", Some(&self.env_path)),
            ("env_file", Some(&self.env_file)),
            ("signers", Some(&self.signers)),
            ("failure_flag", Some(&self.failure_flag)),
            ("status_page.html", page.html.as_ref()),
            ("status_page.json", page.json.as_ref()),
            ("report_hooks", Some(&self.report_hooks)),
            ("console", self.console.as_ref()),
        ];
        let named = files.into_iter().filter_map(|(key, path)| Some((key, path?)));
        for (key, path) in named.chain(self.identities.iter().map(|path| ("identities", path))) {
            if !path.is_absolute() {
                return Err(format!("{key} must be an absolute path"));
            }
            if path.file_name().is_none() {
                return Err(format!("{key} must name a file"));
            }
        }
        Ok(())
    }

    /// How long to wait for a device that shows up late.
    pub fn wait(&self) -> Duration {
        Duration::from_secs(self.wait_seconds)
    }

    /// The appliance, as reports name it.
    pub fn profile(&self) -> Option<Profile> {
        let profile = self.profile.as_ref()?;
        Some(Profile { name: profile.name.clone(), version: profile.version.clone() })
    }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Option<Config>, DecodeError> {
    let file = path.display().to_string();
    let bad = |error: YamlError| {
        let at = Place { file: file.as_str().into(), line: error.line, column: error.column };
        DecodeError::new(&at, error.reason)
    };
    let text = yaml::decode(bytes).map_err(bad)?;
    Node::parse(&file, text).map_err(|(_, error)| bad(error))?.decode()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("agent.yml"), text).unwrap();
        let loaded = Config::load(&Root::new(dir.path()), Path::new("/agent.yml"));
        loaded.map_err(|error| crate::boot::chain(&error))
    }

    #[test]
    fn defaults() {
        let dir = tempfile::tempdir().unwrap();
        let missing = Config::load(&Root::new(dir.path()), Path::new("/agent.yml")).unwrap();
        assert_eq!(missing, Config::default());
        assert_eq!(load("").unwrap(), Config::default());
        assert_eq!(load("# nothing\n").unwrap(), Config::default());
    }

    #[test]
    fn the_file_we_ship_says_the_defaults() {
        assert_eq!(load(include_str!("../install/agent.yml")).unwrap(), Config::default());
    }

    #[test]
    fn every_key() {
        let config = load(
            "profile: {name: ecs, version: 2.10}\nenv_path: /data/env.yml\nsources: [config-2]\nwait_seconds: 0\nconsole: ~\n",
        )
        .unwrap();
        assert_eq!(
            config.profile(),
            Some(Profile { name: "ecs".to_owned(), version: "2.10".to_owned() })
        );
        assert_eq!(config.sources, [SourceKind::Config2]);
        assert_eq!((config.wait(), config.console), (Duration::ZERO, None));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            (
                "wait: 1\n",
                "restart bootwright-agent: /agent.yml:1:1: unknown key `wait`; did you mean `wait_seconds`?",
            ),
            (
                "sources: [cd-data]\n",
                "/agent.yml:1:11: unknown value `cd-data`; did you mean `cidata`?",
            ),
            (
                "wait_seconds: 1\nwait_seconds: 2\n",
                "/agent.yml:2:1: the key `wait_seconds` stands twice in one mapping",
            ),
            ("profile: {name: x}\n", "the key `version` is missing"),
            ("sources: []\n", "/agent.yml: sources must name at least one source; correct it"),
            ("sources: [cidata, cidata]\n", "sources names cidata twice"),
            ("wait_seconds: 61\n", "wait_seconds must be at most 60"),
            ("env_path: env.yml\n", "env_path must be an absolute path"),
            ("env_path: /\n", "env_path must name a file"),
            ("identities: [key]\n", "identities must be an absolute path"),
            ("after_use: wipe\n", "after_use: wipe needs keep: encrypted or keep: plain"),
            ("metadata: {wait_seconds: 301}\n", "metadata.wait_seconds must be at most 300"),
            ("status_page: {mode: \"999\"}\n", "status_page.mode must be octal digits"),
            ("consumers: [-x]\n", "consumers: `-x` is no name of a unit"),
        ] {
            let error = load(text).unwrap_err();
            assert!(error.contains(expected), "{text:?} gave {error}");
        }
    }
}
