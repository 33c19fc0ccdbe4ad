//! Ubuntu: simplestreams or plain folders, and SHA256SUMS with a signature in each folder.

use super::{Found, Site, Wanted, streams, sums};
use crate::config::Layout;
use crate::{Digest, Error, Result};

/// Folder of the newest build where there are no streams.
const NEWEST: &str = "current";

pub(super) fn resolve(site: &Site<'_>, wanted: &Wanted) -> Result<Found> {
    match site.catalog.layout {
        Layout::Streams => by_streams(site, wanted),
        Layout::Folders => by_folder(site, wanted),
    }
}

/// The streams say which file it is; the folder's checksums have to say the same.
fn by_streams(site: &Site<'_>, wanted: &Wanted) -> Result<Found> {
    let listed = listed(site, wanted)?;
    let Some((folder, name)) = listed.path.rsplit_once('/') else {
        let problem = format!("the image {:?} lies in no folder", listed.path);
        return Err(Error::Malformed { what: streams::INDEX.to_owned(), problem });
    };
    let (digest, signed_by) = checksum(site, folder, |text| {
        sums::find(text, name).map(|digest| (name.to_owned(), digest))
    })?
    .1;
    if digest != Digest::Sha256(listed.sha256) {
        let what = format!("{folder}/SHA256SUMS");
        let problem =
            format!("it gives {digest} for {name}, the stream gives sha256:{}", listed.sha256);
        return Err(Error::Signature { what, problem });
    }
    let streams::Listed { serial, path, size, .. } = listed;
    Ok(Found { serial: Some(serial), path, digest, size, signed_by: Some(signed_by) })
}

fn listed(site: &Site<'_>, wanted: &Wanted) -> Result<streams::Listed> {
    let (index, _) = site.signed(streams::INDEX)?;
    let ftype = format!("{}.img", wanted.variant);
    let query = streams::Query {
        release: &wanted.release,
        arch: &wanted.arch,
        ftype: &ftype,
        serial: wanted.serial.as_deref(),
    };
    for path in streams::product_files(streams::INDEX, &index)? {
        let (products, _) = site.signed(&path)?;
        if let Some(listed) = streams::find(&path, &products, &query)? {
            return Ok(listed);
        }
    }
    let problem = "its streams list no such release, serial, architecture and variant".to_owned();
    Err(Error::NotPublished { wanted: wanted.to_string(), problem })
}

fn by_folder(site: &Site<'_>, wanted: &Wanted) -> Result<Found> {
    let folder = format!("{}/{}", wanted.release, wanted.serial.as_deref().unwrap_or(NEWEST));
    // Before it could boot by UEFI, too, the usual image was the one with an MBR.
    let old = wanted.release == "xenial" || wanted.release == "trusty";
    let ending = match wanted.variant.as_str() {
        "disk1" if !old => format!("-server-cloudimg-{}.img", wanted.arch),
        variant => format!("-server-cloudimg-{}-{variant}.img", wanted.arch),
    };
    let (name, (digest, signed_by)) = checksum(site, &folder, |text| {
        let mut matching = sums::entries(text).filter(|(name, _)| name.ends_with(&ending));
        let (name, _) = matching.next()?;
        Some((name.to_owned(), sums::find(text, name)?))
    })
    .map_err(|error| match error {
        Error::NotPublished { problem, .. } => {
            Error::NotPublished { wanted: wanted.to_string(), problem }
        }
        other => other,
    })?;
    let serial = wanted.serial.clone();
    let path = format!("{folder}/{name}");
    Ok(Found { serial, path, digest, size: None, signed_by: Some(signed_by) })
}

/// Reads the signed checksums of a folder and picks a file of it.
fn checksum(
    site: &Site<'_>,
    folder: &str,
    pick: impl FnOnce(&str) -> Option<(String, Digest)>,
) -> Result<(String, (Digest, String))> {
    let path = format!("{folder}/SHA256SUMS");
    let (sums, by) = site.signed(&path)?;
    match pick(&String::from_utf8_lossy(&sums)) {
        Some((name, digest)) => Ok((name, (digest, by))),
        None => Err(Error::NotPublished {
            wanted: folder.to_owned(),
            problem: format!("{path} lists no such image, or lists it twice"),
        }),
    }
}
