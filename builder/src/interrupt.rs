//! Ctrl-C and its like: the first asks everything to stop, the second ends the process.

use std::sync::atomic::{AtomicBool, Ordering};

/// Exit code of a process that was interrupted.
pub const EXIT_CODE: u8 = 130;

static CANCEL: AtomicBool = AtomicBool::new(false);

/// Catches interrupts from now on.
pub fn install() {
    // Without a handler an interrupt ends the process, which is safe too: outputs have no
    // name until they are complete.
    let _ = ctrlc::set_handler(|| {
        if CANCEL.swap(true, Ordering::Relaxed) {
            std::process::exit(EXIT_CODE.into());
        }
    });
}

/// Becomes true when the user wants to stop.
pub fn flag() -> &'static AtomicBool {
    &CANCEL
}

/// Whether the user wants to stop.
pub fn is_set() -> bool {
    CANCEL.load(Ordering::Relaxed)
}
