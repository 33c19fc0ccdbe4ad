//! File systems inside a disk view, and the edits applied to them.
//!
//! [`Tree`] is the mounted image: its root file system with whatever the image's own fstab
//! mounts below it, as one tree of paths. An [`Edit`] is one change; [`Tree::apply`] is the
//! one place that makes them. The modules below [`steps`] turn what a profile wants (an
//! overlay, users, units) into edits, reading the tree but never changing it.

mod apply;
mod check;
mod content;
pub mod drivers;
mod edit;
mod error;
mod ext4;
mod fat;
mod fs;
mod fstab;
mod grow;
mod kernels;
mod look;
mod node;
mod space;
pub mod steps;
mod survey;
mod tree;
mod volume;

pub use check::check;
/// The version of libext2fs that edits ext4; it is a part of the program.
pub const LIBEXT2FS: &str = env!("BOOTWRIGHT_LIBEXT2FS");

pub use content::Content;
pub use edit::{Edit, Meta};
pub use error::{Error, Result};
pub use fs::Xattrs;
pub use grow::{Growth, grow_root};
pub use kernels::{Kernel, kernels};
pub use look::{Found, Reader};
pub use node::{Attr, Kind};
pub use space::bytes;
pub use survey::{MachineId, Release, Survey, signature, survey};
pub use tree::Tree;
pub use volume::{Access, Contents, Volume, find_root, volumes, volumes_for};
