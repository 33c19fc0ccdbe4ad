//! Codes in pictures: scans and photographs, the right way up or not.

mod blocks;

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

/// How hard to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Once.
    Quick,
    /// In other sizes, and with the page turned to where its codes lie straight.
    Thorough,
}

/// Looks for codes: in every dark block of the page by itself, because the corner marks of
/// codes in rank and file are easily taken for those of one code; then on the page as a whole.
#[must_use]
pub fn codes(picture: &GrayImage, effort: Effort) -> Found {
    let (width, height) = picture.dimensions();
    if width == 0 || height == 0 {
        return Found::default();
    }
    let enlarged;
    let page = if width.max(height) < SMALL {
        enlarged = with_margin(picture, SMALL.div_ceil(width.max(height)));
        &enlarged
    } else {
        picture
    };
    let mut found = Found::default();
    let mut tilts = Vec::new();
    let mut dark = Vec::new();
    for mut block in blocks::of(page) {
        let original = (effort == Effort::Thorough).then(|| block.clone());
        let before = found.texts.len();
        let unread = sweep(&mut block, &mut found.texts, &mut tilts);
        if found.texts.len() == before {
            found.unreadable += usize::from(unread > 0);
            dark.extend(original);
        }
    }
    if found.texts.is_empty() || effort == Effort::Thorough {
        let unread = sweep(&mut page.clone(), &mut found.texts, &mut tilts);
        found.unreadable = found.unreadable.max(unread.min(1));
    }
    for block in dark {
        let before = found.texts.len();
        for mut version in versions(&block, tilts.first().copied()) {
            sweep(&mut version, &mut found.texts, &mut tilts);
        }
        found.unreadable = found.unreadable.saturating_sub(found.texts.len() - before);
    }
    found
}

/// A block in another size, and turned.
fn versions(block: &GrayImage, tilt: Option<f32>) -> impl Iterator<Item = GrayImage> {
    // Where no code was found, nothing says how far to turn.
    let angles: Vec<f32> = match tilt {
        Some(tilt) => vec![-tilt, 3.0 - tilt, -3.0 - tilt],
        None => vec![-30.0, -15.0, -5.0, 5.0, 15.0, 30.0],
    };
    let (width, height) = (block.width() * 3 / 2, block.height() * 3 / 2);
    let larger = (width.max(height) < SIDE / 2)
        .then(|| imageops::resize(block, width, height, imageops::FilterType::Triangle));
    larger.into_iter().chain(angles.into_iter().map(|angle| turned(block, angle)))
}

/// Looks again and again, with what was read painted over, until nothing more is read. Gives
/// the number of codes that were seen and not read.
fn sweep(page: &mut GrayImage, texts: &mut BTreeSet<String>, tilts: &mut Vec<f32>) -> usize {
    loop {
        let mut read = Vec::new();
        let mut unread = 0;
        let (width, height) = (page.width() as usize, page.height() as usize);
        let pixel = |x: usize, y: usize| {
            let at = u32::try_from(x).ok().zip(u32::try_from(y).ok());
            at.and_then(|(x, y)| page.get_pixel_checked(x, y)).map_or(255, |pixel| pixel.0[0])
        };
        for grid in PreparedImage::prepare_from_greyscale(width, height, pixel).detect_grids() {
            let corners = grid.bounds.map(|point| (point.x as f32, point.y as f32));
            match grid.decode() {
                Ok((_, text)) => {
                    texts.insert(text);
                    tilts.push(tilt(corners));
                    read.push(corners);
                }
                Err(_) => unread += 1,
            }
        }
        if read.is_empty() {
            return unread;
        }
        for corners in read {
            paint_over(page, corners);
        }
    }
}

/// How many degrees a code is tilted, from -45 to 45.
fn tilt([from, to, ..]: [(f32, f32); 4]) -> f32 {
    let degrees = (to.1 - from.1).atan2(to.0 - from.0).to_degrees();
    degrees - (degrees / 90.0).round() * 90.0
}

/// Paints a square that may be tilted white.
fn paint_over(page: &mut GrayImage, corners: [(f32, f32); 4]) {
    let bounds = |of: fn(&(f32, f32)) -> f32, most: u32| {
        let values = corners.iter().map(of);
        let low = values.clone().fold(f32::MAX, f32::min).max(0.0) as u32;
        (low, (values.fold(0.0, f32::max) as u32 + 1).min(most))
    };
    let (left, right) = bounds(|corner| corner.0, page.width());
    let (top, bottom) = bounds(|corner| corner.1, page.height());
    // Inside is where no side has the point on its outer hand, whichever way round they go.
    let inside = |x: f32, y: f32| {
        let sides = [0, 1, 2, 3].map(|index: usize| {
            let ((ax, ay), (bx, by)) = (corners[index], corners[(index + 1) % 4]);
            (bx - ax) * (y - ay) - (by - ay) * (x - ax)
        });
        sides.iter().all(|side| *side >= 0.0) || sides.iter().all(|side| *side <= 0.0)
    };
    for y in top..bottom {
        for x in left..right {
            if inside(x as f32, y as f32) {
                page.put_pixel(x, y, image::Luma([255]));
            }
        }
    }
}

/// A picture turned by so many degrees, clockwise, on white that is large enough.
fn turned(picture: &GrayImage, degrees: f32) -> GrayImage {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let across = (width * cos.abs() + height * sin.abs()).ceil();
    let down = (width * sin.abs() + height * cos.abs()).ceil();
    GrayImage::from_fn(across as u32, down as u32, |x, y| {
        let (x, y) = (x as f32 + 0.5 - across / 2.0, y as f32 + 0.5 - down / 2.0);
        let (u, v) = (x * cos + y * sin + width / 2.0, y * cos - x * sin + height / 2.0);
        let grey = if u < 0.0 || v < 0.0 || u >= width || v >= height {
            None
        } else {
            imageops::interpolate_bilinear(picture, u - 0.5, v - 0.5)
        };
        grey.unwrap_or(image::Luma([255]))
    })
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
