//! What a caller sees of work that takes time, and how it stops it.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Error, Result};

/// Something that the user may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// A stage begins.
    Stage(&'static str),
    /// So many bytes of the stage are done, of so many, if that is known.
    Bytes(u64, Option<u64>),
    /// Something worth a line of its own.
    Note(&'a str),
}

/// The caller's ears and its stop button.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Gets every event.
    pub tell: &'a dyn Fn(Event<'_>),
    /// Becomes true when the work is to stop.
    pub cancel: &'a AtomicBool,
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("cancel", &self.cancel).finish_non_exhaustive()
    }
}

impl Watch<'_> {
    pub(crate) fn tell(&self, event: Event<'_>) {
        (self.tell)(event);
    }

    pub(crate) fn note(&self, text: &str) {
        self.tell(Event::Note(text));
    }

    /// Fails once the user wants to stop.
    pub(crate) fn check(&self) -> Result<()> {
        if self.cancel.load(Ordering::Relaxed) { Err(Error::Cancelled) } else { Ok(()) }
    }
}
