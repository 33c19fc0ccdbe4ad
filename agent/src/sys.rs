//! Requests to the kernel that have no safe form in any library: opening the tray of a CD drive.

#![allow(unsafe_code, reason = "the one file of the agent that may; docs/architecture.md says so")]

use std::fs::File;
use std::io;

use rustix::ioctl::{IntegerSetter, NoArg, Opcode, ioctl};

/// From the kernel's uapi/linux/cdrom.h.
const CDROM_LOCKDOOR: Opcode = 0x5329;
const CDROMEJECT: Opcode = 0x5309;

/// Ejects the disc.
pub fn eject(drive: &File) -> io::Result<()> {
    // The kernel locks the door while somebody has the drive open with checks; a drive that
    // cannot be unlocked is tried all the same.
    // SAFETY: CDROM_LOCKDOOR takes an integer and no pointer.
    let unlock = unsafe { IntegerSetter::<CDROM_LOCKDOOR>::new_usize(0) };
    // SAFETY: the pattern fits the request, and the descriptor is open while it is borrowed.
    let _ = unsafe { ioctl(drive, unlock) };
    // SAFETY: CDROMEJECT takes no argument.
    let eject = unsafe { NoArg::<CDROMEJECT>::new() };
    // SAFETY: as above.
    Ok(unsafe { ioctl(drive, eject) }?)
}
