//! Whether an image has the drivers of the hypervisors that it is made for.

use anyhow::{Context, Result};
use bootwright_rootfs::Tree;
use bootwright_rootfs::drivers::{Drivers, Hypervisor, Missing};

use crate::exit::Unusable;
use crate::plan::Plan;
use crate::profile::DriverCheck;
use crate::progress::Progress;

/// What `hypervisors` want and the image lacks; nothing is good. Each says what to do about
/// it. An image without a kernel lacks no drivers: it boots nowhere.
///
/// # Errors
/// Lists of modules or an initramfs that cannot be read.
pub fn missing(tree: &mut Tree, hypervisors: &[Hypervisor]) -> Result<Vec<Missing>> {
    if hypervisors.is_empty() {
        return Ok(Vec::new());
    }
    let drivers = Drivers::read(tree).context("looking for the drivers of hypervisors")?;
    let drivers = drivers.iter();
    Ok(drivers
        .flat_map(|drivers| hypervisors.iter().flat_map(|&one| drivers.missing(one)))
        .collect())
}

/// Says what the image lacks to boot on the hypervisors of its outputs, or fails over it.
///
/// # Errors
/// As [`missing`], and what is missing unless the plan says to go on.
pub fn check(plan: &Plan, tree: &mut Tree, progress: Progress) -> Result<()> {
    if plan.drivers == DriverCheck::Ignore {
        return Ok(());
    }
    let mut hypervisors: Vec<_> =
        plan.outputs.iter().filter_map(|part| part.kind.hypervisor()).collect();
    hypervisors.sort();
    hypervisors.dedup();
    let lacks = missing(tree, &hypervisors)?;
    if lacks.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = lacks.iter().map(ToString::to_string).collect();
    if plan.drivers == DriverCheck::Warn {
        progress.note(&format!("warning: {}", lines.join("\nwarning: ")));
        return Ok(());
    }
    let advice = "or set `drivers: warn` in the profile to build it all the same";
    Err(Unusable(format!("the image would not boot: {}; {advice}", lines.join("; "))).into())
}
