//! Whether a seed may become the env of this machine: is it sound, and is it allowed?

use std::fmt;
use std::io;
use std::path::Path;

use bootwright_seed::env::{self, Level, Schema};
use bootwright_seed::sealed::{self, Identity};
use bootwright_seed::yaml::tree::{Node, Value};
use sha2::{Digest, Sha256};

use crate::binding::Binding;
use crate::boot::chain;
use crate::config::{Config, Reseed};
use crate::root::Root;
use crate::signature;
use crate::sources::Offer;

/// What an env of this image has to look like, put there by whoever made the image.
const SCHEMA: &str = "/etc/bootwright/env.schema.yml";

/// An env that may be used.
#[derive(Clone)]
pub struct Env {
    /// The document. Secret.
    pub text: Vec<u8>,
    /// SHA-256 of it in hexadecimal digits.
    pub digest: String,
    /// Whether it says that the machine is to stand by.
    pub standby: bool,
    /// Whether it says that data has to be restored first.
    pub restore: bool,
    /// Its serial, if it has one.
    pub serial: Option<u64>,
    /// The encrypted form it came in.
    pub sealed: Option<Vec<u8>>,
    /// What the schema advises against.
    pub warnings: Vec<String>,
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Env({} bytes)", self.text.len())
    }
}

/// What is decided about a seed.
#[derive(Debug)]
pub enum Verdict {
    /// It is used.
    Use(Box<Env>),
    /// It is sound, but this machine may not take it; why.
    Refuse(String),
    /// It is unsound; what and where.
    Broken(String),
}

/// Decides about seeds for one machine.
pub struct Judge<'a> {
    root: &'a Root,
    config: &'a Config,
    binding: Option<Binding>,
}

impl<'a> Judge<'a> {
    /// Reads what the machine is bound to.
    ///
    /// # Errors
    /// The record of that cannot be read.
    pub fn new(root: &'a Root, config: &'a Config) -> Result<Self, String> {
        Ok(Self { root, config, binding: Binding::load(root)? })
    }

    /// One that knows no binding, for looking into an env that is active already.
    pub fn unbound(root: &'a Root, config: &'a Config) -> Self {
        Self { root, config, binding: None }
    }

    /// What the machine is bound to, whatever the policy makes of it.
    pub fn binding(&self) -> Option<&Binding> {
        self.binding.as_ref()
    }

    /// Whether the policy binds this machine to a seed it has had.
    pub fn is_bound(&self) -> bool {
        self.binding.is_some() && self.config.reseed != Reseed::Any
    }

    /// Decides about what a source offers.
    pub fn judge(&self, offer: &Offer) -> Verdict {
        let env = match self.env(&offer.file, &offer.user_data) {
            Ok(env) => env,
            Err(reason) => {
                return Verdict::Broken(format!(
                    "the user-data on {} cannot be used; correct it and make the seed anew: {reason}",
                    offer.place
                ));
            }
        };
        if offer.kind.is_own() {
            return Verdict::Use(Box::new(env));
        }
        match self.objection(offer, &env) {
            Some(reason) => Verdict::Refuse(reason),
            None => Verdict::Use(Box::new(env)),
        }
    }

    /// The env in a document, if it is sound; opened first if it is encrypted.
    ///
    /// # Errors
    /// What is wrong with it and where; no value of it is quoted.
    pub fn env(&self, file: &str, bytes: &[u8]) -> Result<Env, String> {
        let opened = match sealed::is_sealed(bytes) {
            true => Some(sealed::open(bytes, &self.identities()?).map_err(|error| chain(&error))?),
            false => None,
        };
        let text = opened.as_deref().unwrap_or(bytes);
        let parsed = env::Env::parse(file, text).map_err(|error| chain(&error))?;
        let warnings = self.against_schema(&parsed)?;
        Ok(Env {
            standby: is_true(&parsed.tree, &self.config.standby_key),
            restore: is_true(&parsed.tree, &self.config.restore_key),
            serial: signature::serial(&parsed.text),
            digest: hex(&Sha256::digest(text)),
            text: text.to_vec(),
            sealed: opened.is_some().then(|| bytes.to_vec()),
            warnings,
        })
    }

    /// The machine's private keys. A file that is missing is no error: the image says where
    /// keys may be, not that there are any.
    fn identities(&self) -> Result<Vec<Identity>, String> {
        let mut identities = Vec::new();
        for path in &self.config.identities {
            let name = path.display().to_string();
            if let Some(text) = read(self.root, path)? {
                let keys = Identity::parse_file(&name, &text).map_err(|error| chain(&error))?;
                identities.extend(keys);
            }
        }
        Ok(identities)
    }

    /// Checks an env against the image's schema, if it has one; gives the warnings.
    fn against_schema(&self, env: &env::Env) -> Result<Vec<String>, String> {
        let Some(text) = read(self.root, Path::new(SCHEMA))? else {
            return Ok(Vec::new());
        };
        let schema = Schema::parse(SCHEMA, text.as_bytes()).map_err(|error| {
            format!("the image's schema cannot be used, so no env can: {error}")
        })?;
        let findings = env::check(env, Some(&schema));
        let (errors, warnings): (Vec<_>, Vec<_>) =
            findings.iter().partition(|finding| finding.level == Level::Error);
        if errors.is_empty() {
            return Ok(warnings.iter().map(ToString::to_string).collect());
        }
        let more = match errors.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more; `bootwright env check` lists them"),
        };
        Err(format!("{}{more}", errors[0]))
    }

    /// Why the policy is against a seed.
    fn objection(&self, offer: &Offer, env: &Env) -> Option<String> {
        let binding = self.binding.as_ref();
        match self.config.reseed {
            Reseed::Any => None,
            Reseed::First => {
                let binding = binding.filter(|binding| binding.digest != env.digest)?;
                Some(format!(
                    "this machine is bound to its first seed, {} (reseed: first); as root run `bootwright-agent recover --unbind` on it to release it",
                    binding.describe()
                ))
            }
            Reseed::NewerSigned => {
                if let Err(reason) = self.signed(offer) {
                    return Some(format!("{reason} (reseed: newer-signed)"));
                }
                let binding = binding.filter(|binding| binding.digest != env.digest)?;
                let (old, new) = (binding.serial, env.serial);
                (new <= old).then(|| {
                    let show = |serial: Option<u64>| {
                        serial.map_or("no serial".to_owned(), |serial| format!("serial {serial}"))
                    };
                    format!(
                        "it has {} and this machine's seed has {}; raise the line `# serial: N` above its first key (reseed: newer-signed)",
                        show(new),
                        show(old)
                    )
                })
            }
        }
    }

    /// Checks the signature of a seed, made over the user-data as it is on the medium.
    fn signed(&self, offer: &Offer) -> Result<(), String> {
        let path = &self.config.signers;
        let signers = read(self.root, path)?.unwrap_or_default();
        let keys = signature::keys(&signers);
        if keys.is_empty() {
            return Err(format!("{} holds no ssh-ed25519 key", path.display()));
        }
        let signature =
            offer.signature.as_deref().ok_or_else(|| format!("{}.sig is missing", offer.file))?;
        signature::verify(signature, &offer.user_data, &keys).map_err(str::to_owned)
    }
}

/// A text file of the image's; `None` if it is not there.
fn read(root: &Root, path: &Path) -> Result<Option<String>, String> {
    match std::fs::read_to_string(root.at(path)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}

/// Whether the value of a dotted key is the text "true", in any case.
pub fn is_true(tree: &Node, key: &str) -> bool {
    let node = key.split('.').try_fold(tree, |node, name| node.get(name));
    match node.map(|node| &node.value) {
        Some(Value::Scalar { text, .. }) => text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truth_is_the_word_in_any_case_and_spelling() {
        let tree = |text: &str| Node::parse("e", text).unwrap();
        for text in ["a: {b: true}", "a: {b: \"True\"}", "a:\n  b: TRUE\n"] {
            assert!(is_true(&tree(text), "a.b"), "{text}");
        }
        for text in ["a: {b: yes}", "a: {b: 1}", "a: {b: }", "a: true", "a: {b: {c: true}}", "x: 1"]
        {
            assert!(!is_true(&tree(text), "a.b"), "{text}");
        }
    }
}
