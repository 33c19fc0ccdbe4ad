//! One site: its env, its medium, and the record that lets a later run keep them.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use bootwright_disk::Sha256;
use bootwright_export::folder::Folder;
use bootwright_seed::batch::{Row, Template, text_of};
use bootwright_seed::create::{Network, PublicKey, Seed};
use bootwright_seed::medium::{Filesystem, Kind, write};
use bootwright_seed::sealed::Recipient;
use serde::{Deserialize, Serialize};

use crate::cli::{Format, SeedBatch};
use crate::cmd::seed::{medium, read_text, recipients};

/// The env of a site, in its folder.
pub const ENV: &str = "env.yml";
/// The record of a site, in its folder.
const RECORD: &str = "seed.json";
/// What the record says of itself. A change makes every site be made anew.
const SCHEMA: &str = "bootwright.seed/1";

/// Whether a site was made.
pub enum State {
    /// By this run.
    Made(Record),
    /// By an earlier one, out of the same inputs.
    Kept(Record),
}

/// What is in a site's folder.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Record {
    schema: String,
    /// The site.
    pub site: String,
    /// Digest of everything that the site was made of.
    inputs: String,
    /// The instance-id on the medium.
    pub instance_id: String,
    /// The env.
    pub env: Entry,
    /// The medium.
    pub medium: Entry,
}

/// A file in a site's folder.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub file: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: String,
}

impl Entry {
    fn new(file: &str, content: &[u8]) -> Result<Self> {
        let sha256 = Sha256::of_reader(content).context("taking a digest")?.0.to_string();
        Ok(Self { file: file.to_owned(), size: content.len() as u64, sha256 })
    }

    /// Whether the file in `folder` is the one that was written.
    fn is_whole(&self, folder: &Path) -> bool {
        let content = std::fs::read(folder.join(&self.file));
        content.is_ok_and(|content| Self::new(&self.file, &content).is_ok_and(|own| own == *self))
    }
}

/// Makes sites: everything that they have in common.
pub struct Maker {
    template: Template,
    network: Option<Template>,
    keys: Vec<PublicKey>,
    vendor_data: Option<(String, Vec<u8>)>,
    recipients: Vec<Recipient>,
    kind: Kind,
    filesystem: Filesystem,
    format: Format,
    time: u64,
    out: PathBuf,
    update: bool,
    /// Digest of all of the above.
    common: Sha256,
}

impl Maker {
    /// Reads what the sites have in common.
    ///
    /// # Errors
    /// An input that cannot be used.
    pub fn new(arguments: &SeedBatch) -> Result<Self> {
        let mut inputs = format!("{SCHEMA} {:?}", arguments.medium);
        let mut text = |what: &'static str, path: &Path| {
            let read = read_text(what, path)?;
            inputs += &format!("\n{what} {}\n{}", read.1.len(), read.1);
            anyhow::Ok(read)
        };
        let parse = |(name, text): (String, String)| {
            Template::parse(&name, text).map_err(crate::exit::Unusable)
        };
        let template = parse(text("template", &arguments.template)?)?;
        let network = match &arguments.network_config {
            Some(path) => Some(parse(text("network template", path)?)?),
            None => None,
        };
        let mut keys = Vec::new();
        for path in &arguments.keys {
            let (name, text) = text("public key", path)?;
            keys.extend(PublicKey::parse_file(&name, &text)?);
        }
        let vendor_data = match &arguments.vendor_data {
            Some(path) => Some(text("vendor-data", path)?),
            None => None,
        };
        let recipients = recipients(&arguments.encrypt_to)?;
        let time = medium::time()?;
        inputs += &format!("\n{recipients:?} {time}");
        let common = Sha256::of_reader(inputs.as_bytes()).context("taking a digest")?.0;
        Ok(Self {
            template,
            network,
            keys,
            vendor_data: vendor_data.map(|(name, text)| (name, text.into_bytes())),
            recipients,
            kind: arguments.medium.kind.into(),
            filesystem: arguments.medium.container.into(),
            format: arguments.medium.format.unwrap_or(Format::Raw),
            time,
            out: arguments.out.clone(),
            update: arguments.update,
            common,
        })
    }

    /// Makes a site, or keeps what an earlier run made of the same inputs.
    ///
    /// # Errors
    /// What is wrong with the row or its env; a folder that was made of other inputs.
    pub fn make(&self, site: &str, row: &Row) -> Result<State> {
        let inputs = format!("{}\n{}", self.common, serde_json::to_string(row)?);
        let inputs = Sha256::of_reader(inputs.as_bytes()).context("taking a digest")?.0.to_string();
        let folder = self.out.join(site);
        let is_there = match self.record(&folder, &inputs) {
            Found::Whole(record) => return Ok(State::Kept(*record)),
            Found::Nothing => false,
            Found::Damaged => true,
            Found::Other if self.update => true,
            Found::Other => {
                return Err(anyhow!(
                    "{} was made of another row, template or options; give --update to make it anew, or remove it",
                    folder.display()
                ));
            }
        };
        let env = self.template.render(row).map_err(anyhow::Error::msg)?.into_bytes();
        let seed = self.seed(row, &env)?;
        let image = write::medium(&seed.files(self.kind), self.filesystem, self.time)?;
        let partial = Folder::create(&folder)?;
        partial.file(ENV, &env)?;
        let medium = self.medium(&partial, image)?;
        let record = Record {
            schema: SCHEMA.to_owned(),
            site: site.to_owned(),
            inputs,
            instance_id: seed.instance_id(),
            env: Entry::new(ENV, &env)?,
            medium,
        };
        partial.file(RECORD, (serde_json::to_string_pretty(&record)? + "\n").as_bytes())?;
        partial.publish(is_there)?;
        Ok(State::Made(record))
    }

    fn seed(&self, row: &Row, env: &[u8]) -> Result<Seed> {
        let field = |name| text_of(row, name).map_err(anyhow::Error::msg);
        let mut seed = Seed::new("the env", env.to_vec())?.with_public_keys(self.keys.clone());
        if let Some(name) = field("hostname")? {
            seed = seed.with_hostname(name)?;
        }
        if let Some(id) = field("instance_id")? {
            seed = seed.with_instance_id(id)?;
        }
        if let Some(template) = &self.network {
            let text = template.render(row).map_err(anyhow::Error::msg)?;
            let network = Network::parse("the network configuration", &text)?;
            seed = seed.with_network(&network, self.kind)?;
        }
        if let Some((name, content)) = &self.vendor_data {
            seed = seed.with_vendor_data(name, content.clone())?;
        }
        let mut recipients = self.recipients.clone();
        if let Some(text) = field("recipient")? {
            let own = Recipient::parse(text);
            recipients.push(own.ok_or_else(|| anyhow!("the field `recipient` has to be age1…"))?);
        }
        match recipients.is_empty() {
            true => Ok(seed),
            false => Ok(seed.sealed_to(&recipients)?),
        }
    }

    /// Writes the medium's file.
    fn medium(&self, folder: &Folder, image: Vec<u8>) -> Result<Entry> {
        let ending = match (self.format, self.filesystem) {
            (Format::Raw, Filesystem::Iso9660) => "iso",
            (Format::Raw, Filesystem::Vfat) => "img",
            (Format::Qcow2, _) => "qcow2",
            (Format::Vmdk, _) => "vmdk",
            (Format::Vhdx, _) => "vhdx",
        };
        let name = format!("seed.{ending}");
        if self.format == Format::Raw {
            folder.file(&name, &image)?;
            return Entry::new(&name, &image);
        }
        let finished = medium::write(&folder.partial().join(&name), image, self.format, false)?;
        Ok(Entry { file: name, size: finished.size, sha256: finished.sha256.to_string() })
    }

    /// What of the site is there.
    fn record(&self, folder: &Path, inputs: &str) -> Found {
        let text = match std::fs::read(folder.join(RECORD)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !folder.exists() => {
                return Found::Nothing;
            }
            // A folder that is not ours, or one that cannot be read.
            Err(_) => return Found::Other,
        };
        match serde_json::from_slice::<Record>(&text) {
            Ok(record) if record.inputs != inputs => Found::Other,
            Ok(record) if record.env.is_whole(folder) && record.medium.is_whole(folder) => {
                Found::Whole(Box::new(record))
            }
            // What a crash of the machine left, or somebody changed: the inputs make it anew.
            Ok(_) => Found::Damaged,
            Err(_) => Found::Other,
        }
    }
}

/// What is where a site's folder is to be.
enum Found {
    Nothing,
    Whole(Box<Record>),
    Damaged,
    Other,
}
