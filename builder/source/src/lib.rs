//! Base images: where they come from, and the proof that they are the ones asked for.
//!
//! [`Location`] says where; [`Store::fetch`] gives a local file whose digest is known and,
//! where one was asked for or published, right. Nothing that failed the proof is ever
//! opened.
//!
//! The flow: a name of a [`catalog`] is looked up once, through signed checksum files, and
//! from then on stands in a [`lock`] file; the file is downloaded into the [`cache`], proven
//! and unpacked there.

pub mod cache;
pub mod catalog;
pub mod config;
mod digest;
mod download;
mod error;
mod fetch;
mod http;
mod location;
pub mod lock;
mod openpgp;
mod unpack;
mod watch;

pub use digest::Digest;
pub use error::{Error, Result};
pub use fetch::{Base, Store};
pub use http::DownloadOptions;
pub use location::{Details, Location};
pub use watch::{Event, Watch};
