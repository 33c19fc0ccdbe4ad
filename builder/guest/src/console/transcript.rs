//! What a program or a guest said: its lines as they come, its last lines for an error.

use super::split::Splitter;
use super::tail::Tail;

/// Turns a byte stream into lines and keeps the last of them.
pub(crate) struct Transcript {
    splitter: Splitter,
    tail: Tail,
}

impl Transcript {
    /// A transcript that keeps `limit` lines.
    pub fn new(limit: usize) -> Self {
        Self { splitter: Splitter::default(), tail: Tail::new(limit) }
    }

    /// Takes bytes and gives the lines they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<String> {
        let lines = self.splitter.feed(bytes);
        for line in &lines {
            self.tail.push(line.clone());
        }
        lines
    }

    /// The line that has not ended yet.
    pub fn unfinished(&self) -> String {
        self.splitter.unfinished()
    }

    /// The last lines, the unfinished one included.
    pub fn tail(&self) -> Tail {
        let mut tail = self.tail.clone();
        let unfinished = self.unfinished();
        if !unfinished.trim().is_empty() {
            tail.push(unfinished);
        }
        tail
    }
}
