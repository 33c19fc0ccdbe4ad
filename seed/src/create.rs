//! Makes the files of a seed: from an env and public keys to what a medium of a kind holds.
//!
//! Sources: cloud-init's `DataSourceNoCloud.py` (`meta-data` is YAML with `instance-id`,
//! `local-hostname` and `public-keys`, a list whose keys go to the default user) and
//! `sources/helpers/openstack.py` (`meta_data.json` with `uuid`, `hostname`, `public_keys`).

mod instance;
mod ssh;

use std::fmt;

use serde_json::{Map, Value};

use crate::medium::Kind;
use crate::userdata::{self, UserDataError};

pub use ssh::{KeyError, KeyProblem, PublicKey};

/// Longest instance-id taken from the operator, in bytes. cloud-init makes a directory of it.
const MAX_INSTANCE_ID: usize = 128;

/// Why a seed cannot be made of what was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// The env is not usable.
    #[error(transparent)]
    UserData(#[from] UserDataError),
    /// Not a host name by RFC 1123.
    #[error(
        "`{0}` is not a host name; use labels of letters, digits and inner hyphens, joined by dots"
    )]
    Hostname(String),
    /// Not usable as a directory name by cloud-init.
    #[error(
        "`{0}` is not an instance-id; use at most {MAX_INSTANCE_ID} letters, digits, `.`, `_` and `-`, no dot first"
    )]
    InstanceId(String),
}

/// What a seed says to a machine, before it takes the shape of a kind.
///
/// Its `Debug` form shows the size of the user-data, not its content.
#[derive(Clone)]
pub struct Seed {
    user_data: Vec<u8>,
    public_keys: Vec<PublicKey>,
    hostname: Option<String>,
    instance_id: Option<String>,
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seed")
            .field("user_data", &format_args!("{} bytes", self.user_data.len()))
            .field("public_keys", &self.public_keys)
            .field("hostname", &self.hostname)
            .field("instance_id", &self.instance_id)
            .finish()
    }
}

impl Seed {
    /// A seed of `user_data`, which errors call `file`. It goes onto the medium byte for byte.
    ///
    /// # Errors
    ///
    /// See [`userdata::check`].
    pub fn new(file: &str, user_data: Vec<u8>) -> Result<Self, CreateError> {
        userdata::check(file, &user_data)?;
        Ok(Self { user_data, public_keys: Vec::new(), hostname: None, instance_id: None })
    }

    /// Adds keys for the image's default user, leaving out those that are there already.
    #[must_use]
    pub fn with_public_keys(mut self, keys: impl IntoIterator<Item = PublicKey>) -> Self {
        for key in keys {
            if !self.public_keys.iter().any(|known| known.is_same_key(&key)) {
                self.public_keys.push(key);
            }
        }
        self
    }

    /// Sets the host name that cloud-init gives the machine.
    ///
    /// # Errors
    ///
    /// [`CreateError::Hostname`] if it is not one by RFC 1123.
    pub fn with_hostname(mut self, name: &str) -> Result<Self, CreateError> {
        if !is_hostname(name) {
            return Err(CreateError::Hostname(name.to_owned()));
        }
        self.hostname = Some(name.to_owned());
        Ok(self)
    }

    /// Sets the instance-id instead of deriving it.
    ///
    /// # Errors
    ///
    /// [`CreateError::InstanceId`] if cloud-init could not make a directory of that name.
    pub fn with_instance_id(mut self, id: &str) -> Result<Self, CreateError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if id.is_empty()
            || id.len() > MAX_INSTANCE_ID
            || id.starts_with('.')
            || !id.chars().all(allowed)
        {
            return Err(CreateError::InstanceId(id.to_owned()));
        }
        self.instance_id = Some(id.to_owned());
        Ok(self)
    }

    /// The instance-id: the given one, or a UUID derived from everything else in the seed.
    ///
    /// cloud-init configures a machine anew when the id changes, so a changed seed takes effect
    /// and one that was merely written again does not. The id does not depend on the kind.
    #[must_use]
    pub fn instance_id(&self) -> String {
        self.instance_id.clone().unwrap_or_else(|| instance::derive(self))
    }

    /// The files of a medium of this kind.
    #[must_use]
    pub fn files(&self, kind: Kind) -> SeedFiles {
        let meta_data = match kind {
            Kind::Cidata => self.nocloud_meta_data(),
            Kind::Config2 => self.openstack_meta_data(),
        };
        let files = vec![
            SeedFile { path: kind.meta_data(), content: meta_data.into_bytes() },
            SeedFile { path: kind.user_data(), content: self.user_data.clone() },
        ];
        SeedFiles { kind, files }
    }

    fn nocloud_meta_data(&self) -> String {
        // A JSON string is a double-quoted YAML scalar, and no YAML parser takes it for a number.
        let quoted = |text: &str| Value::from(text).to_string();
        let mut yaml = format!("instance-id: {}\n", quoted(&self.instance_id()));
        if let Some(name) = &self.hostname {
            yaml += &format!("local-hostname: {}\n", quoted(name));
        }
        if !self.public_keys.is_empty() {
            yaml += "public-keys:\n";
        }
        for key in &self.public_keys {
            yaml += &format!("  - {}\n", quoted(key.line()));
        }
        yaml
    }

    fn openstack_meta_data(&self) -> String {
        let mut json = Map::new();
        json.insert("uuid".to_owned(), self.instance_id().into());
        if let Some(name) = &self.hostname {
            json.insert("hostname".to_owned(), name.as_str().into());
        }
        if !self.public_keys.is_empty() {
            let named = self.public_keys.iter().enumerate();
            let keys: Map<_, _> =
                named.map(|(i, key)| (format!("key-{i}"), key.line().into())).collect();
            json.insert("public_keys".to_owned(), keys.into());
        }
        format!("{}\n", Value::from(json))
    }
}

/// The files of a medium, ready to be written.
#[derive(Debug, Clone)]
pub struct SeedFiles {
    /// The kind, which decides the label.
    pub kind: Kind,
    /// The files, sorted by path.
    pub files: Vec<SeedFile>,
}

/// One file of a medium. Its `Debug` form shows the size, not the content.
#[derive(Clone)]
pub struct SeedFile {
    /// Path on the medium, parts joined by `/`.
    pub path: &'static str,
    /// The content.
    pub content: Vec<u8>,
}

impl fmt::Debug for SeedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.path, self.content.len())
    }
}

/// RFC 1123 2.1: labels of 1 to 63 letters, digits and inner hyphens, 253 bytes in all.
fn is_hostname(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENV: &[u8] = b"#cloud-config\nappliance: {domain: x.test, password: hunter2}\n";
    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ops \"team\"";

    fn seed() -> Seed {
        let keys = PublicKey::parse_file("k.pub", KEY).unwrap();
        Seed::new("env.yml", ENV.to_vec()).unwrap().with_public_keys(keys)
    }

    #[test]
    fn cidata_files() {
        let seed = seed().with_hostname("x.test").unwrap().with_instance_id("iid-1").unwrap();
        let files = seed.files(Kind::Cidata).files;
        let meta_data = String::from_utf8(files[0].content.clone()).unwrap();
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ops \\\"team\\\"";
        assert_eq!(
            meta_data,
            format!(
                "instance-id: \"iid-1\"\nlocal-hostname: \"x.test\"\npublic-keys:\n  - \"{key}\"\n"
            )
        );
        assert_eq!((files[1].path, &files[1].content[..]), ("user-data", ENV));
    }

    #[test]
    fn config_2_files() {
        let files = seed().files(Kind::Config2).files;
        let json: Value = serde_json::from_slice(&files[0].content).unwrap();
        assert_eq!(json["uuid"], seed().instance_id());
        assert_eq!(json["public_keys"]["key-0"], KEY);
        assert_eq!(files[1].path, "openstack/latest/user_data");
    }

    /// Upstream wrote a constant id, so a changed env was never taken (domain.md B08).
    #[test]
    fn instance_id_follows_every_input() {
        let base = seed().instance_id();
        assert_eq!(base, seed().instance_id());
        assert_eq!(base, "aaee91af-d6f0-5c51-94c5-3aa05cb945c9");
        let other_env = Seed::new("env.yml", b"#cloud-config\na: 2\n".to_vec()).unwrap();
        let ids = [
            base,
            other_env.instance_id(),
            seed().with_hostname("y").unwrap().instance_id(),
            Seed::new("env.yml", ENV.to_vec()).unwrap().instance_id(),
        ];
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len(), "{ids:?}");
    }

    #[test]
    fn a_key_given_twice_is_written_once() {
        let again = PublicKey::parse_file("k.pub", &KEY.replace("ops", "other comment")).unwrap();
        assert_eq!(seed().with_public_keys(again).instance_id(), seed().instance_id());
    }

    #[test]
    fn names_that_are_refused() {
        for name in ["", "-a", "a-", "a..b", "a_b", "ä", &"a".repeat(64)] {
            assert!(seed().with_hostname(name).is_err(), "{name:?}");
        }
        for id in ["", ".a", "a/b", "a b", "a\n", &"a".repeat(129)] {
            assert!(seed().with_instance_id(id).is_err(), "{id:?}");
        }
        assert_eq!(
            Seed::new("env.yml", b"a: 1\n".to_vec()).unwrap_err().to_string(),
            "env.yml:1:1: the first line must be `#cloud-config`, with nothing before it"
        );
    }

    #[test]
    fn debug_hides_the_user_data() {
        let shown = format!("{:?} {:?}", seed(), seed().files(Kind::Cidata));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
