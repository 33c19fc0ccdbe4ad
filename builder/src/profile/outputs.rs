//! The `outputs:` of a profile: which artefacts are wanted, and what is said about each.

use serde::{Deserialize, Deserializer, Serialize};

/// The artefacts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outputs {
    #[serde(default, deserialize_with = "wanted")]
    pub qcow2: Option<Qcow2Output>,
    #[serde(default, deserialize_with = "wanted")]
    pub raw: Option<RawOutput>,
    #[serde(default, deserialize_with = "wanted")]
    pub vmdk: Option<VmdkOutput>,
    #[serde(default, deserialize_with = "wanted")]
    pub vmware: Option<VmwareOutput>,
    #[serde(default, deserialize_with = "wanted")]
    pub ova: Option<OvaOutput>,
    #[serde(default, deserialize_with = "wanted")]
    pub vhdx: Option<VhdxOutput>,
    #[serde(default, deserialize_with = "wanted")]
    pub vhd: Option<VhdOutput>,
    #[serde(default, deserialize_with = "wanted")]
    pub xva: Option<XvaOutput>,
}

/// An output whose key is there is wanted, whatever is said of it.
fn wanted<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// A qcow2 image.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Qcow2Output {
    pub compression: Compression,
    pub level: Option<u32>,
}

impl Default for Qcow2Output {
    fn default() -> Self {
        Self { compression: Compression::Zlib, level: None }
    }
}

/// How clusters of a qcow2 are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    None,
    Zlib,
    Zstd,
}

/// A raw image.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawOutput {
    pub compress: RawCompression,
    pub level: Option<u32>,
}

/// How a raw image is compressed as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RawCompression {
    #[default]
    None,
    Zstd,
    Gzip,
    Xz,
}

/// A VMDK in one file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VmdkOutput {
    pub subformat: VmdkSubformat,
    pub level: Option<u32>,
}

/// Kinds of VMDK, spelled as VMware and qemu-img do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum VmdkSubformat {
    #[default]
    StreamOptimized,
    MonolithicSparse,
}

/// SCSI controllers of VMware machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Controller {
    #[default]
    LsiLogic,
    PvScsi,
}

/// A folder with a machine that Workstation, Fusion and Player open: .vmx and .vmdk.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VmwareOutput {
    pub controller: Controller,
    pub hardware: u32,
}

impl Default for VmwareOutput {
    fn default() -> Self {
        Self { controller: Controller::default(), hardware: HARDWARE }
    }
}

/// VMware hardware version for ESXi 6.7 U2 and newer.
const HARDWARE: u32 = 15;

/// An OVA.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OvaOutput {
    pub controller: Controller,
    pub hardware: u32,
    /// Digest of the manifest; SHA-256, or SHA-1 for the products of old hardware versions,
    /// which know nothing else.
    pub manifest: Option<Digest>,
    pub level: Option<u32>,
}

impl Default for OvaOutput {
    fn default() -> Self {
        Self { controller: Controller::default(), hardware: HARDWARE, manifest: None, level: None }
    }
}

/// Digests of an OVA's manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Digest {
    Sha1,
    Sha256,
    Sha512,
}

/// A VHDX.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VhdxOutput {
    pub sector_size: SectorSize,
}

/// The sector sizes that the disk shows, logical and physical.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
pub enum SectorSize {
    /// 512 and 4096, as Hyper-V's own tools make disks.
    #[default]
    #[serde(rename = "512e")]
    Emulated,
    /// 512 both, as QEMU makes them.
    #[serde(rename = "512n")]
    Native,
}

/// A VHD.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VhdOutput {
    pub flavour: VhdFlavour,
    pub subformat: Option<VhdSubformat>,
}

/// Whose VHD it is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VhdFlavour {
    #[default]
    #[serde(rename = "hyper-v", alias = "hyperv")]
    HyperV,
    Azure,
    XenServer,
}

/// Whether holes of a VHD take room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VhdSubformat {
    Dynamic,
    Fixed,
}

/// A machine for XenServer and XCP-ng.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct XvaOutput {}
