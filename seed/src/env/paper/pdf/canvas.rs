//! A page under way: text, lines, boxes and pictures, from the top down.

use pdf_writer::{Content, Name, Str};

use super::Picture;
use crate::env::paper::font;

/// A4, in points.
pub const WIDTH: f32 = 595.28;
pub const HEIGHT: f32 = 841.89;
/// Where the text begins and ends.
pub const LEFT: f32 = 48.0;
pub const RIGHT: f32 = WIDTH - 48.0;
/// The lowest line above the footer.
pub const BOTTOM: f32 = 56.0;

/// A colour, red, green and blue from 0 to 1.
pub type Colour = [f32; 3];
pub const INK: Colour = [0.11, 0.13, 0.17];
pub const SOFT: Colour = [0.42, 0.45, 0.5];
pub const ACCENT: Colour = [0.04, 0.36, 0.42];
pub const RULE: Colour = [0.8, 0.82, 0.85];
pub const TINT: Colour = [0.95, 0.96, 0.97];
pub const WARM: Colour = [1.0, 0.955, 0.87];
pub const AMBER: Colour = [0.85, 0.55, 0.1];
pub const WHITE: Colour = [1.0, 1.0, 1.0];

/// The fonts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Font {
    Text,
    Bold,
    Mono,
}

impl Font {
    pub const ALL: [Self; 3] = [Self::Text, Self::Bold, Self::Mono];

    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "F1",
            Self::Bold => "F2",
            Self::Mono => "F3",
        }
    }

    pub fn base(self) -> &'static str {
        match self {
            Self::Text => "Helvetica",
            Self::Bold => "Helvetica-Bold",
            Self::Mono => "Courier",
        }
    }

    pub fn width(self, text: &str, size: f32) -> f32 {
        match self {
            Self::Text => font::width(text, size),
            // The widest of its letters are some 8 per cent wider.
            Self::Bold => font::width(text, size) * 1.07,
            Self::Mono => text.chars().count() as f32 * size * font::COURIER,
        }
    }
}

/// How text looks.
#[derive(Debug, Clone, Copy)]
pub struct Style(pub Font, pub f32, pub Colour);

/// A page.
pub struct Canvas {
    content: Content,
    pictures: Vec<Picture>,
    /// How far down the page is full: the y of the last line.
    pub y: f32,
}

impl Canvas {
    pub fn new() -> Self {
        Self { content: Content::new(), pictures: Vec::new(), y: HEIGHT - 48.0 }
    }

    pub fn text(&mut self, x: f32, y: f32, text: &str, Style(font, size, [r, g, b]): Style) {
        self.content.set_fill_rgb(r, g, b);
        self.content
            .begin_text()
            .set_font(Name(font.name().as_bytes()), size)
            .next_line(x, y)
            .show(Str(&font::encode(text)))
            .end_text();
    }

    /// Text that ends at `x`.
    pub fn text_to(&mut self, x: f32, y: f32, text: &str, style: Style) {
        self.text(x - style.0.width(text, style.1), y, text, style);
    }

    /// A paragraph below what is there, in lines of `step`, from `x` on.
    pub fn paragraph(&mut self, x: f32, step: f32, text: &str, style: Style) {
        for line in font::wrapped(text, style.1, RIGHT - x) {
            self.y -= step;
            self.text(x, self.y, &line, style);
        }
    }

    pub fn boxed(&mut self, x: f32, y: f32, (width, height): (f32, f32), [r, g, b]: Colour) {
        self.content.set_fill_rgb(r, g, b).rect(x, y, width, height).fill_nonzero();
    }

    pub fn rule(&mut self, y: f32) {
        self.boxed(LEFT, y, (RIGHT - LEFT, 0.6), RULE);
    }

    /// A heading with room above.
    pub fn heading(&mut self, text: &str) {
        self.y -= 27.0;
        self.text(LEFT, self.y, text, Style(Font::Bold, 12.5, ACCENT));
        self.y -= 3.0;
    }

    /// A square picture whose lower left corner is at `(x, y)`.
    pub fn picture(&mut self, x: f32, y: f32, side: f32, picture: Picture) {
        let name = format!("Q{}", self.pictures.len());
        self.content.save_state().transform([side, 0.0, 0.0, side, x, y]);
        self.content.x_object(Name(name.as_bytes())).restore_state();
        self.pictures.push(picture);
    }

    pub fn footer(&mut self, text: &str, page: usize, of: usize) {
        self.rule(40.0);
        let style = Style(Font::Text, 8.0, SOFT);
        self.text(LEFT, 28.0, text, style);
        self.text_to(RIGHT, 28.0, &format!("page {page} of {of}"), style);
    }

    /// The page's operators and its pictures.
    pub fn finish(self) -> (Vec<u8>, Vec<Picture>) {
        (self.content.finish().to_vec(), self.pictures)
    }
}
