//! Bases from a server with real layouts and real faults, on this machine.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

mod catalog;
mod keep;
mod site;
mod transfer;
