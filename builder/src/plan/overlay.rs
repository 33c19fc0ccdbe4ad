//! Overlays of a plan: the manifest with modes and owners, and the digest.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use bootwright_disk::Sha256;
use bootwright_rootfs::steps::overlay::{Entry, EntryKind, MANIFEST, Overlay, Rule};
use bootwright_seed::yaml::decode::{DecodeError, Located};
use bootwright_seed::yaml::tree::Value;

use super::OverlayPart;
use crate::exit::Unreadable;
use crate::profile::{self, OverlayRule};

/// Opens an overlay of a profile and describes it.
///
/// # Errors
/// A folder that is not there, a manifest that does not fit, and what reading says.
pub fn open(folder: &Located<String>) -> Result<(Overlay, OverlayPart)> {
    let path = profile::resolve(folder);
    if !path.is_dir() {
        let problem = format!("the overlay {} is not there, or no folder", path.display());
        return Err(DecodeError::new(&folder.at, problem).into());
    }
    let overlay = Overlay { rules: rules(&path.join(MANIFEST))?, folder: path };
    let entries = overlay.entries()?;
    let part = OverlayPart {
        folder: folder.value.clone(),
        entries: entries.len(),
        bytes: entries.iter().map(size).sum(),
        sha256: digest(&overlay, &entries)?.to_string(),
    };
    Ok((overlay, part))
}

fn size(entry: &Entry) -> u64 {
    match &entry.kind {
        EntryKind::File { size, .. } => *size,
        EntryKind::Dir | EntryKind::Symlink(_) => 0,
    }
}

/// Reads a manifest, if there is one.
fn rules(path: &Path) -> Result<BTreeMap<String, Rule>> {
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let name = path.display().to_string();
    let tree = profile::parse(&name, &Unreadable::read("overlay's manifest", path)?)?;
    let entries = match &tree.value {
        Value::Map(entries) => &entries[..],
        Value::Null => &[],
        other => {
            let problem = format!("{}, expected a mapping from paths to rules", other.describe());
            return Err(DecodeError::new(&tree.at, problem).into());
        }
    };
    let rules = entries.iter().map(|(path, rule)| {
        if !path.name.starts_with('/') {
            let problem = format!("`{}` is no path of the guest; start it with /", path.name);
            return Err(DecodeError::new(&path.at, problem).into());
        }
        Ok((path.name.clone(), rule_of(rule.decode()?)?))
    });
    rules.collect()
}

fn rule_of(raw: OverlayRule) -> Result<Rule, DecodeError> {
    let mode = raw.mode.map(|mode| octal(&mode)).transpose()?;
    let xattrs =
        raw.xattrs.into_iter().map(|(name, value)| Ok((name.into_bytes(), bytes(&value)?)));
    Ok(Rule {
        mode,
        owner: raw.owner,
        group: raw.group,
        xattrs: xattrs.collect::<Result<_, DecodeError>>()?,
        template: raw.template,
    })
}

fn octal(mode: &Located<String>) -> Result<u32, DecodeError> {
    let parsed = u32::from_str_radix(&mode.value, 8).ok().filter(|bits| *bits <= 0o7777);
    parsed.ok_or_else(|| {
        DecodeError::new(&mode.at, format!("`{}` is no mode; write it as 0644", mode.value))
    })
}

/// A value as setfattr takes it: `0x` and hexadecimal digits, or text.
fn bytes(value: &Located<String>) -> Result<Vec<u8>, DecodeError> {
    let Some(digits) = value.value.strip_prefix("0x") else {
        return Ok(value.value.clone().into_bytes());
    };
    let pairs = digits.as_bytes().chunks(2);
    let parsed: Option<Vec<u8>> =
        pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    parsed.filter(|_| digits.len().is_multiple_of(2)).ok_or_else(|| {
        DecodeError::new(&value.at, format!("`{}` is no hexadecimal value", value.value))
    })
}

/// A digest over all that the overlay brings, whatever folder it lies in.
fn digest(overlay: &Overlay, entries: &[Entry]) -> Result<Sha256> {
    let mut text = format!("{:?}\n", overlay.rules).into_bytes();
    for entry in entries {
        let what = match &entry.kind {
            EntryKind::Dir => "dir".to_owned(),
            EntryKind::Symlink(target) => format!("symlink {target:?}"),
            EntryKind::File { host, executable, .. } => {
                let open = || File::open(host).and_then(Sha256::of_reader);
                let context = || format!("reading {} of the overlay", host.display());
                let (sha256, size) = open().with_context(context)?;
                format!("file {size} {executable} {sha256}")
            }
        };
        text.extend(format!("{:?} {what}\n", entry.path).into_bytes());
    }
    Ok(Sha256::of(&text))
}
