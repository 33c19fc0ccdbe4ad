//! `bootwright image cat`.

use anyhow::{Context, Result};

use crate::cli::Cat;
use crate::progress::Progress;
use crate::report;

/// Bytes read at once.
const PIECE: usize = 1 << 20;

/// Prints a file of an image.
///
/// # Errors
/// An image that cannot be read, and a path that leads to no regular file.
pub fn run(arguments: &Cat, progress: Progress) -> Result<()> {
    let input = super::open(&arguments.source, progress)?;
    let mut tree = super::tree(&input, progress)?;
    let file = super::find(&mut tree, &arguments.path, true)?;
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    loop {
        let read = tree.read_at(&file, at, &mut piece)?;
        let is_wanted = report::raw(&piece[..read]).context("writing to stdout")?;
        at += read as u64;
        if read < piece.len() || !is_wanted {
            return Ok(());
        }
    }
}
