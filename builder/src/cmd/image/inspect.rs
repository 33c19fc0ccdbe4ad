//! `bootwright image inspect`.

use anyhow::Result;
use bootwright_rootfs::bytes;

use crate::cli::Inspect;
use crate::image::survey::{
    Container, Description, Disk, FileSystem, System, VolumePart, describe,
};
use crate::progress::Progress;
use crate::report;

/// Says what an image is and what is in it.
///
/// # Errors
/// An image that cannot be opened or read.
pub fn run(arguments: &Inspect, progress: Progress) -> Result<()> {
    let input = super::open(&arguments.source, progress)?;
    let description = describe(&input, arguments.drivers)?;
    if arguments.json {
        return report::json(&description);
    }
    show(&description);
    Ok(())
}

fn show(description: &Description) {
    container(&description.container, &description.disk);
    match &description.partition_table {
        Some(table) => report::data(format_args!("partitions: {} {}", table.kind, table.id)),
        None => report::data("partitions: none"),
    }
    for volume in &description.volumes {
        self::volume(volume);
    }
    if let Some(system) = &description.system {
        self::system(system);
    }
    for problem in &description.problems {
        report::data(format_args!("problem: {}", plain(problem)));
    }
}

/// Text from an image, safe for a terminal.
fn plain(text: &str) -> String {
    report::name(text.as_bytes())
}

fn container(container: &Container, disk: &Disk) {
    let outer: Vec<&str> =
        [container.compression, container.archive].into_iter().flatten().collect();
    let outer = match outer.is_empty() {
        true => String::new(),
        false => format!(" in {}", outer.join(", ")),
    };
    let variant = container.variant.as_ref().map(|text| format!(" ({})", plain(text)));
    report::data(format_args!(
        "{}: {}{}{outer}",
        container.file,
        container.format,
        variant.unwrap_or_default()
    ));
    if let (Some(size), Some(stored)) = (container.size, container.stored) {
        report::data(format_args!("  file: {}, {} on its disk", bytes(size), bytes(stored)));
    }
    report::data(format_args!(
        "  disk: {} ({} bytes), {} allocated",
        bytes(disk.size),
        disk.size,
        bytes(disk.allocated)
    ));
    if let Some(size) = container.block_size {
        report::data(format_args!("  blocks: {}", bytes(size)));
    }
    if let Some((logical, physical)) = container.sector_sizes {
        report::data(format_args!("  sectors: {logical} logical, {physical} physical"));
    }
}

fn volume(volume: &VolumePart) {
    let mut line = match volume.number {
        Some(number) => format!("  {number:>3}"),
        None => "  disk".to_owned(),
    };
    line += &format!(": {} at {}", bytes(volume.size), bytes(volume.start));
    let kind = volume.kind.as_ref().or(volume.type_id.as_ref());
    let quoted = |text: &String| format!("\"{}\"", plain(text));
    for part in [kind.cloned(), volume.name.as_ref().map(quoted)].into_iter().flatten() {
        line += &format!(", {part}");
    }
    if let Some(found) = &volume.file_system {
        line += &format!("; {}", file_system(found));
    }
    report::data(line);
}

fn file_system(found: &FileSystem) -> String {
    let mut line = found.kind.to_owned();
    if let Some(label) = &found.label {
        line += &format!(" \"{}\"", plain(label));
    }
    if let Some(uuid) = &found.uuid {
        line += &format!(" {uuid}");
    }
    if let (Some(used), Some(free)) = (found.used, found.free) {
        line += &format!(", {} used, {} free", bytes(used), bytes(free));
    }
    if let Some(point) = &found.mounted_at {
        line += &format!(", at {}", plain(point));
    }
    if let Some(unclean) = found.unclean {
        line += &format!(", {unclean}");
    }
    line
}

fn system(system: &System) {
    let release = system.name.as_ref().or(system.id.as_ref());
    let release = release.map_or_else(|| "no release named".to_owned(), |text| plain(text));
    let arch = system.arch.map(|arch| format!(" ({arch})")).unwrap_or_default();
    report::data(format_args!("system: {release}{arch}"));
    for kernel in &system.kernels {
        let initramfs = match &kernel.initramfs {
            Some(path) => format!(", {}", plain(path)),
            None => ", no initramfs".to_owned(),
        };
        let image = kernel.image.as_ref().map_or("no image".to_owned(), |path| plain(path));
        report::data(format_args!("  kernel: {}: {image}{initramfs}", plain(&kernel.version)));
    }
    for packages in &system.packages {
        match packages.installed {
            Some(count) => report::data(format_args!("  packages: {count} ({})", packages.manager)),
            None => report::data(format_args!("  packages: a database of {}", packages.manager)),
        }
    }
    match &system.agent {
        None => report::data("  agent: none"),
        Some(agent) => {
            let size = agent.size.map_or("only its configuration".to_owned(), bytes);
            let profile = agent.profile.as_ref();
            let profile = profile
                .map(|made| format!(", profile {} {}", plain(&made.name), plain(&made.version)));
            report::data(format_args!("  agent: {size}{}", profile.unwrap_or_default()));
        }
    }
    report::data(format_args!("  machine-id: {}", system.machine_id));
    for part in system.drivers.iter().flatten() {
        if part.missing.is_empty() {
            report::data(format_args!("  drivers: {}: complete", part.hypervisor));
        }
        for missing in &part.missing {
            report::data(format_args!("  drivers: {}", plain(missing)));
        }
    }
}
