//! Alpine: one folder a release branch, and a digest beside each image.

use super::{Found, Site, Wanted};
use crate::{Digest, Error, Result};

pub(super) fn resolve(site: &Site<'_>, wanted: &Wanted) -> Result<Found> {
    let Wanted { release, serial, arch, variant, .. } = wanted;
    let mut parts = release.split('.');
    let branch = match (parts.next(), parts.next(), parts.next()) {
        (Some(major), Some(minor), Some(_)) => format!("v{major}.{minor}"),
        _ => {
            let problem = "give the whole version, such as alpine:3.22.1".to_owned();
            return Err(Error::NotPublished { wanted: wanted.to_string(), problem });
        }
    };
    let arch = if arch == "arm64" { "aarch64" } else { "x86_64" };
    let revision = serial.as_deref().unwrap_or("r0");
    let name = format!("nocloud_alpine-{release}-{arch}-{variant}-{revision}.qcow2");
    let path = format!("{branch}/releases/cloud/{name}");
    let text = site.unsigned(&format!("{path}.sha512"))?;
    let digits = text.split_whitespace().next().unwrap_or_default();
    let Some(digest) = Digest::parse(digits) else {
        let problem = "it does not start with the digits of a digest".to_owned();
        return Err(Error::Malformed { what: format!("{path}.sha512"), problem });
    };
    let serial = Some(revision.to_owned());
    Ok(Found { serial, path, digest, size: None, signed_by: None })
}
