//! Makes the files of a seed: from an env and public keys to what a medium of a kind holds.
//!
//! Sources: cloud-init's `DataSourceNoCloud.py` (`meta-data` is YAML with `instance-id`,
//! `local-hostname` and `public-keys`, a list whose keys go to the default user) and
//! `sources/helpers/openstack.py` (`meta_data.json` with `uuid`, `hostname`, `public_keys`).

mod error;
mod files;
mod instance;
pub(crate) mod merge;
mod network;
pub mod presets;
mod renew;
mod ssh;

use std::borrow::Cow;
use std::fmt;

use crate::medium::Kind;
use crate::sealed::{self, Recipient};
use crate::userdata;
use crate::yaml::decode::DecodeError;
use crate::yaml::tree::{Node, Value};

pub use error::CreateError;
pub(crate) use files::json_of;
pub use files::{SeedFile, SeedFiles};
pub use network::{Network, StaticAddress};
pub use ssh::{KeyError, KeyProblem, PublicKey};

/// Longest instance-id taken from the operator, in bytes. cloud-init makes a directory of it.
const MAX_INSTANCE_ID: usize = 128;

/// What a seed says to a machine, before it takes the shape of a kind.
///
/// Its `Debug` form shows the size of the user-data, not its content.
#[derive(Clone)]
pub struct Seed {
    user_data: Vec<u8>,
    public_keys: Vec<PublicKey>,
    hostname: Option<String>,
    instance_id: Option<String>,
    /// More meta-data, a mapping.
    meta_data: Option<Node>,
    vendor_data: Option<String>,
    network: Option<NetworkFile>,
    /// Files that the kind does not know.
    more: Vec<SeedFile>,
}

/// A network configuration as a medium of one kind has it.
#[derive(Clone)]
struct NetworkFile {
    path: &'static str,
    content: String,
    /// As it was given, whatever the kind: the instance-id derives from it.
    text: String,
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seed")
            .field("user_data", &format_args!("{} bytes", self.user_data.len()))
            .field("public_keys", &self.public_keys)
            .field("hostname", &self.hostname)
            .field("instance_id", &self.instance_id)
            .finish_non_exhaustive()
    }
}

/// A document that is to be added, parsed, with what trees cannot keep refused.
///
/// # Errors
/// What is no YAML mapping, or uses tags, with its place.
pub fn addition(file: &str, text: &str) -> Result<Node, CreateError> {
    let node = Node::parse(file, text).map_err(CreateError::yaml)?;
    let mut at = node.at.clone();
    for (line, number) in text.lines().zip(1..) {
        if merge::is_tagged(line) {
            (at.line, at.column) = (number, 1);
            let problem =
                "a tag such as !!binary, which cannot be merged; write it into the env itself";
            return Err(DecodeError::new(&at, problem).into());
        }
    }
    match node.value {
        Value::Map(_) => Ok(node),
        other => {
            let problem = format!("{}, expected a mapping to add", other.describe());
            Err(DecodeError::new(&node.at, problem).into())
        }
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
        Ok(Self {
            user_data,
            public_keys: Vec::new(),
            hostname: None,
            instance_id: None,
            meta_data: None,
            vendor_data: None,
            network: None,
            more: Vec::new(),
        })
    }

    /// A seed of `user_data` with documents added to it (see [`addition`]): mappings merge,
    /// lists grow, `~` removes. What no addition names keeps its text.
    ///
    /// # Errors
    ///
    /// As [`Seed::new`], and what cannot be merged, with its place.
    pub fn merged(file: &str, user_data: &[u8], additions: Vec<Node>) -> Result<Self, CreateError> {
        let text = userdata::check(file, user_data)?;
        if additions.is_empty() {
            return Self::new(file, user_data.to_vec());
        }
        Self::new(file, merge::into_text(file, text, additions)?.into_bytes())
    }

    /// Encrypts the user-data to these recipients. The derived instance-id then follows the
    /// encrypted bytes, which differ from run to run: one of the content would let everybody
    /// who has the medium test guesses of it.
    ///
    /// # Errors
    ///
    /// [`CreateError::Sealed`].
    pub fn sealed_to(mut self, recipients: &[Recipient]) -> Result<Self, CreateError> {
        self.user_data = sealed::seal(&self.user_data, recipients)?;
        Ok(self)
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

    /// Adds meta-data: a mapping in the words of the medium's kind. An instance-id and a host
    /// name in it count as if they had been given by themselves.
    ///
    /// # Errors
    ///
    /// As [`addition`], [`Seed::with_hostname`] and [`Seed::with_instance_id`].
    pub fn with_meta_data(mut self, file: &str, text: &str) -> Result<Self, CreateError> {
        let mut node = addition(file, text)?;
        let mut take = |names: [&str; 2]| -> Result<Option<String>, CreateError> {
            let taken = names.into_iter().find_map(|name| node.take(name));
            Ok(taken.map(|value| value.decode::<String>()).transpose()?)
        };
        let (id, name) = (take(["instance-id", "uuid"])?, take(["local-hostname", "hostname"])?);
        match &mut self.meta_data {
            Some(known) => merge::merge(known, node),
            None => self.meta_data = Some(node),
        }
        if let Some(name) = name {
            self = self.with_hostname(&name)?;
        }
        match id {
            Some(id) => self.with_instance_id(&id),
            None => Ok(self),
        }
    }

    /// Sets the vendor-data, which cloud-init merges below the user-data.
    ///
    /// # Errors
    ///
    /// [`CreateError::File`] if it is empty or no text.
    pub fn with_vendor_data(mut self, file: &str, content: Vec<u8>) -> Result<Self, CreateError> {
        let fail = |what| CreateError::File { file: file.to_owned(), what };
        let text = String::from_utf8(content).map_err(|_| fail("not UTF-8 text"))?;
        if text.trim().is_empty() {
            return Err(fail("nothing in it"));
        }
        if text.starts_with(userdata::HEADER) {
            userdata::check(file, text.as_bytes())?;
        }
        self.vendor_data = Some(text);
        Ok(self)
    }

    /// Sets the network configuration. The seed is then for media of this kind alone.
    ///
    /// # Errors
    ///
    /// What a config-2 medium cannot say, with its place.
    pub fn with_network(mut self, network: &Network, kind: Kind) -> Result<Self, CreateError> {
        let text = network.text().to_owned();
        let (path, content) = match kind {
            Kind::Cidata => ("network-config", text.clone()),
            Kind::Config2 => ("openstack/latest/network_data.json", network.openstack()?),
        };
        self.network = Some(NetworkFile { path, content, text });
        Ok(self)
    }

    /// Adds a file that neither cloud-init nor the agent looks at, such as a printable copy.
    /// One that is at `path` already is replaced.
    #[must_use]
    pub fn with_file(mut self, path: impl Into<Cow<'static, str>>, content: Vec<u8>) -> Self {
        let path = path.into();
        self.more.retain(|file| file.path != path);
        self.more.push(SeedFile { path, content });
        self
    }

    /// The instance-id: the given one, or a UUID derived from everything else in the seed.
    ///
    /// cloud-init configures a machine anew when the id changes, so a changed seed takes effect
    /// and one that was merely written again does not. The id does not depend on the kind.
    #[must_use]
    pub fn instance_id(&self) -> String {
        self.instance_id.clone().unwrap_or_else(|| instance::derive(self))
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
    use serde_json::Value;

    use super::{Kind, PublicKey, Seed};

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
            format!("instance-id: iid-1\nlocal-hostname: x.test\npublic-keys:\n  - \"{key}\"\n")
        );
        assert_eq!((&*files[1].path, &files[1].content[..]), ("user-data", ENV));
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
