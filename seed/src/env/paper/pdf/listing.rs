//! The pages with the listing: every line with its number, nothing left out.

use super::Sheet;
use super::canvas::{ACCENT, BOTTOM, Canvas, Font, HEIGHT, INK, LEFT, RIGHT, SOFT, Style};
use crate::env::paper::font;

const SIZE: f32 = 8.0;
const STEP: f32 = 10.0;
/// Room for the numbers.
const GUTTER: f32 = 34.0;

pub fn pages(sheet: &Sheet<'_>) -> Vec<Canvas> {
    let columns = ((RIGHT - LEFT - GUTTER) / (SIZE * font::COURIER)) as usize;
    let mut pages = Vec::new();
    let mut page = start(sheet);
    for (index, line) in sheet.text.split_inclusive('\n').enumerate() {
        for (part, text) in parts(line, columns).iter().enumerate() {
            if page.y - STEP < BOTTOM {
                pages.push(std::mem::replace(&mut page, start(sheet)));
            }
            page.y -= STEP;
            let margin = if part == 0 { (index + 1).to_string() } else { "»".to_owned() };
            page.text_to(LEFT + GUTTER - 9.0, page.y, &margin, Style(Font::Mono, 7.0, SOFT));
            page.text(LEFT + GUTTER, page.y, text, Style(Font::Mono, SIZE, INK));
        }
    }
    let y = page.y - STEP - 4.0;
    let end = if sheet.text.ends_with('\n') {
        "end of the file"
    } else {
        "end of the file, without a line end"
    };
    page.text(LEFT + GUTTER, y.max(BOTTOM - 8.0), end, Style(Font::Text, 8.0, SOFT));
    pages.push(page);
    pages
}

fn start(sheet: &Sheet<'_>) -> Canvas {
    let mut page = Canvas::new();
    page.text(LEFT, HEIGHT - 56.0, "Listing", Style(Font::Bold, 15.0, ACCENT));
    page.text_to(RIGHT, HEIGHT - 56.0, sheet.file, Style(Font::Text, 9.0, SOFT));
    page.rule(HEIGHT - 66.0);
    page.y = HEIGHT - 72.0;
    page
}

/// A line in parts of a page's width; at least one.
fn parts(line: &str, columns: usize) -> Vec<String> {
    let bare = line.strip_suffix('\n').unwrap_or(line);
    let text = bare.trim_end_matches(' ');
    let blanks = bare.len() - text.len();
    let pieces = text.chars().map(font::listed).chain(std::iter::repeat_n("·".to_owned(), blanks));
    let mut parts = vec![String::new()];
    let mut used = 0;
    for piece in pieces {
        let width = piece.chars().count();
        if used + width > columns {
            parts.push(String::new());
            used = 0;
        }
        used += width;
        if let Some(part) = parts.last_mut() {
            part.push_str(&piece);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_in_the_listing() {
        assert_eq!(parts("abc\n", 10), ["abc"]);
        assert_eq!(parts("\n", 10), [""]);
        assert_eq!(parts("a  \n", 10), ["a··"]);
        assert_eq!(parts("a\tb\u{b7}\r\n", 10), ["a<U+0009>b", "<U+00B7>", "<U+000D>"]);
        assert_eq!(parts("Österreich", 4), ["Öste", "rrei", "ch"]);
        assert_eq!(parts("漢", 10), ["<U+6F22>"]);
    }
}
