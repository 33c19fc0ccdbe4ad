//! QEMU: boots an image with a seed and waits for its agent's report.
//!
//! [`boot`] is the whole flow: find QEMU and firmware, find out whether KVM works, describe
//! the machine as QEMU arguments, start it, read its console and its report port, power it
//! off. The image is never written to, and no process outlives the call.
//!
//! Everything that is read off the machine it runs on (`PATH`, the firmware's folder) comes
//! through [`Host`], so that a test can put something else there. Linux only.

mod accel;
mod boot;
mod console;
mod error;
mod event;
mod firmware;
mod guest;
mod hardware;
mod host;
mod lines;
mod machine;
mod port;
mod process;
mod qmp;
mod request;
mod scratch;
mod session;
mod symptom;

pub use accel::{Accelerator, Choice, Verdict, probe};
pub use boot::{BootOutcome, boot};
pub use console::Tail;
pub use error::{Class, Error, Result};
pub use event::Event;
pub use firmware::Flash;
pub use hardware::{Controller, Hypervisor};
pub use host::Host;
pub use request::{Arch, BootRequest, DiskFormat, Firmware};
