//! Codes in pictures: scans and photographs, the right way up or not.

use std::collections::BTreeSet;
use std::io::Cursor;

use image::{DynamicImage, GrayImage, ImageReader, Limits, imageops};
use rqrr::PreparedImage;

/// Largest picture, in pixels a side, and the most memory to decode one: A3 at 1200 dpi.
const SIDE: u32 = 20_000;
const MEMORY: u64 = 1 << 30;
/// Pictures smaller than this are enlarged: a code's own bitmap has a dot a module.
const SMALL: u32 = 600;

/// A picture that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("no PNG or JPEG picture that can be read")]
pub struct PictureError(#[from] image::ImageError);

/// What a picture shows.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Found {
    /// The texts of its codes.
    pub texts: BTreeSet<String>,
    /// Codes that are there and could not be read.
    pub unreadable: usize,
}

/// Decodes a PNG or JPEG file.
///
/// # Errors
/// What is neither, damaged, or larger than a scan can be.
pub fn picture(bytes: &[u8]) -> Result<GrayImage, PictureError> {
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(image::ImageError::IoError)?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE);
    limits.max_image_height = Some(SIDE);
    limits.max_alloc = Some(MEMORY);
    reader.limits(limits);
    Ok(flat(&reader.decode()?))
}

/// Grey on white: what is transparent is paper.
fn flat(picture: &DynamicImage) -> GrayImage {
    if !picture.color().has_alpha() {
        return picture.to_luma8();
    }
    let alpha = picture.to_luma_alpha8();
    GrayImage::from_fn(alpha.width(), alpha.height(), |x, y| {
        let [grey, alpha] = alpha.get_pixel(x, y).0;
        let (grey, alpha) = (u32::from(grey), u32::from(alpha));
        let mixed = (grey * alpha + 255 * (255 - alpha)) / 255;
        image::Luma([u8::try_from(mixed).unwrap_or(255)])
    })
}

/// Looks for codes, in other sizes of the picture too if some cannot be read in its own.
#[must_use]
pub fn codes(picture: &GrayImage) -> Found {
    let (width, height) = picture.dimensions();
    if width == 0 || height == 0 {
        return Found::default();
    }
    let enlarged;
    let picture = if width.max(height) < SMALL {
        enlarged = with_margin(picture, SMALL.div_ceil(width.max(height)));
        &enlarged
    } else {
        picture
    };
    let mut found = look(picture);
    let mut seen = found.texts.len() + found.unreadable;
    for (factor, blur) in [(1.5, 0.0), (0.6, 0.0), (2.0, 0.0), (1.0, 1.0)] {
        if found.unreadable == 0 && seen > 0 {
            break;
        }
        let (width, height) = picture.dimensions();
        let scaled = |side: u32| (f64::from(side) * factor) as u32;
        let (width, height) = (scaled(width), scaled(height));
        if width == 0 || height == 0 || width > SIDE / 2 || height > SIDE / 2 {
            continue;
        }
        let mut changed = imageops::resize(picture, width, height, imageops::FilterType::Triangle);
        if blur > 0.0 {
            changed = imageops::blur(&changed, blur);
        }
        let more = look(&changed);
        seen = seen.max(more.texts.len() + more.unreadable);
        found.texts.extend(more.texts);
        found.unreadable = seen.saturating_sub(found.texts.len());
    }
    found
}

fn look(picture: &GrayImage) -> Found {
    let (width, height) = picture.dimensions();
    let pixel = |x: usize, y: usize| {
        let at = u32::try_from(x).ok().zip(u32::try_from(y).ok());
        at.and_then(|(x, y)| picture.get_pixel_checked(x, y)).map_or(255, |pixel| pixel.0[0])
    };
    let mut prepared =
        PreparedImage::prepare_from_greyscale(width as usize, height as usize, pixel);
    let mut found = Found::default();
    for grid in prepared.detect_grids() {
        match grid.decode() {
            Ok((_, text)) => {
                found.texts.insert(text);
            }
            Err(_) => found.unreadable += 1,
        }
    }
    found
}

/// A picture enlarged by whole dots, with white around it.
fn with_margin(picture: &GrayImage, factor: u32) -> GrayImage {
    let margin = 8 * factor;
    let (width, height) = (picture.width() * factor, picture.height() * factor);
    GrayImage::from_fn(width + 2 * margin, height + 2 * margin, |x, y| {
        let inside = |at: u32, side: u32| at.checked_sub(margin).filter(|at| *at < side);
        match inside(x, width).zip(inside(y, height)) {
            Some((x, y)) => *picture.get_pixel(x / factor, y / factor),
            None => image::Luma([255]),
        }
    })
}
