//! The agent that travels inside the tool.

use std::path::Path;

use anyhow::Result;

use crate::exit::Unreadable;

/// The agent for amd64 guests, made by this package's build script.
static AMD64: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/agent-amd64"));
/// Its systemd unit.
pub const UNIT: &str = include_str!("../../agent/install/bootwright-agent.service");
/// Its configuration with every key explained and at its default.
pub const CONFIG: &str = include_str!("../../agent/install/agent.yml");

/// The agent to install: the file given, or the one inside the tool.
///
/// # Errors
/// A file that cannot be read.
pub fn binary(given: Option<&Path>) -> Result<Vec<u8>> {
    match given {
        Some(path) => Ok(Unreadable::read("agent", path)?),
        None => Ok(AMD64.to_vec()),
    }
}
