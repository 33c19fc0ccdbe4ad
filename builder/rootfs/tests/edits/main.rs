//! What every edit means, on small file systems and on the test bases, judged by the kernel
//! and the checkers of the file systems.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

#[path = "../common/mod.rs"]
mod common;

mod kernel;
mod kinds;
mod large;
mod mounts;
mod paths;
mod remains;
mod repeat;
mod room;
mod volumes;
