//! The agent's configuration, `/etc/bootwright/agent.yml`. docs/agent.md lists the keys.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bootwright_seed::medium::Kind;
use bootwright_seed::report::Profile;
use bootwright_seed::yaml::{self, YamlError};
use serde::Deserialize;

use crate::root::Root;

/// Longest wait for a late device. The unit's TimeoutStartSec is twice this and more.
const MAX_WAIT_SECONDS: u64 = 60;

/// The configuration; every key has a default.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    profile: Option<ProfileKeys>,
    /// Where the active env goes.
    pub env_path: PathBuf,
    /// Kinds of media to look for; an earlier one wins over a later one.
    pub sources: Vec<Kind>,
    wait_seconds: u64,
    /// The terminal that gets the one-line report; `~` for none.
    pub console: Option<PathBuf>,
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
            sources: Kind::ALL.to_vec(),
            wait_seconds: 10,
            console: Some(PathBuf::from("/dev/console")),
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
    #[error("{} is not a valid configuration; correct it and restart bootwright-agent", .0.display())]
    Parse(PathBuf, #[source] YamlError),
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
        let parse = |error| ConfigError::Parse(path.to_owned(), error);
        let text = yaml::decode(&bytes).map_err(parse)?;
        let config: Option<Self> = yaml::parse(text).map_err(parse)?;
        let config = config.unwrap_or_default();
        config.check().map_err(|reason| ConfigError::Value { file: path.to_owned(), reason })?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        for (key, path) in [("env_path", Some(&self.env_path)), ("console", self.console.as_ref())]
        {
            if path.is_some_and(|path| !path.is_absolute()) {
                return Err(format!("{key} must be an absolute path"));
            }
        }
        if self.env_path.file_name().is_none() {
            return Err("env_path must name a file".to_owned());
        }
        if self.sources.is_empty() {
            return Err("sources must name at least one kind of medium".to_owned());
        }
        for (index, kind) in self.sources.iter().enumerate() {
            if self.sources[..index].contains(kind) {
                return Err(format!("sources names {kind} twice"));
            }
        }
        if self.wait_seconds > MAX_WAIT_SECONDS {
            return Err(format!("wait_seconds must be at most {MAX_WAIT_SECONDS}"));
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
        assert_eq!(config.sources, [Kind::Config2]);
        assert_eq!((config.wait(), config.console), (Duration::ZERO, None));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            (
                "wait: 1\n",
                "line 1, column 1: unknown key `wait`; known are profile, env_path, sources, wait_seconds, console",
            ),
            ("sources: [cdrom]\n", "line 1, column 11: expected one of cidata, config-2"),
            (
                "wait_seconds: 1\nwait_seconds: 2\n",
                "line 2, column 1: the key `wait_seconds` stands twice in one mapping",
            ),
            ("profile: {name: x}\n", "the key `version` is missing"),
            (
                "sources: []\n",
                "/agent.yml: sources must name at least one kind of medium; correct it",
            ),
            ("sources: [cidata, cidata]\n", "sources names cidata twice"),
            ("wait_seconds: 61\n", "wait_seconds must be at most 60"),
            ("env_path: env.yml\n", "env_path must be an absolute path"),
            ("env_path: /\n", "env_path must name a file"),
        ] {
            let error = load(text).unwrap_err();
            assert!(error.contains(expected), "{text:?} gave {error}");
        }
    }
}
