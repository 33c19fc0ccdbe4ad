//! VHDX, fixed and dynamic (MS-VHDX 6.0).

mod check;
mod layout;
mod log;
mod metadata;
mod read;
mod replay;
mod write;

pub use read::Vhdx;
pub use write::{Options, Sectors, Writer};

pub(crate) use check::check;
pub(crate) use layout::SIGNATURE;
