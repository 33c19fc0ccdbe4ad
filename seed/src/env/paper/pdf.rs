//! The pages: what this is and how to get it back, the codes, the listing.
//!
//! Reproducible: the bytes follow from the sheet and from nothing else.

mod canvas;
mod codes;
mod cover;
mod listing;

use pdf_writer::{Finish, Name, Pdf, Rect, Ref, TextStr};

use super::code::{Codes, TooLarge};
use canvas::{Canvas, Font, HEIGHT, WIDTH};

/// What is put on paper.
#[derive(Clone)]
pub struct Sheet<'a> {
    /// Whose env it is: its domain.
    pub name: &'a str,
    /// The name of the file.
    pub file: &'a str,
    /// When the paper was made, for people.
    pub made: &'a str,
    /// The env.
    pub text: &'a str,
}

impl std::fmt::Debug for Sheet<'_> {
    /// Without the env.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sheet").field("name", &self.name).field("file", &self.file).finish()
    }
}

/// A picture of a code, as it lies in the PDF.
struct Picture {
    side: usize,
    /// One bit a dot, white is 1, rows padded to bytes.
    rows: Vec<u8>,
}

/// The PDF of a sheet.
///
/// # Errors
/// [`TooLarge`] if the env does not fit on paper.
pub fn write(sheet: &Sheet<'_>) -> Result<Vec<u8>, TooLarge> {
    let codes = Codes::of(sheet.text.as_bytes())?;
    let mut pages = vec![cover::page(sheet, &codes)];
    pages.extend(codes::pages(&codes));
    pages.extend(listing::pages(sheet));
    let count = pages.len();
    for (index, page) in pages.iter_mut().enumerate() {
        page.footer(&format!("{}  ·  print {}", sheet.name, codes.set), index + 1, count);
    }
    Ok(document(sheet, pages))
}

/// Writes the objects of the PDF.
fn document(sheet: &Sheet<'_>, pages: Vec<Canvas>) -> Vec<u8> {
    let mut pdf = Pdf::new();
    let mut last = 0;
    let mut id = || {
        last += 1;
        Ref::new(last)
    };
    let (catalog, tree, info) = (id(), id(), id());
    let fonts = Font::ALL.map(|font| (font, id()));
    let numbered: Vec<(Ref, Ref, Canvas)> =
        pages.into_iter().map(|page| (id(), id(), page)).collect();
    pdf.catalog(catalog).pages(tree);
    let count = i32::try_from(numbered.len()).unwrap_or(i32::MAX);
    pdf.pages(tree).kids(numbered.iter().map(|(page, ..)| *page)).count(count);
    for (font, id) in fonts {
        let mut written = pdf.type1_font(id);
        written.base_font(Name(font.base().as_bytes()));
        written.encoding_predefined(Name(b"WinAnsiEncoding"));
    }
    for (page_id, content_id, canvas) in numbered {
        let (content, pictures) = canvas.finish();
        let pictures: Vec<(String, Ref, Picture)> = pictures
            .into_iter()
            .enumerate()
            .map(|(index, picture)| (format!("Q{index}"), id(), picture))
            .collect();
        let mut page = pdf.page(page_id);
        page.media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT)).parent(tree).contents(content_id);
        let mut resources = page.resources();
        let mut names = resources.fonts();
        for (font, id) in fonts {
            names.pair(Name(font.name().as_bytes()), id);
        }
        names.finish();
        let mut names = resources.x_objects();
        for (name, id, _) in &pictures {
            names.pair(Name(name.as_bytes()), *id);
        }
        names.finish();
        resources.finish();
        page.finish();
        pdf.stream(content_id, &content);
        for (_, id, picture) in &pictures {
            let side = i32::try_from(picture.side).unwrap_or(0);
            let mut image = pdf.image_xobject(*id, &picture.rows);
            image.width(side).height(side).bits_per_component(1).color_space().device_gray();
        }
    }
    pdf.document_info(info)
        .title(TextStr(&format!("{}: configuration and keys on paper", sheet.name)))
        .producer(TextStr("bootwright"));
    pdf.finish()
}
