//! Console bytes to lines of plain text: terminal control is understood only as far as
//! needed to leave it out.

/// Longest line that is kept together, in bytes; a longer one is broken.
const LINE_LIMIT: usize = 1024;

/// Splits a byte stream into lines, without control sequences and blank lines.
#[derive(Default)]
pub(super) struct Splitter {
    line: Vec<u8>,
    state: State,
}

#[derive(Default, Clone, Copy)]
enum State {
    #[default]
    Text,
    /// After ESC.
    Escape,
    /// In `ESC [ … final`.
    Control,
    /// In `ESC ] …`, ended by BEL or ESC and a backslash.
    Command,
    /// After ESC and one of the intermediates that take a byte more, such as `(`.
    Intermediate,
}

impl Splitter {
    /// Takes bytes and gives the lines they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for &byte in bytes {
            self.state = self.step(byte, &mut lines);
        }
        lines
    }

    /// The line that has not ended yet.
    pub fn unfinished(&self) -> String {
        String::from_utf8_lossy(&self.line).into_owned()
    }

    fn step(&mut self, byte: u8, lines: &mut Vec<String>) -> State {
        match (self.state, byte) {
            (_, 0x1b) => State::Escape,
            (State::Text, _) => {
                self.text(byte, lines);
                State::Text
            }
            (State::Escape, b'[') => State::Control,
            (State::Escape, b']') => State::Command,
            (State::Escape, b' '..=b'/') => State::Intermediate,
            (State::Control, b'H' | b'f') => {
                // The cursor goes elsewhere, which firmware does instead of ending lines.
                self.finish(lines);
                State::Text
            }
            (State::Control, 0x40..=0x7e) | (State::Command, 0x07) => State::Text,
            (State::Control | State::Command, _) => self.state,
            (State::Escape | State::Intermediate, _) => State::Text,
        }
    }

    fn text(&mut self, byte: u8, lines: &mut Vec<String>) {
        match byte {
            // A lone carriage return starts the line anew (progress displays): a line too.
            b'\n' | b'\r' => self.finish(lines),
            b'\t' => self.line.push(b' '),
            0..=0x1f | 0x7f => {}
            _ => self.line.push(byte),
        }
        if self.line.len() >= LINE_LIMIT {
            self.finish(lines);
        }
    }

    fn finish(&mut self, lines: &mut Vec<String>) {
        let line = String::from_utf8_lossy(&self.line);
        let line = line.trim_end();
        if !line.is_empty() {
            lines.push(line.to_owned());
        }
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{LINE_LIMIT, Splitter};

    #[test]
    fn ends_of_lines_of_every_kind() {
        assert_eq!(
            Splitter::default().feed(b"a\nb\r\nc\rd\n\r\n  \ne\n"),
            ["a", "b", "c", "d", "e"]
        );
    }

    #[test]
    fn control_sequences_are_left_out() {
        let input = b"\x1b[2J\x1b[01;01H\x1b[0m[\x1b[0;32m  OK  \x1b[0m] Started \x1b]0;title\x07x\x1b(By\x08\n";
        assert_eq!(Splitter::default().feed(input), ["[  OK  ] Started xy"]);
    }

    #[test]
    fn a_cursor_that_moves_ends_the_line() {
        assert_eq!(Splitter::default().feed(b"one\x1b[2;1Htwo\n"), ["one", "two"]);
    }

    #[test]
    fn sequences_may_be_cut_anywhere() {
        let mut splitter = Splitter::default();
        let lines: Vec<_> = b"\x1b]8;;x\x1b\\a\x1b[1;31mb\r\n"
            .iter()
            .flat_map(|byte| splitter.feed(&[*byte]))
            .collect();
        assert_eq!(lines, ["ab"]);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(Splitter::default().feed(b"\xff\xfe ok\n"), ["\u{fffd}\u{fffd} ok"]);
    }

    #[test]
    fn endless_lines_are_broken() {
        let mut splitter = Splitter::default();
        let lines = splitter.feed(&vec![b'x'; 2 * LINE_LIMIT + 1]);
        assert_eq!(lines.len(), 2);
        assert_eq!(splitter.unfinished(), "x");
    }
}
