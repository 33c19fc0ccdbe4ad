//! What every PDF reader has: Helvetica and Courier, in the WinAnsi encoding (ISO 32000-1,
//! annex D.2). Text beyond that encoding is written out as code points.

/// Advance widths of Helvetica from the blank to `~`, in thousandths of the size (Adobe's
/// Font Metrics, core 14).
const HELVETICA: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667,
    611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667,
    667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500,
    222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];
/// The characters of WinAnsi from 0x80 to 0x9F that are used here.
const UPPER: [(char, u8); 9] = [
    ('€', 0x80),
    ('…', 0x85),
    ('‘', 0x91),
    ('’', 0x92),
    ('“', 0x93),
    ('”', 0x94),
    ('•', 0x95),
    ('–', 0x96),
    ('—', 0x97),
];
/// Width of every character of Courier, in thousandths of the size.
pub const COURIER: f32 = 0.6;

/// The byte of a character, if the encoding has it.
fn byte(c: char) -> Option<u8> {
    match c {
        ' '..='~' | '\u{a1}'..='\u{ac}' | '\u{ae}'..='\u{ff}' => u8::try_from(u32::from(c)).ok(),
        _ => UPPER.iter().find(|(known, _)| *known == c).map(|(_, byte)| *byte),
    }
}

/// Text in the encoding.
pub fn encode(text: &str) -> Vec<u8> {
    text.chars().map(|c| byte(c).unwrap_or(b'?')).collect()
}

/// Text as it is listed: what cannot be printed, or is easily taken for something else, is
/// written as its code point.
pub fn listed(c: char) -> String {
    match byte(c) {
        // A raised dot stands for a trailing blank there.
        Some(_) if c != '\u{b7}' => c.to_string(),
        _ => format!("<U+{:04X}>", u32::from(c)),
    }
}

/// The width of a text in Helvetica of a size. Bold is a little wider.
pub fn width(text: &str, size: f32) -> f32 {
    let units: u32 = encode(text)
        .into_iter()
        .map(|b| {
            let index = usize::from(b).checked_sub(32);
            u32::from(index.and_then(|i| HELVETICA.get(i)).copied().unwrap_or(556))
        })
        .sum();
    units as f32 * size / 1000.0
}

/// Text in lines no wider than `room`.
pub fn wrapped(text: &str, size: f32, room: f32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line, size) + width(" ", size) + width(word, size) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
