//! Whether an image has the drivers of the hypervisors that it is made for.

use anyhow::{Context, Result};
use bootwright_rootfs::Tree;
use bootwright_rootfs::drivers::{Drivers, Hypervisor, Missing};

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
