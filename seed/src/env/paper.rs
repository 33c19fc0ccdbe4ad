//! An env on paper, and back: QR codes that need no order, a listing for the eyes, and
//! instructions for somebody who has never heard of this program.
//!
//! The way there: gzip, base32, [`code`]s of a bounded size, [`pdf`] pages. The way back:
//! [`extract`] takes the pictures out of a PDF, [`scan`] finds the codes in a picture, and
//! [`code::assemble`] puts them together or names those that are missing.

pub mod code;
pub mod extract;
mod font;
pub mod pdf;
pub mod scan;
