//! Debian: folders with SHA512SUMS, which nobody signs.

use super::{Found, Site, Wanted, sums};
use crate::{Error, Result};

/// Folder of the newest build.
const NEWEST: &str = "latest";
/// Releases by name and number.
const RELEASES: [(&str, &str); 5] =
    [("buster", "10"), ("bullseye", "11"), ("bookworm", "12"), ("trixie", "13"), ("forky", "14")];

pub(super) fn resolve(site: &Site<'_>, wanted: &Wanted) -> Result<Found> {
    let Wanted { release, serial, arch, variant, .. } = wanted;
    let Some((_, number)) = RELEASES.iter().find(|(name, _)| name == release) else {
        let names = RELEASES.map(|(name, _)| name).join(", ");
        let problem = format!("known releases are {names}");
        return Err(Error::NotPublished { wanted: wanted.to_string(), problem });
    };
    let folder = format!("{release}/{}", serial.as_deref().unwrap_or(NEWEST));
    let ending = serial.as_ref().map(|serial| format!("-{serial}")).unwrap_or_default();
    let name = format!("debian-{number}-{variant}-{arch}{ending}.qcow2");
    let text = site.unsigned(&format!("{folder}/SHA512SUMS"))?;
    let Some(digest) = sums::find(&text, &name) else {
        let problem = format!("{folder}/SHA512SUMS does not list {name}");
        return Err(Error::NotPublished { wanted: wanted.to_string(), problem });
    };
    let path = format!("{folder}/{name}");
    Ok(Found { serial: serial.clone(), path, digest, size: None, signed_by: None })
}
