//! `bootwright image verify`.

use std::path::Path;

use anyhow::Result;
use bootwright_disk::check::Finding;

use bootwright_rootfs::drivers::Hypervisor;

use crate::cli::{self, Source, Verify};
use crate::exit::Failed;
use crate::image::verify::{self, Report};
use crate::progress::Progress;
use crate::report;

/// Endings of files that hold a disk.
const IMAGES: [&str; 11] =
    ["raw", "img", "qcow2", "vmdk", "vhdx", "vhd", "ova", "xva", "zst", "gz", "xz"];

/// Checks an image or a folder.
///
/// # Errors
/// [`Failed`] if there are findings, after they have been shown; and what cannot be checked.
pub fn run(arguments: &Verify, progress: Progress) -> Result<()> {
    let path = &arguments.source.image;
    let wanted: Vec<Hypervisor> = arguments.drivers.iter().copied().map(hypervisor).collect();
    let mut reports = Vec::new();
    if path.is_dir() {
        let stage = progress.stage("checking digests");
        let (names, found) = verify::folder(path)?;
        drop(stage);
        reports.extend(found);
        for name in names.iter().filter(|name| is_image(name)) {
            let file = path.join(name);
            // That it is not there has been found already.
            if file.is_file() {
                let source = Source { image: file, input_format: None };
                reports.extend(image(name, &source, &wanted, progress)?);
            }
        }
    } else {
        reports.extend(image(&path.display().to_string(), &arguments.source, &wanted, progress)?);
    }
    if arguments.json {
        report::json(&reports)?;
    } else {
        for Report { file, place, expected, found } in &reports {
            let line = format!("{file}: {place}: expected {expected}, found {found}");
            report::data(report::name(line.as_bytes()));
        }
    }
    match reports.len() {
        0 => Ok(()),
        1 => Err(Failed(format!("{} is not good: 1 finding", path.display())).into()),
        count => Err(Failed(format!("{} is not good: {count} findings", path.display())).into()),
    }
}

fn hypervisor(named: cli::Hypervisor) -> Hypervisor {
    match named {
        cli::Hypervisor::Kvm => Hypervisor::Kvm,
        cli::Hypervisor::Vmware => Hypervisor::Vmware,
        cli::Hypervisor::Hyperv => Hypervisor::Hyperv,
        cli::Hypervisor::Xen => Hypervisor::Xen,
    }
}

fn is_image(name: &str) -> bool {
    let ending = Path::new(name).extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| IMAGES.contains(&ending))
}

/// Checks one image. One that cannot even be opened has that as its finding.
fn image(
    name: &str,
    source: &Source,
    wanted: &[Hypervisor],
    progress: Progress,
) -> Result<Vec<Report>> {
    let found: Vec<Finding> = match super::open(source, progress) {
        Ok(input) => {
            let _stage = progress.stage("checking the image");
            let mut found = verify::image(&input)?;
            if !wanted.is_empty() {
                found.extend(verify::drivers(&mut super::tree(&input, progress)?, wanted)?);
            }
            found
        }
        Err(error) => vec![verify::finding(error)?],
    };
    Ok(found.into_iter().map(|finding| Report::new(name, finding)).collect())
}
