//! What a build made, and of what: `manifest.json` and `SHA256SUMS`.
//!
//! Both hold nothing of the machine, the time or the folders of the build, so that two
//! builds of one plan give the same bytes.

use std::path::Path;

use serde::Serialize;

use crate::sink::{Finished, SinkOptions, write_file};
use crate::{Error, Result};

/// Version of the manifest's shape; raised when a field changes its meaning.
pub const SCHEMA: u32 = 1;
const MANIFEST: &str = "manifest.json";
const SUMS: &str = "SHA256SUMS";

/// The manifest of a build.
#[derive(Debug, Serialize)]
pub struct Manifest<'a, P> {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Every choice of the build.
    pub plan: &'a P,
    /// What the EFI system partition held before and after, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub esp: Option<Esp>,
    /// The artefacts.
    pub outputs: Vec<Artefact>,
}

/// Digests of the EFI system partition. Where they are equal, the boot chain on it is the
/// base's, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Esp {
    /// SHA-256 of the partition in the base.
    pub before: String,
    /// SHA-256 of the partition in the outputs.
    pub after: String,
}

/// One artefact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Artefact {
    /// Its path in the folder of the manifest.
    pub file: String,
    /// Its format.
    pub format: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: String,
}

impl Artefact {
    /// Describes a finished file, which is called `file` seen from the manifest's folder.
    #[must_use]
    pub fn new(finished: &Finished, file: &str, format: &str) -> Self {
        Self {
            file: file.to_owned(),
            format: format.to_owned(),
            size: finished.size,
            sha256: finished.sha256.to_string(),
        }
    }
}

/// Paths of the files that [`write()`] makes in a folder.
#[must_use]
pub fn paths(folder: &Path) -> [std::path::PathBuf; 2] {
    [folder.join(MANIFEST), folder.join(SUMS)]
}

/// Writes the manifest and, over it and all artefacts, the sums in sha256sum's format.
///
/// # Errors
/// What writing the files says.
pub fn write<P: Serialize>(folder: &Path, manifest: &Manifest<'_, P>, replace: bool) -> Result<()> {
    let options = SinkOptions { replace, ..SinkOptions::default() };
    let [path, sums_path] = paths(folder);
    let mut text = serde_json::to_vec_pretty(manifest)
        .map_err(|error| Error::io("writing", &path, error.into()))?;
    text.push(b'\n');
    let written = write_file(&path, &text, options)?;
    let mut lines: Vec<String> = manifest
        .outputs
        .iter()
        .map(|output| format!("{}  {}\n", output.sha256, output.file))
        .chain([format!("{}  {MANIFEST}\n", written.sha256)])
        .collect();
    // By name, as `sha256sum *` would.
    lines.sort_by(|a, b| a[66..].cmp(&b[66..]));
    write_file(&sums_path, lines.concat().as_bytes(), options).map(drop)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn sha256sum_accepts_the_sums() {
        let dir = tempfile::tempdir().unwrap();
        let outputs = ["b.raw", "a.qcow2"].map(|name| {
            let path = dir.path().join(name);
            let made = write_file(&path, name.as_bytes(), SinkOptions::default()).unwrap();
            Artefact::new(&made, name, "raw")
        });
        let manifest =
            Manifest { schema: SCHEMA, plan: &"plan", esp: None, outputs: outputs.into() };
        write(dir.path(), &manifest, false).unwrap();
        let check = Command::new("sha256sum")
            .args(["--check", "--strict", SUMS])
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(check.status.success());
        let text = String::from_utf8(check.stdout).unwrap();
        assert_eq!(text, "a.qcow2: OK\nb.raw: OK\nmanifest.json: OK\n");
        assert!(write(dir.path(), &manifest, false).is_err());
        write(dir.path(), &manifest, true).unwrap();
    }
}
