//! The sources of an env: one file each, and what a source offers.

mod azure;
mod credential;
mod dmi;
mod ec2;
mod encoded;
mod file;
mod fwcfg;
mod gce;
mod guestinfo;
mod http;
mod openstack;
mod ovf;
pub mod remote;
mod smbios;

use std::fmt;
use std::io::{self, Read};
use std::path::Path;

use bootwright_seed::userdata::MAX_SIZE;

use crate::config::{Config, SourceKind};
use crate::root::Root;

pub use dmi::Dmi;

/// A seed that a source offers.
#[derive(Clone, PartialEq, Eq)]
pub struct Offer {
    /// The source.
    pub kind: SourceKind,
    /// Where exactly: a device, a file, an address.
    pub place: String,
    /// The file system, if it was on a medium.
    pub filesystem: Option<String>,
    /// The file, string or resource that held the env.
    pub file: String,
    /// The instance-id that came with it.
    pub instance_id: Option<String>,
    /// The user-data, not yet checked. Secret.
    pub user_data: Vec<u8>,
    /// A signature of the user-data that came with it.
    pub signature: Option<Vec<u8>>,
    /// What an administrator should know about it.
    pub warning: Option<String>,
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer")
            .field("kind", &self.kind)
            .field("place", &self.place)
            .field("file", &self.file)
            .field("instance_id", &self.instance_id)
            .field("user_data", &format_args!("{} bytes", self.user_data.len()))
            .finish_non_exhaustive()
    }
}

impl Offer {
    /// An offer without a file system, an instance-id, a signature or a warning.
    pub fn plain(kind: SourceKind, place: impl Into<String>, user_data: Vec<u8>) -> Self {
        let place = place.into();
        Self {
            kind,
            file: place.clone(),
            place,
            filesystem: None,
            instance_id: None,
            user_data,
            signature: None,
            warning: None,
        }
    }
}

/// What came of looking at a source.
#[derive(Debug)]
pub enum Looked {
    /// It offers a seed.
    Offers(Box<Offer>),
    /// It does not; why.
    Nothing(String),
    /// It is there and cannot be used; what and why.
    Broken(String),
}

impl Looked {
    /// An offer.
    pub fn offers(offer: Offer) -> Self {
        Self::Offers(Box::new(offer))
    }
}

/// Looks at a source that needs neither a medium nor the network.
pub fn look(root: &Root, config: &Config, kind: SourceKind) -> Looked {
    match kind {
        SourceKind::EnvYml => file::variable(root),
        SourceKind::File => file::local(root, &config.env_file),
        SourceKind::Smbios => smbios::look(root),
        SourceKind::FwCfg => fwcfg::look(root),
        SourceKind::Credential => credential::look(root),
        SourceKind::Vmware => guestinfo::look(root),
        SourceKind::Ovf => Looked::Nothing("no medium labelled OVF ENV".to_owned()),
        _ => Looked::Nothing("not a local source".to_owned()),
    }
}

pub use guestinfo::set as set_guestinfo;
pub use ovf::{is_label as is_ovf_label, read as read_ovf};

/// Reads a file that may hold a secret, up to the size a seed may have. One byte more is read
/// so that the check of the user-data sees that it is too large.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_SIZE + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A small text of the kernel, such as an attribute in /sys; `None` if it cannot be read.
fn attribute(path: &Path) -> Option<String> {
    let bytes = read_bounded(path).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim().to_owned())
}
