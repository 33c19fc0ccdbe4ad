//! From the outputs and descriptors of a plan to the files that are being written.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bootwright_disk::unit::Writer;
use bootwright_disk::{qcow2, vhd, vhdx};
use bootwright_export::compressed::Codec;
use bootwright_export::descriptor::{hyperv, libvirt, qemu, vmx, xl};
use bootwright_export::machine::{Firmware, Machine};
use bootwright_export::pass::Output;
use bootwright_export::sink::{Complete, Sink, SinkOptions};
use bootwright_export::{ova, xva};

use super::Target;
use crate::formats::{Disk, DiskFormat, Vmdk};
use crate::plan::{DescriptorKind, DescriptorPart, OutputKind, OutputPart, Plan};
use crate::profile;
use crate::profile::outputs::{
    Compression, Controller, Digest, RawCompression, SectorSize, VhdFlavour, VhdSubformat,
    VmdkSubformat,
};

/// The machine and its disk, as all outputs of a plan show them.
pub struct Appliance<'a> {
    plan: &'a Plan,
    machine: Machine,
}

impl<'a> Appliance<'a> {
    /// The appliance of a plan, whose disk has so many bytes.
    pub fn new(plan: &'a Plan, disk_size: u64) -> Self {
        let firmware = match plan.machine.firmware.first() {
            Some(profile::Firmware::Uefi) => Firmware::Uefi,
            Some(profile::Firmware::Bios) | None => Firmware::Bios,
        };
        let machine = Machine {
            stem: plan.stem(),
            name: plan.name.clone(),
            version: plan.version.clone(),
            description: plan.description.clone(),
            id: plan.id,
            cpus: plan.machine.cpus,
            memory_mib: plan.machine.memory.0 >> 20,
            firmware,
            disk_size,
            seed: plan.machine.seed.clone(),
        };
        Self { plan, machine }
    }

    /// Starts an output.
    ///
    /// # Errors
    /// A disk that the format cannot hold, and a file that cannot be made.
    pub fn output(&self, part: &OutputPart, target: &Target<'_>) -> Result<Output> {
        let made = self.writer(part, target.jobs);
        let (writer, patched) = made.with_context(|| format!("writing {}", part.file))?;
        let options = SinkOptions { replace: target.replace, patched, ..SinkOptions::default() };
        let sink = Sink::create(&place(target.folder, &part.file)?, options)?;
        Ok(Output { writer, sink })
    }

    /// The writer of an output, and whether it patches what it has written.
    fn writer(&self, part: &OutputPart, jobs: usize) -> Result<(Box<dyn Writer>, bool)> {
        let format = match part.kind {
            OutputKind::Qcow2 { compression, level } => qcow2_format(compression, level),
            OutputKind::Raw { compress, level } => raw_format(compress, level),
            OutputKind::Vmdk { subformat, level } => vmdk_format(subformat, level),
            OutputKind::Vmware { .. } => DiskFormat::Vmdk(Vmdk::MonolithicSparse),
            OutputKind::Vhdx { sector_size } => vhdx_format(sector_size),
            OutputKind::Vhd { flavour, subformat } => vhd_format(flavour, subformat),
            OutputKind::Ova { controller, hardware, manifest, level } => {
                let (controller, digest) = (controller_of(controller), digest_of(manifest));
                let time = self.plan.timestamp;
                let options = ova::Options { controller, hardware, digest, level, time };
                return Ok((Box::new(ova::Writer::new(&self.machine, options)?), true));
            }
            OutputKind::Xva => {
                let writer = xva::Writer::new(&self.machine, self.plan.timestamp);
                return Ok((Box::new(writer), false));
            }
        };
        let disk = Disk {
            size: self.machine.disk_size,
            name: file_name(&part.file).to_owned(),
            id: self.plan.id,
            time: self.plan.timestamp,
            jobs,
        };
        Ok((format.writer(&disk)?, format.is_patched()))
    }

    /// Writes a descriptor, which has no name yet.
    ///
    /// # Errors
    /// A file that cannot be made.
    pub fn descriptor(&self, part: &DescriptorPart, target: &Target<'_>) -> Result<Complete> {
        // What is run is a program, the others are text.
        let mode = if part.kind == DescriptorKind::Qemu { 0o777 } else { 0o666 };
        let options = SinkOptions { mode, replace: target.replace, patched: false };
        let mut sink = Sink::create(&place(target.folder, &part.file)?, options)?;
        sink.write(self.text(part).as_bytes())?;
        Ok(sink.complete()?)
    }

    fn text(&self, part: &DescriptorPart) -> String {
        let machine = &self.machine;
        let (file, format) = (&*part.disk, part.disk_kind.name());
        match part.kind {
            DescriptorKind::Libvirt => libvirt::domain(machine, file, format),
            DescriptorKind::Qemu => qemu::script(machine, file, format),
            DescriptorKind::Xl => xl::hvm(machine, file, format),
            DescriptorKind::XlPygrub => xl::pygrub(machine, file, format),
            DescriptorKind::HyperV => hyperv::script(machine, file),
            DescriptorKind::Vmx { controller, hardware } => {
                vmx::config(machine, file_name(file), controller_of(controller).name(), hardware)
            }
        }
    }
}

/// The path of an output, whose folder is made if it has one of its own.
fn place(folder: &Path, file: &str) -> Result<PathBuf> {
    let path = folder.join(file);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)
            .with_context(|| format!("making the folder {}", parent.display()))?;
    }
    Ok(path)
}

/// The last part of an output's name.
fn file_name(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

fn controller_of(controller: Controller) -> ova::Controller {
    match controller {
        Controller::LsiLogic => ova::Controller::LsiLogic,
        Controller::PvScsi => ova::Controller::PvScsi,
    }
}

fn digest_of(digest: Digest) -> ova::Algorithm {
    match digest {
        Digest::Sha1 => ova::Algorithm::Sha1,
        Digest::Sha256 => ova::Algorithm::Sha256,
        Digest::Sha512 => ova::Algorithm::Sha512,
    }
}

fn qcow2_format(compression: Compression, level: Option<u32>) -> DiskFormat {
    let level = level.unwrap_or_default();
    DiskFormat::Qcow2(match compression {
        Compression::None => qcow2::Compression::None,
        Compression::Zlib => qcow2::Compression::Zlib(level),
        Compression::Zstd => qcow2::Compression::Zstd(level.cast_signed()),
    })
}

fn raw_format(compress: Option<RawCompression>, level: Option<u32>) -> DiskFormat {
    let level = level.unwrap_or_default();
    match compress {
        None | Some(RawCompression::None) => DiskFormat::Raw,
        Some(RawCompression::Zstd) => DiskFormat::RawCompressed(Codec::Zstd(level.cast_signed())),
        Some(RawCompression::Gzip) => DiskFormat::RawCompressed(Codec::Gzip(level)),
        Some(RawCompression::Xz) => DiskFormat::RawCompressed(Codec::Xz(level)),
    }
}

fn vmdk_format(subformat: VmdkSubformat, level: Option<u32>) -> DiskFormat {
    DiskFormat::Vmdk(match subformat {
        VmdkSubformat::StreamOptimized => Vmdk::StreamOptimized(level.unwrap_or_default()),
        VmdkSubformat::MonolithicSparse => Vmdk::MonolithicSparse,
    })
}

fn vhdx_format(sector_size: SectorSize) -> DiskFormat {
    DiskFormat::Vhdx(match sector_size {
        SectorSize::Emulated => vhdx::Sectors::Emulated,
        SectorSize::Native => vhdx::Sectors::Small,
    })
}

fn vhd_format(flavour: VhdFlavour, subformat: VhdSubformat) -> DiskFormat {
    let flavour = match flavour {
        VhdFlavour::HyperV | VhdFlavour::Azure => vhd::Flavour::HyperV,
        VhdFlavour::XenServer => vhd::Flavour::XenServer,
    };
    DiskFormat::Vhd { flavour, fixed: subformat == VhdSubformat::Fixed }
}
