//! What is on a seed medium, fit to be shown: secrets are masked.

mod mask;

use std::io::{Read, Seek};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::create::SeedFile;
use crate::medium::read::{every_file, identify};
use crate::medium::{Kind, ReadError, names};
use crate::yaml::emit::document;
use crate::yaml::tree::{Node, Value};
use crate::{sealed, userdata};

/// A medium, looked at as a whole. Holds secrets until [`Medium::inspect`] masks them.
#[derive(Debug, Clone)]
pub struct Medium {
    /// Its file system.
    pub filesystem: &'static str,
    /// Its labels, the most authoritative first.
    pub labels: Vec<String>,
    /// The kind of seed that a label promises.
    pub kind: Option<Kind>,
    /// Every file.
    pub files: Vec<SeedFile>,
}

/// What is on a medium, for people and (as JSON) for programs.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// The file system.
    pub filesystem: &'static str,
    /// Its labels, the most authoritative first.
    pub labels: Vec<String>,
    /// The kind of seed, if a label promises one.
    pub kind: Option<&'static str>,
    /// The instance-id.
    pub instance_id: Option<String>,
    /// The host name.
    pub hostname: Option<String>,
    /// Public keys in the meta-data.
    pub public_keys: Vec<String>,
    /// The kind of the user-data.
    pub user_data_type: Option<&'static str>,
    /// Texts on the medium, masked.
    pub texts: Vec<Text>,
    /// Every file.
    pub files: Vec<File>,
}

/// A document on a medium, without its secrets and comments.
#[derive(Debug, Clone, Serialize)]
pub struct Text {
    /// Its path.
    pub path: String,
    /// Its masked form.
    pub masked: String,
}

/// A file on a medium.
#[derive(Debug, Clone, Serialize)]
pub struct File {
    /// Its path, spelled as on the medium.
    pub path: String,
    /// Its size in bytes.
    pub size: usize,
    /// Its digest, in hex. None for what may be short and secret.
    pub sha256: Option<String>,
}

impl Medium {
    /// Reads all of a medium. `Ok(None)`: neither ISO 9660 nor FAT.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn read<R: Read + Seek>(mut device: R) -> Result<Option<Self>, ReadError> {
        let Some(identity) = identify(&mut device)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            filesystem: identity.filesystem.name(),
            labels: identity.labels,
            kind: identity.kind,
            files: every_file(device)?,
        }))
    }

    /// The file at `path`, exactly or as ISO 9660 mangles its name.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&SeedFile> {
        let listed: Vec<String> = self.files.iter().map(|file| file.path.to_string()).collect();
        let matches = |known: &str| {
            known.split('/').count() == path.split('/').count()
                && known.split('/').zip(path.split('/')).all(|(known, wanted)| {
                    matches!(names::find(wanted, &[known.to_owned()]), names::Match::One(_))
                })
        };
        let exact = listed.iter().position(|known| known == path);
        let index = exact.or_else(|| listed.iter().position(|known| matches(known)))?;
        self.files.get(index)
    }

    /// The meta-data as a tree, if it is one.
    #[must_use]
    pub fn meta_data(&self) -> Option<Node> {
        let file = self.file(self.kind?.meta_data())?;
        // JSON is YAML as well.
        Node::parse(&file.path, std::str::from_utf8(&file.content).ok()?).ok()
    }

    /// What may be shown of the medium.
    #[must_use]
    pub fn inspect(&self) -> Inspection {
        let meta_data = self.meta_data();
        let word = |names: [&str; 2]| {
            let node = names.iter().find_map(|name| meta_data.as_ref()?.get(name))?;
            node.decode::<String>().ok()
        };
        let user_data = self.kind.and_then(|kind| self.file(kind.user_data()));
        let files = self.files.iter().map(|file| File {
            path: file.path.to_string(),
            size: file.content.len(),
            // The digest of a short secret is a way to guess it.
            sha256: (!self.is_secret(file)).then(|| hex(&Sha256::digest(&file.content))),
        });
        Inspection {
            filesystem: self.filesystem,
            labels: self.labels.clone(),
            kind: self.kind.map(Kind::name),
            instance_id: word(["instance-id", "uuid"]),
            hostname: word(["local-hostname", "hostname"]),
            public_keys: meta_data.as_ref().map(public_keys).unwrap_or_default(),
            user_data_type: user_data.map(|file| type_of(&file.content)),
            texts: self.files.iter().filter_map(|file| self.text(file)).collect(),
            files: files.collect(),
        }
    }

    fn is_secret(&self, file: &SeedFile) -> bool {
        let user_data = self.kind.and_then(|kind| self.file(kind.user_data()));
        user_data
            .is_some_and(|secret| secret.path == file.path && !sealed::is_sealed(&file.content))
    }

    /// The masked form of a document of YAML or JSON.
    fn text(&self, file: &SeedFile) -> Option<Text> {
        let kind = self.kind?;
        let known = [kind.user_data(), kind.meta_data()];
        let mut known = known.iter().chain(kind.optional());
        known.find(|path| self.file(path).is_some_and(|found| found.path == file.path))?;
        let text = std::str::from_utf8(&file.content).ok()?;
        let is_document = text.starts_with(userdata::HEADER)
            || (file.path != kind.user_data() && !text.starts_with("#!"));
        let mut node = Node::parse(&file.path, text).ok().filter(|_| is_document)?;
        if !matches!(node.value, Value::Map(_) | Value::List(_)) {
            return None;
        }
        mask::mask(&mut node);
        Some(Text { path: file.path.to_string(), masked: document(&node) })
    }
}

fn public_keys(meta_data: &Node) -> Vec<String> {
    let found = ["public-keys", "public_keys"].iter().find_map(|name| meta_data.get(name));
    let items: Vec<&Node> = match found.map(|node| &node.value) {
        Some(Value::List(items)) => items.iter().collect(),
        Some(Value::Map(entries)) => entries.iter().map(|(_, node)| node).collect(),
        _ => Vec::new(),
    };
    items.into_iter().filter_map(|node| node.decode().ok()).collect()
}

/// What cloud-init would take user-data for, by its first bytes.
#[must_use]
pub fn type_of(user_data: &[u8]) -> &'static str {
    let starts = |text: &str| user_data.starts_with(text.as_bytes());
    if user_data.iter().all(u8::is_ascii_whitespace) {
        "empty"
    } else if sealed::is_sealed(user_data) {
        "encrypted (age)"
    } else if user_data.starts_with(&[0x1f, 0x8b]) {
        "gzip"
    } else if starts(userdata::HEADER) {
        "cloud-config"
    } else if starts("#!") {
        "script"
    } else if starts("#include") {
        "include"
    } else if starts("## template: jinja") {
        "jinja template"
    } else if starts("Content-Type:") || starts("MIME-Version:") {
        "MIME parts"
    } else if serde_json::from_slice::<serde_json::Value>(user_data)
        .is_ok_and(|json| json.get("ignition").is_some())
    {
        "ignition"
    } else {
        "unknown"
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
