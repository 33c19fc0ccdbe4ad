//! Seed media and env documents, written on the operator's side and read in the guest.
//!
//! The agent depends on the reading half alone (`default-features = false`); the feature
//! `write` adds what only the operator's side needs, `sealed` opening encrypted user-data.
//!
//! The way of an env: [`userdata`] checks it, `create` makes the files of a seed out of it,
//! `medium::write` puts them on a medium; in the guest [`medium::probe`] recognises that
//! medium, [`medium::read`] gives the files back and [`userdata`] checks again. [`report`] is
//! what the agent says about the outcome.

#[cfg(feature = "write")]
pub mod create;
pub mod env;
pub mod medium;
pub mod report;
#[cfg(feature = "sealed")]
pub mod sealed;
pub mod userdata;
pub mod yaml;
