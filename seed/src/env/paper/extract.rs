//! Pictures out of a PDF: the codes of our own, the pages of one that a scanner made.

use image::GrayImage;
use lopdf::{Dictionary, Document, Object, Stream};

use super::scan;

/// Most pictures that are looked at, and the largest of them once unpacked.
const MOST: usize = 2000;
const LARGEST: usize = 1 << 30;

/// Why a PDF gives no pictures.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// It cannot be read.
    #[error("no PDF that can be read")]
    Malformed(#[from] lopdf::Error),
    /// It wants a password.
    #[error("the PDF is encrypted; print it into a new one without a password")]
    Encrypted,
    /// Its pages hold no pictures of a kind that is read here.
    #[error(
        "the PDF holds no picture that can be read here{0}; make some of its pages (pdftoppm -r 300 -png FILE page) and give those"
    )]
    NoPictures(String),
}

/// The pictures of a PDF, in the order of its objects.
///
/// # Errors
/// See [`ExtractError`].
pub fn pictures(pdf: &[u8]) -> Result<Vec<GrayImage>, ExtractError> {
    let document = Document::load_mem(pdf)?;
    if document.is_encrypted() {
        return Err(ExtractError::Encrypted);
    }
    let mut pictures = Vec::new();
    let mut strange = Vec::new();
    let streams = document.objects.values().filter_map(|object| object.as_stream().ok());
    let images = streams.filter(|stream| name(&document, &stream.dict, b"Subtype") == "Image");
    for stream in images.take(MOST) {
        match picture(&document, stream) {
            Some(picture) => pictures.push(picture),
            None => strange.push(filters(&document, &stream.dict).join("+")),
        }
    }
    if pictures.is_empty() {
        strange.dedup();
        let kinds =
            if strange.is_empty() { String::new() } else { format!(" ({})", strange.join(", ")) };
        return Err(ExtractError::NoPictures(kinds));
    }
    Ok(pictures)
}

fn entry<'a>(document: &'a Document, dict: &'a Dictionary, key: &[u8]) -> Option<&'a Object> {
    let object = dict.get(key).ok()?;
    document.dereference(object).ok().map(|(_, object)| object)
}

fn name(document: &Document, dict: &Dictionary, key: &[u8]) -> String {
    let name = entry(document, dict, key).and_then(|object| object.as_name().ok());
    String::from_utf8_lossy(name.unwrap_or_default()).into_owned()
}

fn number(document: &Document, dict: &Dictionary, key: &[u8]) -> Option<usize> {
    entry(document, dict, key)?.as_i64().ok().and_then(|number| usize::try_from(number).ok())
}

fn filters(document: &Document, dict: &Dictionary) -> Vec<String> {
    let text =
        |object: &Object| object.as_name().ok().map(|n| String::from_utf8_lossy(n).into_owned());
    match entry(document, dict, b"Filter") {
        Some(Object::Array(filters)) => filters.iter().filter_map(text).collect(),
        Some(filter) => text(filter).into_iter().collect(),
        None => Vec::new(),
    }
}

fn picture(document: &Document, stream: &Stream) -> Option<GrayImage> {
    match &filters(document, &stream.dict)[..] {
        [last] if last == "DCTDecode" => scan::picture(&stream.content).ok(),
        [] => samples(document, &stream.dict, &stream.content),
        [only] if only == "FlateDecode" => {
            let content = stream.decompressed_content_with_limit(LARGEST).ok()?;
            samples(document, &stream.dict, &content)
        }
        _ => None,
    }
}

/// Samples as they lie in memory: 1 or 8 bits, grey or RGB.
fn samples(document: &Document, dict: &Dictionary, content: &[u8]) -> Option<GrayImage> {
    let width = number(document, dict, b"Width")?;
    let height = number(document, dict, b"Height")?;
    let bits = number(document, dict, b"BitsPerComponent").unwrap_or(1);
    let channels = channels(document, dict)?;
    let row = width.checked_mul(channels)?.checked_mul(bits)?.div_ceil(8);
    if row == 0 || row.checked_mul(height)? > content.len() {
        return None;
    }
    let inverted = match entry(document, dict, b"Decode") {
        Some(Object::Array(range)) => {
            range.first().and_then(|low| low.as_float().ok()) == Some(1.0)
        }
        _ => false,
    };
    let grey = |x: usize, y: usize| -> Option<u8> {
        let line = content.get(y * row..(y + 1) * row)?;
        let value = match (bits, channels) {
            (1, 1) => (line.get(x / 8)? >> (7 - x % 8) & 1) * 255,
            (8, 1) => *line.get(x)?,
            (8, 3) => {
                let sum: u32 = line.get(x * 3..x * 3 + 3)?.iter().map(|&v| u32::from(v)).sum();
                u8::try_from(sum / 3).ok()?
            }
            _ => return None,
        };
        Some(if inverted { 255 - value } else { value })
    };
    grey(0, 0)?;
    let (across, down) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    Some(GrayImage::from_fn(across, down, |x, y| {
        image::Luma([grey(x as usize, y as usize).unwrap_or(255)])
    }))
}

fn channels(document: &Document, dict: &Dictionary) -> Option<usize> {
    let space = match entry(document, dict, b"ColorSpace") {
        None => return Some(1),
        Some(space) => space,
    };
    match space {
        Object::Name(name) => match &name[..] {
            b"DeviceGray" | b"CalGray" | b"G" => Some(1),
            b"DeviceRGB" | b"CalRGB" | b"RGB" => Some(3),
            _ => None,
        },
        Object::Array(parts) => match parts.first().and_then(|name| name.as_name().ok())? {
            b"CalGray" => Some(1),
            b"CalRGB" => Some(3),
            b"ICCBased" => {
                let (_, profile) = document.dereference(parts.get(1)?).ok()?;
                number(document, &profile.as_stream().ok()?.dict, b"N")
            }
            _ => None,
        },
        _ => None,
    }
}
