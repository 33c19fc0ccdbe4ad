//! The last lines of something that talks much.

use std::collections::VecDeque;
use std::fmt;

/// The last lines of a console or of a program's standard error.
#[derive(Debug, Clone)]
pub struct Tail {
    lines: VecDeque<String>,
    limit: usize,
}

impl Tail {
    /// An empty tail that keeps `limit` lines.
    pub(crate) fn new(limit: usize) -> Self {
        Self { lines: VecDeque::with_capacity(limit), limit }
    }

    /// Adds a line, at the cost of the oldest.
    pub(crate) fn push(&mut self, line: String) {
        if self.lines.len() == self.limit {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// The lines, oldest first.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }
}

impl fmt::Display for Tail {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lines.is_empty() {
            return out.write_str("  | (nothing)");
        }
        for (index, line) in self.lines.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(out, "{separator}  | {line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Tail;

    #[test]
    fn the_oldest_goes_first() {
        let mut tail = Tail::new(2);
        assert_eq!(tail.to_string(), "  | (nothing)");
        for line in ["one", "two", "three"] {
            tail.push(line.to_owned());
        }
        assert_eq!(tail.to_string(), "  | two\n  | three");
    }
}
