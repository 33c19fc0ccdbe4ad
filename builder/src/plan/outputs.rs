//! The wanted artefacts of a plan, in a fixed order, and the descriptors that go with them.

use anyhow::Result;
use bootwright_rootfs::drivers::Hypervisor;
use bootwright_seed::yaml::decode::unknown;
use serde::Serialize;

use crate::exit::Usage;
use crate::profile::outputs::{
    Compression, Controller, Digest, Outputs, OvaOutput, Qcow2Output, RawCompression, RawOutput,
    SectorSize, VhdFlavour, VhdOutput, VhdSubformat, VmdkOutput, VmdkSubformat,
};

/// Deflate level where the profile names none.
const DEFLATE: u32 = 6;
/// Hardware versions below this one go with products that know SHA-1 manifests alone.
const SHA256_HARDWARE: u32 = 13;

/// An artefact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutputPart {
    pub file: String,
    #[serde(flatten)]
    pub kind: OutputKind,
}

/// The kinds of artefacts with what is chosen for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "format", rename_all = "lowercase")]
pub enum OutputKind {
    /// A qcow2 image.
    Qcow2 {
        compression: Compression,
        #[serde(skip_serializing_if = "Option::is_none")]
        level: Option<u32>,
    },
    /// A raw image.
    Raw {
        #[serde(skip_serializing_if = "Option::is_none")]
        compress: Option<RawCompression>,
        #[serde(skip_serializing_if = "Option::is_none")]
        level: Option<u32>,
    },
    /// A VMDK.
    Vmdk {
        subformat: VmdkSubformat,
        #[serde(skip_serializing_if = "Option::is_none")]
        level: Option<u32>,
    },
    /// The disk of a VMware folder, a monolithicSparse VMDK.
    Vmware { controller: Controller, hardware: u32 },
    /// An OVA.
    Ova { controller: Controller, hardware: u32, manifest: Digest, level: u32 },
    /// A VHDX.
    Vhdx { sector_size: SectorSize },
    /// A VHD.
    Vhd { flavour: VhdFlavour, subformat: VhdSubformat },
    /// An XVA.
    Xva,
}

impl OutputKind {
    /// The key under `outputs:` in a profile.
    pub fn name(self) -> &'static str {
        match self {
            Self::Qcow2 { .. } => "qcow2",
            Self::Raw { .. } => "raw",
            Self::Vmdk { .. } => "vmdk",
            Self::Vmware { .. } => "vmware",
            Self::Ova { .. } => "ova",
            Self::Vhdx { .. } => "vhdx",
            Self::Vhd { .. } => "vhd",
            Self::Xva => "xva",
        }
    }

    /// The hypervisor that it is for, if that is told by the format.
    pub fn hypervisor(self) -> Option<Hypervisor> {
        match self {
            Self::Qcow2 { .. } => Some(Hypervisor::Kvm),
            Self::Raw { .. } => None,
            Self::Vmdk { .. } | Self::Vmware { .. } | Self::Ova { .. } => Some(Hypervisor::Vmware),
            Self::Vhd { flavour: VhdFlavour::XenServer, .. } | Self::Xva => Some(Hypervisor::Xen),
            Self::Vhdx { .. } | Self::Vhd { .. } => Some(Hypervisor::Hyperv),
        }
    }

    /// The file of an appliance.
    fn file(self, stem: &str) -> String {
        match self {
            Self::Raw { compress: Some(RawCompression::Zstd), .. } => format!("{stem}.raw.zst"),
            Self::Raw { compress: Some(RawCompression::Gzip), .. } => format!("{stem}.raw.gz"),
            Self::Raw { compress: Some(RawCompression::Xz), .. } => format!("{stem}.raw.xz"),
            Self::Vmware { .. } => format!("{stem}-vmware/{stem}.vmdk"),
            _ => format!("{stem}.{}", self.name()),
        }
    }
}

/// A descriptor: a small file with which a hypervisor takes a disk as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DescriptorPart {
    pub file: String,
    #[serde(skip)]
    pub kind: DescriptorKind,
    /// The file of the disk it is for.
    pub disk: String,
    #[serde(skip)]
    pub disk_kind: OutputKind,
}

/// The kinds of descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DescriptorKind {
    /// A libvirt domain.
    Libvirt,
    /// A script that starts QEMU.
    Qemu,
    /// A fully virtualised domain of xl.
    Xl,
    /// A paravirtualised domain of xl.
    XlPygrub,
    /// A PowerShell script that makes a Hyper-V machine.
    HyperV,
    /// A VMware machine.
    Vmx { controller: Controller, hardware: u32 },
}

impl DescriptorKind {
    /// The kind's name in the manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Libvirt => "libvirt",
            Self::Qemu => "qemu",
            Self::Xl => "xl",
            Self::XlPygrub => "xl-pygrub",
            Self::HyperV => "hyper-v",
            Self::Vmx { .. } => "vmx",
        }
    }

    fn file(self, stem: &str) -> String {
        match self {
            Self::Libvirt => format!("{stem}.libvirt.xml"),
            Self::Qemu => format!("{stem}.qemu.sh"),
            Self::Xl => format!("{stem}.xl.cfg"),
            Self::XlPygrub => format!("{stem}.pygrub.cfg"),
            Self::HyperV => format!("{stem}.ps1"),
            Self::Vmx { .. } => format!("{stem}-vmware/{stem}.vmx"),
        }
    }

    /// The kinds that can take a disk.
    fn all_for(disk: OutputKind) -> Vec<Self> {
        match disk {
            OutputKind::Qcow2 { .. } | OutputKind::Raw { compress: None, .. } => {
                vec![Self::Libvirt, Self::Qemu, Self::Xl, Self::XlPygrub]
            }
            OutputKind::Vmware { controller, hardware } => vec![Self::Vmx { controller, hardware }],
            OutputKind::Vhdx { .. } => vec![Self::HyperV],
            OutputKind::Vhd { flavour: VhdFlavour::HyperV, .. } => vec![Self::HyperV],
            OutputKind::Vhd { flavour: VhdFlavour::XenServer, .. } => {
                vec![Self::Xl, Self::XlPygrub]
            }
            OutputKind::Raw { .. }
            | OutputKind::Vmdk { .. }
            | OutputKind::Ova { .. }
            | OutputKind::Vhd { .. }
            | OutputKind::Xva => Vec::new(),
        }
    }
}

/// The outputs and descriptors of an appliance, of all formats or `only` some.
///
/// # Errors
/// No outputs, and names that are no output of the profile.
pub fn resolve(
    spec: &Outputs,
    stem: &str,
    only: &[String],
) -> Result<(Vec<OutputPart>, Vec<DescriptorPart>)> {
    let wanted = wanted(spec);
    let names: Vec<&str> = wanted.iter().map(|kind| kind.name()).collect();
    if names.is_empty() {
        return Err(
            Usage("the profile asks for no outputs; name one under `outputs:`".into()).into()
        );
    }
    if let Some(name) = only.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(Usage(format!("--only: {}", unknown("output", name, &names))).into());
    }
    let is_wanted = |kind: &OutputKind| only.is_empty() || only.iter().any(|n| n == kind.name());
    let parts: Vec<OutputPart> = wanted
        .into_iter()
        .filter(is_wanted)
        .map(|kind| OutputPart { file: kind.file(stem), kind })
        .collect();
    let descriptors = descriptors(&parts, stem);
    Ok((parts, descriptors))
}

/// The outputs of a profile, in a fixed order.
fn wanted(spec: &Outputs) -> Vec<OutputKind> {
    let vmware = spec.vmware.as_ref().map(|vmware| OutputKind::Vmware {
        controller: vmware.controller,
        hardware: vmware.hardware,
    });
    let vhdx = spec.vhdx.as_ref().map(|vhdx| OutputKind::Vhdx { sector_size: vhdx.sector_size });
    let kinds = [
        spec.qcow2.as_ref().map(qcow2),
        spec.raw.as_ref().map(raw),
        spec.vmdk.as_ref().map(vmdk),
        vmware,
        spec.ova.as_ref().map(ova),
        vhdx,
        spec.vhd.as_ref().map(vhd),
        spec.xva.as_ref().map(|_| OutputKind::Xva),
    ];
    kinds.into_iter().flatten().collect()
}

fn qcow2(spec: &Qcow2Output) -> OutputKind {
    let level = match spec.compression {
        Compression::None => None,
        Compression::Zlib => Some(spec.level.unwrap_or(DEFLATE)),
        Compression::Zstd => Some(spec.level.unwrap_or(3)),
    };
    OutputKind::Qcow2 { compression: spec.compression, level }
}

fn raw(spec: &RawOutput) -> OutputKind {
    let usual = match spec.compress {
        RawCompression::None => return OutputKind::Raw { compress: None, level: None },
        RawCompression::Zstd => 3,
        RawCompression::Gzip | RawCompression::Xz => 6,
    };
    OutputKind::Raw { compress: Some(spec.compress), level: Some(spec.level.unwrap_or(usual)) }
}

fn vmdk(spec: &VmdkOutput) -> OutputKind {
    let level = match spec.subformat {
        VmdkSubformat::StreamOptimized => Some(spec.level.unwrap_or(DEFLATE)),
        VmdkSubformat::MonolithicSparse => None,
    };
    OutputKind::Vmdk { subformat: spec.subformat, level }
}

fn ova(spec: &OvaOutput) -> OutputKind {
    let manifest = spec.manifest.unwrap_or(match spec.hardware < SHA256_HARDWARE {
        true => Digest::Sha1,
        false => Digest::Sha256,
    });
    let OvaOutput { controller, hardware, level, .. } = *spec;
    OutputKind::Ova { controller, hardware, manifest, level: level.unwrap_or(DEFLATE) }
}

/// Azure takes fixed disks alone.
fn vhd(spec: &VhdOutput) -> OutputKind {
    let subformat = spec.subformat.unwrap_or(match spec.flavour {
        VhdFlavour::Azure => VhdSubformat::Fixed,
        VhdFlavour::HyperV | VhdFlavour::XenServer => VhdSubformat::Dynamic,
    });
    OutputKind::Vhd { flavour: spec.flavour, subformat }
}

/// A descriptor of every kind that can take one of the outputs, each for the first it can.
fn descriptors(outputs: &[OutputPart], stem: &str) -> Vec<DescriptorPart> {
    let mut parts: Vec<DescriptorPart> = Vec::new();
    for output in outputs {
        for kind in DescriptorKind::all_for(output.kind) {
            if parts.iter().all(|part| part.kind != kind) {
                let (disk, disk_kind) = (output.file.clone(), output.kind);
                parts.push(DescriptorPart { file: kind.file(stem), kind, disk, disk_kind });
            }
        }
    }
    parts
}
