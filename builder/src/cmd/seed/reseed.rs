//! `bootwright seed reseed`.

use anyhow::{Context, Result};
use bootwright_disk::Format as DiskFormat;
use bootwright_seed::create::Seed;
use bootwright_seed::medium::{Filesystem, write};

use super::device::Device;
use super::{medium, recipients};
use crate::cli::{Format, SeedReseed};
use crate::exit::{Unreadable, Usage};
use crate::report;

/// Replaces the user-data of a medium, in one step.
///
/// # Errors
/// A medium that is no seed, an env that cannot be used, and what the system says.
pub fn reseed(arguments: &SeedReseed) -> Result<()> {
    // Where a link leads to, so that the link stays one.
    let path = std::fs::canonicalize(&arguments.medium)
        .map_err(|source| Unreadable::new("medium", &arguments.medium, source))?;
    let (mut device, format) = Device::open(&path)?;
    let old = device.medium(&path)?;
    let format = match format {
        DiskFormat::Raw => Format::Raw,
        DiskFormat::Qcow2 => Format::Qcow2,
        DiskFormat::Vmdk => Format::Vmdk,
        DiskFormat::Vhdx => Format::Vhdx,
        DiskFormat::Vhd => {
            let what = "the medium is a VHD, which is read but not written; make a VHDX with `seed create`";
            return Err(Usage(what.to_owned()).into());
        }
    };
    let Some(kind) = old.kind else {
        let label = old.labels.join(", ");
        let what = format!(
            "the medium is labelled {label:?}, so it is no seed; make one with `seed create`"
        );
        return Err(Usage(what).into());
    };
    let env = Unreadable::read("env", &arguments.env)?;
    let mut seed = Seed::renewed(&arguments.env.display().to_string(), env, &old, kind)?;
    if let Some(id) = &arguments.instance_id {
        seed = seed.with_instance_id(id)?;
    }
    if !arguments.encrypt_to.is_empty() {
        seed = seed.sealed_to(&recipients(&arguments.encrypt_to)?)?;
    }
    let filesystem = match old.filesystem {
        "vfat" => Filesystem::Vfat,
        _ => Filesystem::Iso9660,
    };
    let image = write::medium(&seed.files(kind), filesystem, medium::time()?)
        .context("making the medium")?;
    medium::write(&path, image, format, true)?;
    report::message(format_args!("instance-id: {}", seed.instance_id()));
    report::data(arguments.medium.display());
    Ok(())
}
