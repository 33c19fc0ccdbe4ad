//! Checks of an image from the outside in: container, stored bytes, partition table, file
//! systems; and of a folder by its digests.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use bootwright_disk::check::{self, Finding};
use bootwright_disk::view::{ReadOnly, View, WriteView};
use bootwright_disk::{Error, Sha256, gpt, partition};
use bootwright_rootfs::drivers::{Hypervisor, Missing};
use bootwright_rootfs::{Access, Tree, volumes_for};
use serde::Serialize;

use super::input::Input;
use super::scan;
use crate::exit::{Unreadable, Usage};

const MANIFEST: &str = "manifest.json";
const SUMS: &str = "SHA256SUMS";

/// A finding, with the file that it is in.
#[derive(Debug, Serialize)]
pub struct Report {
    pub file: String,
    pub place: String,
    pub expected: String,
    pub found: String,
}

impl Report {
    /// A finding in a file.
    pub fn new(file: &str, finding: Finding) -> Self {
        let Finding { place, expected, found } = finding;
        Self { file: file.to_owned(), place, expected, found }
    }
}

/// A failure as a finding, if it says that bytes are wrong and not that something else went
/// wrong.
///
/// # Errors
/// The failure, if it is of another kind.
pub fn finding(error: anyhow::Error) -> Result<Finding> {
    let place = error.chain().find_map(|cause| match cause.downcast_ref::<Error>()? {
        Error::Malformed { format, field, offset, .. } => {
            Some(format!("{format}: {field} at {offset:#x}"))
        }
        Error::OutOfBounds { offset, .. } => Some(format!("offset {offset:#x}")),
        Error::Io { .. } | Error::Unsupported { .. } => None,
    });
    match place {
        Some(place) => {
            Ok(Finding::new(place, "what the format's specification says", format!("{error:#}")))
        }
        None => Err(error),
    }
}

/// Checks an opened image.
///
/// # Errors
/// What the system says; what is wrong with the image is among the findings.
pub fn image(input: &Input) -> Result<Vec<Finding>> {
    let disk = Arc::clone(&input.image.view);
    let mut findings = Vec::new();
    let mut take = |outcome: Result<Vec<Finding>>| match outcome {
        Ok(found) => {
            findings.extend(found);
            Ok(true)
        }
        Err(error) => finding(error).map(|found| {
            findings.push(found);
            false
        }),
    };
    take(check::container(&*input.file, input.image.format).map_err(Into::into))?;
    take(stored(&disk))?;
    if take(table(&disk))? {
        take(file_systems(&disk))?;
    }
    Ok(findings)
}

/// Looks for the drivers of hypervisors.
///
/// # Errors
/// What reading the image says.
pub fn drivers(tree: &mut Tree, hypervisors: &[Hypervisor]) -> Result<Vec<Finding>> {
    let missing = crate::drivers::missing(tree, hypervisors)?;
    let one = |missing: Missing| {
        let expected = format!("a driver of {}", missing.purpose);
        Finding::new(format!("drivers of kernel {}", missing.kernel), expected, missing.to_string())
    };
    Ok(missing.into_iter().map(one).collect())
}

/// Reads every byte that is stored: compressed clusters are inflated, checksums compared.
fn stored(disk: &dyn View) -> Result<Vec<Finding>> {
    let found = scan::chunks(disk.size(), |at, len| match scan::read(disk, at, len) {
        Ok(_) => Ok(None),
        Err(error) => finding(error).map(Some),
    })?;
    Ok(found.into_iter().flatten().collect())
}

fn table(disk: &Arc<dyn View>) -> Result<Vec<Finding>> {
    partition::read(disk)?;
    Ok(gpt::check(disk)?)
}

fn file_systems(disk: &Arc<dyn View>) -> Result<Vec<Finding>> {
    let disk: Arc<dyn WriteView> = Arc::new(ReadOnly(Arc::clone(disk)));
    let mut findings = Vec::new();
    for volume in volumes_for(&disk, Access::Read)? {
        findings.extend(bootwright_rootfs::check(&volume)?);
        // Opening it looks at the group descriptors and allocation tables.
        if let Err(error) = volume.usage() {
            findings.push(Finding::new(
                volume.place.clone(),
                "a file system that can be opened",
                error.to_string(),
            ));
        }
    }
    Ok(findings)
}

/// Checks the digests of a folder. Gives the files that are listed, and what is wrong.
///
/// # Errors
/// A folder without lists, and lists that cannot be read.
pub fn folder(path: &Path) -> Result<(Vec<String>, Vec<Report>)> {
    let mut sums = BTreeMap::new();
    let mut reports = Vec::new();
    let mut lists = 0;
    for (list, parse) in [(SUMS, parse_sums as Parse), (MANIFEST, parse_manifest)] {
        let file = path.join(list);
        if !file.exists() {
            continue;
        }
        lists += 1;
        let bytes = Unreadable::read("list of digests", &file)?;
        match parse(&String::from_utf8_lossy(&bytes)) {
            Ok(entries) => {
                for (name, digest) in entries {
                    let old = sums.insert(name.clone(), digest);
                    if let Some(old) = old.filter(|old| *old != digest) {
                        let finding = Finding::new(name, old.to_string(), digest.to_string());
                        reports.push(Report::new(list, finding));
                    }
                }
            }
            Err(problem) => {
                reports
                    .push(Report::new(list, Finding::new("content", "a list of digests", problem)));
            }
        }
    }
    if lists == 0 {
        let problem = format!("{} holds neither {MANIFEST} nor {SUMS}", path.display());
        return Err(Usage(problem).into());
    }
    for (name, digest) in &sums {
        if let Some(finding) = digest_of(&path.join(name), *digest)? {
            reports.push(Report::new(name, finding));
        }
    }
    Ok((sums.into_keys().collect(), reports))
}

type Parse = fn(&str) -> Result<Vec<(String, Sha256)>, String>;

/// Compares the digest of a file.
fn digest_of(path: &Path, expected: Sha256) -> Result<Option<Finding>> {
    let unreadable = |source| Unreadable::new("file", path, source);
    if !fs::symlink_metadata(path).is_ok_and(|stat| stat.is_file()) {
        return Ok(Some(Finding::new("file", "a regular file", "none")));
    }
    let file = File::open(path).map_err(unreadable)?;
    let (found, _) = Sha256::of_reader(file).map_err(unreadable)?;
    let differs = found != expected;
    Ok(differs.then(|| Finding::new("sha256", expected.to_string(), found.to_string())))
}

/// Lines as sha256sum writes them.
fn parse_sums(text: &str) -> Result<Vec<(String, Sha256)>, String> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty());
    lines
        .map(|(number, line)| {
            let (digest, name) = line
                .split_once("  ")
                .or_else(|| line.split_once(" *"))
                .ok_or_else(|| format!("line {number} is no digest with a name"))?;
            let digest = Sha256::parse(digest)
                .ok_or_else(|| format!("line {number} starts with no SHA-256"))?;
            Ok((file_name(name)?, digest))
        })
        .collect()
}

/// The outputs of a manifest.
fn parse_manifest(text: &str) -> Result<Vec<(String, Sha256)>, String> {
    let manifest: serde_json::Value =
        serde_json::from_str(text).map_err(|error| error.to_string())?;
    let outputs = manifest.get("outputs").and_then(|outputs| outputs.as_array());
    let outputs = outputs.ok_or_else(|| "there is no list `outputs`".to_owned())?;
    outputs
        .iter()
        .map(|output| {
            let text = |key: &str| output.get(key).and_then(|value| value.as_str());
            match (text("file"), text("sha256").and_then(Sha256::parse)) {
                (Some(name), Some(digest)) => Ok((file_name(name)?, digest)),
                _ => Err("an output has no `file` or no `sha256`".to_owned()),
            }
        })
        .collect()
}

/// A name, which must not lead out of the folder.
fn file_name(name: &str) -> Result<String, String> {
    match name.is_empty() || name.contains('/') || name == ".." {
        true => Err(format!("{name:?} is no name of a file in this folder")),
        false => Ok(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_never_lead_out_of_the_folder() {
        let digest = "ab".repeat(32);
        let sums = parse_sums(&format!("{digest}  a b.raw\n\n{digest} *c.raw\n")).unwrap();
        assert_eq!(sums.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["a b.raw", "c.raw"]);
        assert!(parse_sums(&format!("{digest}  ../x\n")).unwrap_err().contains("no name"));
        assert!(parse_sums("x\n").unwrap_err().contains("line 1"));
        assert!(parse_sums("xx  y\n").unwrap_err().contains("no SHA-256"));
        let manifest =
            format!("{{\"outputs\": [{{\"file\": \"a.raw\", \"sha256\": \"{digest}\"}}]}}");
        assert_eq!(parse_manifest(&manifest).unwrap()[0].0, "a.raw");
        assert!(parse_manifest("{}").unwrap_err().contains("outputs"));
        assert!(parse_manifest("{\"outputs\": [{}]}").unwrap_err().contains("no `file`"));
    }
}
