//! What a boot tells while it runs, for progress and logs.

use bootwright_seed::report::Report;

use crate::accel::Choice;

/// A step of a boot. Handlers are called on the thread that boots, so they should be quick.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A tiny guest is run to see whether KVM works; takes a second or less where it does,
    /// and at most five.
    Probing,
    /// What runs the guest's code, and why.
    Accelerator(&'a Choice),
    /// QEMU runs.
    Started,
    /// Bytes from the serial console as they came, control sequences included.
    ConsoleBytes(&'a [u8]),
    /// A line of the serial console, control sequences and blank lines left out.
    ConsoleLine(&'a str),
    /// The agent reported.
    Reported(&'a Report),
    /// The guest has been asked to power off.
    PoweringOff,
}
