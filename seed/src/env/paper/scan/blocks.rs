//! The dark blocks of a page, each by itself on white: what may be a code.

use image::{GrayImage, Luma};

/// Cells along the longer side of a page.
const CELLS: u32 = 200;
/// Blocks with a side of fewer cells are text or dirt.
const SMALLEST: usize = 10;
/// Most blocks that are looked at.
const MOST: usize = 100;

/// A page in cells: which of them are dark, and to which block they belong.
struct Cells {
    size: u32,
    across: usize,
    down: usize,
    dark: Vec<bool>,
}

/// The blocks of a page, with some white around.
pub fn of(page: &GrayImage) -> Vec<GrayImage> {
    let cells = Cells::of(page);
    let mut seen = vec![false; cells.dark.len()];
    let mut blocks = Vec::new();
    for start in 0..cells.dark.len() {
        if cells.dark[start] && !seen[start] && blocks.len() < MOST {
            let members = cells.connected(start, &mut seen);
            blocks.extend(cells.cut(page, &members));
        }
    }
    blocks
}

impl Cells {
    fn of(page: &GrayImage) -> Self {
        let size = page.width().max(page.height()).div_ceil(CELLS);
        let across = page.width().div_ceil(size) as usize;
        let down = page.height().div_ceil(size) as usize;
        let limit = limit(page);
        let mut dark = vec![false; across * down];
        for (x, y, pixel) in page.enumerate_pixels() {
            if pixel.0[0] < limit {
                dark[(y / size) as usize * across + (x / size) as usize] = true;
            }
        }
        Self { size, across, down, dark }
    }

    /// The dark cells that hang together with one, across gaps of one cell.
    fn connected(&self, start: usize, seen: &mut [bool]) -> Vec<usize> {
        let mut members = Vec::new();
        let mut waiting = vec![start];
        seen[start] = true;
        while let Some(cell) = waiting.pop() {
            members.push(cell);
            let (x, y) = (cell % self.across, cell / self.across);
            for near_y in y.saturating_sub(2)..(y + 3).min(self.down) {
                for near_x in x.saturating_sub(2)..(x + 3).min(self.across) {
                    let near = near_y * self.across + near_x;
                    if self.dark[near] && !seen[near] {
                        seen[near] = true;
                        waiting.push(near);
                    }
                }
            }
        }
        members
    }

    /// A picture of these cells alone, if they are as large and as square as a code.
    fn cut(&self, page: &GrayImage, members: &[usize]) -> Option<GrayImage> {
        let range = |of: fn(usize, usize) -> usize| {
            let values = members.iter().map(|cell| of(*cell, self.across));
            Some((values.clone().min()?, values.max()?))
        };
        let (left, right) = range(|cell, across| cell % across)?;
        let (top, bottom) = range(|cell, across| cell / across)?;
        let (wide, high) = (right - left + 1, bottom - top + 1);
        if wide.min(high) < SMALLEST || wide > 2 * high || high > 2 * wide {
            return None;
        }
        // Two cells of white on every side, and the cells in between that are not dark.
        let mut inside = vec![false; (wide + 4) * (high + 4)];
        for cell in members {
            let (x, y) = (cell % self.across - left, cell / self.across - top);
            for near_y in y..y + 5 {
                for near_x in x..x + 5 {
                    inside[near_y * (wide + 4) + near_x] = true;
                }
            }
        }
        let size = self.size as usize;
        let (width, height) = ((wide + 4) * size, (high + 4) * size);
        let block =
            GrayImage::from_fn(u32::try_from(width).ok()?, u32::try_from(height).ok()?, |x, y| {
                let (cell_x, cell_y) = ((x / self.size) as usize, (y / self.size) as usize);
                let at = |position: u32, cells: usize| {
                    (position as usize + cells * size)
                        .checked_sub(2 * size)
                        .and_then(|p| u32::try_from(p).ok())
                };
                let pixel =
                    at(x, left).zip(at(y, top)).filter(|_| inside[cell_y * (wide + 4) + cell_x]);
                pixel
                    .and_then(|(x, y)| page.get_pixel_checked(x, y))
                    .copied()
                    .unwrap_or(Luma([255]))
            });
        Some(block)
    }
}

/// What is dark: nearer to the darkest twentieth of a page than to its paper.
fn limit(page: &GrayImage) -> u8 {
    let mut counts = [0_u64; 256];
    for pixel in page.pixels() {
        counts[usize::from(pixel.0[0])] += 1;
    }
    let total: u64 = counts.iter().sum();
    let level = |part: u64| {
        let mut sum = 0;
        counts.iter().position(|count| {
            sum += count;
            sum * 20 >= total * part
        })
    };
    let (dark, light) = (level(1).unwrap_or(0), level(17).unwrap_or(255));
    u8::try_from((dark + light) / 2).unwrap_or(128)
}
