//! What the fuzz targets of image formats share: files out of few bytes, and what is done
//! with them.
//!
//! Images are long and mostly zeros, and inputs should be short. So an input is the pieces
//! that are not zeros: a byte of flags, the file's size, then records of a piece's number and
//! its bytes (`seeds.py` makes such inputs out of images). Most mutations change the bytes
//! of one piece and leave the rest in place.

#[path = "../../builder/disk/tests/common/reseal.rs"]
pub mod reseal;
#[path = "../../builder/disk/tests/common/walk.rs"]
mod walk;

use bootwright_disk::view::Memory;
use bootwright_disk::{Format, check, gpt, open_view};
use libfuzzer_sys::fuzzer_mutate;

/// Bytes of a piece, of its record, and of what comes before the first record.
const PIECE: usize = 512;
const RECORD: usize = 2 + PIECE;
const HEAD: usize = 3;
/// The file's size counts in this; it is at most 16 MiB.
const SIZE_UNIT: usize = 512;
const MAX_UNITS: usize = 32 << 10;

/// In the flags: leave the checksums as they are.
const AS_IT_IS: u8 = 1;

/// The file that an input stands for.
pub fn file(input: &[u8], reseal: fn(&mut [u8])) -> Option<Vec<u8>> {
    let (head, records) = input.split_at_checked(HEAD)?;
    let units = usize::from(u16::from_le_bytes([head[1], head[2]])) % (MAX_UNITS + 1);
    let mut file = vec![0; units * SIZE_UNIT];
    for record in records.chunks(RECORD) {
        let Some((number, bytes)) = record.split_at_checked(2) else { break };
        let at = usize::from(u16::from_le_bytes([number[0], number[1]])) * PIECE;
        if let Some(room) = file.get_mut(at..) {
            let len = bytes.len().min(room.len());
            room[..len].copy_from_slice(&bytes[..len]);
        }
    }
    if head[0] & AS_IT_IS == 0 {
        reseal(&mut file);
    }
    Some(file)
}

/// Opens the file that the input stands for and reads all of it. Errors are fine; panics,
/// endless loops and memory without end are bugs.
pub fn read_everything(input: &[u8], format: Format, reseal: fn(&mut [u8])) {
    let Some(file) = file(input, reseal) else { return };
    let _ = Format::detect(&file[..file.len().min(512)], &file[file.len().saturating_sub(512)..]);
    let file = Memory::new(file);
    let _ = check::container(&file, format);
    let _ = gpt::check(&file);
    let _ = open_view(file, Some(format)).and_then(|image| walk::walk(image.view.as_ref()));
}

/// Mutates the bytes of one piece, or one time in eight anything. Gives the new length.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let records = size.saturating_sub(HEAD) / RECORD;
    if records == 0 || seed.is_multiple_of(8) {
        return fuzzer_mutate(data, size, max_size);
    }
    let at = HEAD + (seed as usize / 8) % records * RECORD + 2;
    let mut piece = data[at..at + PIECE].to_vec();
    let len = fuzzer_mutate(&mut piece, PIECE, PIECE);
    piece[len..].fill(0);
    data[at..at + PIECE].copy_from_slice(&piece);
    size
}
