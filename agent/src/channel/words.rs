//! Makes text from a medium harmless on a terminal.

/// Longest value in the console line, in characters.
const LONGEST_WORD: usize = 128;
/// Longest text, in characters.
const LONGEST_PROSE: usize = 1000;

/// One word: visible ASCII only, so that `key=value` pairs stay apart.
pub fn word(text: &str) -> String {
    let visible = |c: char| if c.is_ascii_graphic() { c } else { '?' };
    text.chars().take(LONGEST_WORD).map(visible).collect()
}

/// A line of text: no control characters, escape sequences among them, and no characters that
/// change the direction of writing.
pub fn prose(text: &str) -> String {
    let harmless = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().take(LONGEST_PROSE).map(|c| if harmless(c) { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_not_driven() {
        assert_eq!(word("iid 1\u{1b}[2J\nä"), "iid?1?[2J??");
        assert_eq!(prose("a b\u{1b}[2J\r\n\u{9b}ä\u{202e}x"), "a b?[2J???ä?x");
        assert_eq!(word(&"x".repeat(500)).len(), LONGEST_WORD);
    }
}
