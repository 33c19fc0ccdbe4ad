//! The steps of a profile, on the test bases and beside the tools they stand in for.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

#[path = "../common/mod.rs"]
mod common;

mod agent;
mod cmdline;
mod generalise;
mod overlay;
mod units;
mod users;
