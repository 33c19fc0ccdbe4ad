//! The pages with the codes: six on each, numbered.

use qrcode::{Color, EcLevel, QrCode};

use super::Picture;
use super::canvas::{ACCENT, Canvas, Font, HEIGHT, INK, LEFT, RIGHT, SOFT, Style};
use crate::env::paper::code::Codes;

/// Codes on a page.
pub const PER_PAGE: usize = 6;
/// Dots of white around a code, as QR wants them.
const QUIET: usize = 4;
/// The side of a code with its white, in points: 73 mm.
const SIDE: f32 = 208.0;
/// From the top of a row to the next.
const ROW: f32 = SIDE + 24.0;

pub fn pages(codes: &Codes) -> Vec<Canvas> {
    let total = codes.texts.len();
    let numbered: Vec<(usize, &String)> = codes.texts.iter().enumerate().collect();
    let pages = numbered.chunks(PER_PAGE).map(|on_page| {
        let mut page = Canvas::new();
        let (first, last) = (on_page.first().map_or(0, |c| c.0), on_page.last().map_or(0, |c| c.0));
        let title = match (first, last) {
            (first, last) if first == last => format!("Code {} of {total}", first + 1),
            (first, last) => format!("Codes {} to {} of {total}", first + 1, last + 1),
        };
        page.text(LEFT, HEIGHT - 56.0, &title, Style(Font::Bold, 15.0, ACCENT));
        let hint = "Scan this page; bootwright env recover, or any QR reader (page 1)";
        page.text_to(RIGHT, HEIGHT - 56.0, hint, Style(Font::Text, 9.0, SOFT));
        page.rule(HEIGHT - 66.0);
        for (slot, (index, text)) in on_page.iter().enumerate() {
            let (column, row) = (slot % 2, slot / 2);
            let x = if column == 0 { LEFT + 8.0 } else { RIGHT - 8.0 - SIDE };
            let top = HEIGHT - 76.0 - row as f32 * ROW;
            if let Some(picture) = picture(text) {
                page.picture(x, top - SIDE, SIDE, picture);
            }
            let y = top - SIDE - 7.0;
            let label = format!("{}", index + 1);
            page.text(x + 14.0, y, &label, Style(Font::Bold, 13.0, INK));
            let after = x + 19.0 + Font::Bold.width(&label, 13.0);
            let head = text.split(' ').next().unwrap_or_default();
            page.text(after, y, &format!("of {total}"), Style(Font::Text, 10.0, SOFT));
            page.text_to(x + SIDE - 14.0, y, head, Style(Font::Mono, 8.0, SOFT));
        }
        page
    });
    pages.collect()
}

/// A code as dots. The text always fits: its length is bounded.
fn picture(text: &str) -> Option<Picture> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let width = code.width();
    let side = width + 2 * QUIET;
    let row = side.div_ceil(8);
    let mut rows = vec![0xff; row * side];
    for (index, colour) in code.to_colors().into_iter().enumerate() {
        if colour == Color::Dark {
            let (x, y) = (index % width + QUIET, index / width + QUIET);
            rows[y * row + x / 8] &= !(0x80 >> (x % 8));
        }
    }
    Some(Picture { side, rows })
}
