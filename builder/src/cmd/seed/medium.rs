//! The file of a medium: raw, or a disk in one of the hypervisors' formats.

use std::path::Path;

use anyhow::{Context, Result};
use bootwright_disk::view::Memory;
use bootwright_disk::{Sha256, qcow2, vhdx};
use bootwright_export::pass::{Output, Pass};
use bootwright_export::sink::{Finished, Sink, SinkOptions, write_file};
use bootwright_seed::medium::{Filesystem, Kind};
use uuid::Uuid;

use crate::cli::{Container, Format, Kind as KindArg};
use crate::exit::Usage;
use crate::formats::{Disk, DiskFormat, Vmdk};
use crate::interrupt;

/// Namespace of the ids inside disk images of seeds.
const NAMESPACE: Uuid = Uuid::from_u128(0x2c5b_0d57_6a0e_4f0c_8e55_7d3e_9a41_c7f2);
/// A disk is a multiple of this, in bytes.
const MIB: u64 = 1 << 20;
/// Smallest disk for VMware and Hyper-V, in bytes: their importers refuse tiny ones.
const LEAST: u64 = 16 * MIB;
/// Level of compression in formats that compress.
const LEVEL: u32 = 6;

impl From<KindArg> for Kind {
    fn from(kind: KindArg) -> Self {
        match kind {
            KindArg::Cidata => Self::Cidata,
            KindArg::Config2 => Self::Config2,
        }
    }
}

impl From<Container> for Filesystem {
    fn from(container: Container) -> Self {
        match container {
            Container::Iso => Self::Iso9660,
            Container::Vfat => Self::Vfat,
        }
    }
}

/// The format that a file's name ends in; raw if it tells none.
pub fn format_of(path: &Path) -> Format {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("qcow2") => Format::Qcow2,
        Some("vmdk") => Format::Vmdk,
        Some("vhdx") => Format::Vhdx,
        _ => Format::Raw,
    }
}

/// Writes a medium, readable by its owner alone.
///
/// # Errors
/// What the system says, and a name that the format cannot hold.
pub fn write(path: &Path, mut image: Vec<u8>, format: Format, replace: bool) -> Result<Finished> {
    let options = SinkOptions { mode: 0o600, replace, patched: false };
    if format == Format::Raw {
        return Ok(write_file(path, &image, options)?);
    }
    let digest = Sha256::of_reader(&image[..]).context("taking the medium's digest")?.0;
    let id = Uuid::new_v5(&NAMESPACE, digest.to_string().as_bytes());
    let least = if format == Format::Qcow2 { MIB } else { LEAST };
    let size = (image.len() as u64).next_multiple_of(MIB).max(least);
    image.resize(usize::try_from(size)?, 0);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let format = match format {
        Format::Raw => DiskFormat::Raw,
        Format::Qcow2 => DiskFormat::Qcow2(qcow2::Compression::Zlib(LEVEL)),
        Format::Vmdk => DiskFormat::Vmdk(Vmdk::StreamOptimized(LEVEL)),
        Format::Vhdx => DiskFormat::Vhdx(vhdx::Sectors::default()),
    };
    let writer = format.writer(&Disk { size, name, id, time: 0, jobs: 1 })?;
    let options = SinkOptions { patched: format.is_patched(), ..options };
    let output = Output { writer, sink: Sink::create(path, options)? };
    let disk = Memory::new(image);
    let pass = Pass { disk: &disk, jobs: 1, progress: &|_| {}, cancel: interrupt::flag() };
    let finished = pass.run(vec![output])?;
    finished.into_iter().next().context("the pass gave no output")
}

/// The time in the medium's file system: the environment's, or none at all.
///
/// # Errors
/// A SOURCE_DATE_EPOCH that is no number.
pub fn time() -> Result<u64> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text.parse().map_err(|_| {
            Usage(format!("SOURCE_DATE_EPOCH is {text:?}, expected seconds since 1970")).into()
        }),
        Err(_) => Ok(0),
    }
}
