//! UEFI firmware: where distributions put it, and which of it boots an ordinary image.
//!
//! Wanted is firmware without System Management Mode and without enrolled keys. It starts a
//! signed shim as it starts anything else, needs no more of the machine than a flash chip,
//! and is what every distribution has. (SeaBIOS needs no search: QEMU brings it along.)

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::request::Arch;
use crate::{Error, Result};

/// Folders of QEMU's firmware descriptors, the administrator's first. Their format is
/// `docs/interop/firmware.json` in QEMU's sources.
const DESCRIPTORS: &[&str] = &["etc/qemu/firmware", "usr/share/qemu/firmware"];

/// Pairs of code and variable template where distributions put them, for those whose
/// packages lack descriptors.
const KNOWN: &[(Arch, &str, &str)] = &[
    // Debian, Ubuntu
    (Arch::Amd64, "usr/share/OVMF/OVMF_CODE_4M.fd", "usr/share/OVMF/OVMF_VARS_4M.fd"),
    (Arch::Amd64, "usr/share/OVMF/OVMF_CODE.fd", "usr/share/OVMF/OVMF_VARS.fd"),
    // Fedora
    (Arch::Amd64, "usr/share/edk2/ovmf/OVMF_CODE.fd", "usr/share/edk2/ovmf/OVMF_VARS.fd"),
    // Arch Linux
    (Arch::Amd64, "usr/share/edk2/x64/OVMF_CODE.4m.fd", "usr/share/edk2/x64/OVMF_VARS.4m.fd"),
    (Arch::Amd64, "usr/share/edk2-ovmf/x64/OVMF_CODE.fd", "usr/share/edk2-ovmf/x64/OVMF_VARS.fd"),
    // openSUSE
    (
        Arch::Amd64,
        "usr/share/qemu/ovmf-x86_64-4m-code.bin",
        "usr/share/qemu/ovmf-x86_64-4m-vars.bin",
    ),
    (Arch::Amd64, "usr/share/qemu/ovmf-x86_64-code.bin", "usr/share/qemu/ovmf-x86_64-vars.bin"),
];

/// Features of a descriptor that rule it out.
const UNWANTED: &[&str] =
    &["requires-smm", "enrolled-keys", "amd-sev-es", "amd-sev-snp", "intel-tdx"];

/// Firmware in two flash images: code, and the template of the variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flash {
    /// The code, never written to.
    pub code: PathBuf,
    /// QEMU's driver for the code's image: `raw` or `qcow2`.
    pub code_format: String,
    /// The variables as they are on a new machine; each guest gets a copy.
    pub variables: PathBuf,
    /// QEMU's driver for the variables' image.
    pub variables_format: String,
}

/// Finds firmware in the file system below `root`.
pub(crate) fn find(root: &Path, arch: Arch) -> Result<Flash> {
    described(root, arch).or_else(|| known(root, arch)).ok_or_else(|| {
        let (debian, fedora) = match arch {
            Arch::Amd64 => ("ovmf", "edk2-ovmf"),
        };
        Error::FirmwareMissing {
            arch: arch.name(),
            looked: format!("/{} and {} usual places", DESCRIPTORS.join(", /"), KNOWN.len()),
            debian,
            fedora,
        }
    })
}

fn known(root: &Path, arch: Arch) -> Option<Flash> {
    KNOWN
        .iter()
        .filter(|(of, ..)| *of == arch)
        .map(|(_, code, variables)| Flash {
            code: root.join(code),
            code_format: "raw".into(),
            variables: root.join(variables),
            variables_format: "raw".into(),
        })
        .find(Flash::exists)
}

/// The best descriptor: the lowest file name counts, and of equal names the first folder's.
fn described(root: &Path, arch: Arch) -> Option<Flash> {
    let mut files: Vec<PathBuf> = DESCRIPTORS
        .iter()
        .filter_map(|folder| fs::read_dir(root.join(folder)).ok())
        .flat_map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())))
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort_by(|one, other| one.file_name().cmp(&other.file_name()));
    files
        .iter()
        .filter_map(|path| serde_json::from_slice::<Descriptor>(&fs::read(path).ok()?).ok())
        .filter_map(|descriptor| descriptor.flash(root, arch))
        .find(Flash::exists)
}

impl Flash {
    fn exists(&self) -> bool {
        self.code.is_file() && self.variables.is_file()
    }
}

/// The fields of a firmware descriptor that the choice needs.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Descriptor {
    interface_types: Vec<String>,
    mapping: Mapping,
    targets: Vec<Target>,
    features: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Mapping {
    device: String,
    executable: Option<Image>,
    nvram_template: Option<Image>,
}

#[derive(Deserialize)]
struct Image {
    filename: String,
    format: String,
}

#[derive(Deserialize)]
struct Target {
    architecture: String,
    machines: Vec<String>,
}

impl Descriptor {
    /// The two images, if they are what is wanted.
    fn flash(self, root: &Path, arch: Arch) -> Option<Flash> {
        let machine = arch.machine_type();
        let fits = self.interface_types.iter().any(|kind| kind == "uefi")
            && self.mapping.device == "flash"
            && !self.features.iter().any(|feature| UNWANTED.contains(&feature.as_str()))
            && self.targets.iter().any(|target| {
                target.architecture == arch.qemu_name()
                    && target.machines.iter().any(|pattern| pattern.contains(machine))
            });
        let (code, variables) = (self.mapping.executable?, self.mapping.nvram_template?);
        let usable = |image: &Image| ["raw", "qcow2"].contains(&image.format.as_str());
        (fits && usable(&code) && usable(&variables)).then(|| Flash {
            code: below(root, &code.filename),
            code_format: code.format,
            variables: below(root, &variables.filename),
            variables_format: variables.format,
        })
    }
}

fn below(root: &Path, absolute: &str) -> PathBuf {
    root.join(absolute.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::find;
    use crate::request::Arch;

    fn place(root: &Path, path: &str, content: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn descriptor(code: &str, features: &str) -> String {
        format!(
            r#"{{"description": "", "interface-types": ["uefi"], "mapping": {{"device": "flash",
              "executable": {{"filename": "/fw/{code}", "format": "qcow2"}},
              "nvram-template": {{"filename": "/fw/vars", "format": "raw"}}}},
              "targets": [{{"architecture": "x86_64", "machines": ["pc-i440fx-*", "pc-q35-*"]}}],
              "features": [{features}], "tags": []}}"#
        )
    }

    #[test]
    fn nothing_found_names_the_packages() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(
            find(root.path(), Arch::Amd64).unwrap_err().to_string(),
            "no UEFI firmware for amd64 in /etc/qemu/firmware, /usr/share/qemu/firmware and 7 usual places; \
             install the package ovmf (Debian, Ubuntu) or edk2-ovmf (Fedora), or boot with BIOS"
        );
    }

    #[test]
    fn usual_places_need_both_files() {
        let root = tempfile::tempdir().unwrap();
        place(root.path(), "usr/share/OVMF/OVMF_CODE_4M.fd", "");
        assert!(find(root.path(), Arch::Amd64).is_err());
        place(root.path(), "usr/share/OVMF/OVMF_VARS_4M.fd", "");
        let flash = find(root.path(), Arch::Amd64).unwrap();
        assert_eq!(flash.code, root.path().join("usr/share/OVMF/OVMF_CODE_4M.fd"));
        assert_eq!(flash.code_format, "raw");
    }

    #[test]
    fn descriptors_are_judged_by_their_features() {
        let root = tempfile::tempdir().unwrap();
        for name in ["plain", "secure", "vars"] {
            place(root.path(), &format!("fw/{name}"), "");
        }
        let folder = "usr/share/qemu/firmware";
        let secure = descriptor("secure", r#""secure-boot", "requires-smm""#);
        place(root.path(), &format!("{folder}/10-a.json"), &secure);
        place(root.path(), &format!("{folder}/20-gone.json"), &descriptor("gone", ""));
        place(root.path(), &format!("{folder}/30-broken.json"), "{");
        place(root.path(), &format!("{folder}/40-b.json"), &descriptor("plain", ""));
        let flash = find(root.path(), Arch::Amd64).unwrap();
        assert_eq!(flash.code, root.path().join("fw/plain"));
        assert_eq!((flash.code_format.as_str(), flash.variables_format.as_str()), ("qcow2", "raw"));
    }
}
