//! Which seed the machine has had: the record that keeps another one from taking it over.
//!
//! It names the machine by the firmware's UUID, so that a copy of the disk on another machine
//! is bound to nothing.

use std::io;

use serde::{Deserialize, Serialize};

use crate::atomic;
use crate::boot::chain;
use crate::judge::Env;
use crate::root::Root;
use crate::sources::{Dmi, Offer};

/// Where the record is.
pub const PATH: &str = "/var/lib/bootwright/binding.json";
/// It holds a digest of secrets.
const MODE: u32 = 0o600;

/// The record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The firmware's UUID of the machine that was bound.
    machine: Option<String>,
    /// The kind of source.
    source: String,
    /// The instance-id that came with the seed.
    instance_id: Option<String>,
    /// SHA-256 of the env.
    pub digest: String,
    /// The env's serial.
    pub serial: Option<u64>,
}

impl Binding {
    /// The record of this machine, if it has one.
    ///
    /// # Errors
    /// The file is there and cannot be used. Taking it for missing would let any seed in.
    pub fn load(root: &Root) -> Result<Option<Self>, String> {
        let bytes = match std::fs::read(root.at(PATH)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{PATH} cannot be read: {error}")),
        };
        let binding: Self = serde_json::from_slice(&bytes).map_err(|error| {
            format!("{PATH} is no record of this agent ({error}); remove it if this machine may take any seed")
        })?;
        let machine = Dmi::read(root).uuid;
        let is_copy = binding.machine.is_some() && machine.is_some() && binding.machine != machine;
        Ok(Some(binding).filter(|_| !is_copy))
    }

    /// Records the seed that was used.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn store(root: &Root, offer: &Offer, env: &Env) -> Result<(), String> {
        let binding = Self {
            machine: Dmi::read(root).uuid,
            source: offer.kind.name().to_owned(),
            instance_id: offer.instance_id.clone(),
            digest: env.digest.clone(),
            serial: env.serial,
        };
        if Self::load(root) == Ok(Some(binding.clone())) {
            return Ok(());
        }
        let json = serde_json::to_vec(&binding).map_err(|error| error.to_string())?;
        atomic::write(&root.at(PATH), &json, MODE).map_err(|error| chain(&error))
    }

    /// Forgets the seed: the machine may take another one.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn remove(root: &Root) -> Result<(), String> {
        match std::fs::remove_file(root.at(PATH)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(format!("{PATH} cannot be removed: {error}"))
            }
            _ => Ok(()),
        }
    }

    /// The seed, for messages.
    pub fn describe(&self) -> String {
        match &self.instance_id {
            Some(id) => format!("{} with the instance-id {id}", self.source),
            None => self.source.clone(),
        }
    }
}
