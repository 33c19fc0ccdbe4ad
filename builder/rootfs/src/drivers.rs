//! Whether an image has the drivers of a hypervisor: in its kernel, in its initramfs where
//! they are needed to find the root, or at least installed.
//!
//! All that is read are names: `modules.builtin` and `modules.dep` of the newest kernel, and
//! the files in its initramfs. Nothing of the guest runs.

mod cpio;
mod initramfs;
mod lz4;
mod modules;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::kernels::{Kernel, MODULES, kernels};
use crate::tree::Tree;
use crate::{Error, Result};
use wanted::{Wanted, When, wanted};

/// The hypervisors whose devices are known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hypervisor {
    /// KVM with virtio.
    Kvm,
    /// ESXi, Workstation and Fusion.
    Vmware,
    /// Hyper-V, both generations.
    Hyperv,
    /// Xen, as an HVM guest.
    Xen,
}

impl Hypervisor {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Kvm, Self::Vmware, Self::Hyperv, Self::Xen];

    /// Its name on command lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Vmware => "vmware",
            Self::Hyperv => "hyperv",
            Self::Xen => "xen",
        }
    }
}

/// Drivers that are missing. `Display` says which, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The hypervisor that wants them.
    pub hypervisor: Hypervisor,
    /// What they are for, such as `the disk`.
    pub purpose: &'static str,
    /// The kernel that was looked at.
    pub kernel: String,
    /// The sets of drivers of which one is needed: its names, without what is there.
    pub drivers: Vec<Vec<&'static str>>,
    /// Whether a set is installed, but not in the initramfs.
    pub is_installed: bool,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hypervisor, purpose, kernel, drivers, is_installed } = self;
        let sets: Vec<String> = drivers.iter().map(|set| set.join(" with ")).collect();
        let sets = sets.join(", or ");
        let place = if *is_installed { "the initramfs of kernel" } else { "kernel" };
        write!(
            f,
            "{}: {place} {kernel} lacks the driver of {purpose}: {sets}; ",
            hypervisor.name()
        )?;
        match drivers.first().filter(|_| *is_installed) {
            Some(set) => write!(
                f,
                "it is installed: name {} in /etc/initramfs-tools/modules (dracut: add_drivers in \
                 /etc/dracut.conf.d) by an overlay and rebuild the initramfs in a `run:` step",
                set.join(" and ")
            ),
            None => f.write_str(
                "choose a `base:` with another flavour of the kernel (Debian: linux-image-amd64 \
                 instead of linux-image-cloud-amd64; Ubuntu: linux-image-generic or -virtual \
                 with linux-modules-extra instead of -kvm), or install one with `packages:`",
            ),
        }
    }
}

/// The drivers of an image's newest kernel.
#[derive(Debug)]
pub struct Drivers {
    kernel: String,
    builtin: BTreeSet<String>,
    installed: BTreeMap<String, Vec<String>>,
    /// Those in the initramfs. Without one, the kernel has to have them itself.
    early: BTreeSet<String>,
}

impl Drivers {
    /// Reads the lists of the kernel that a boot loader starts, and its initramfs; nothing
    /// if the image has no kernel.
    ///
    /// # Errors
    /// Lists or an initramfs that cannot be read.
    pub fn read(tree: &mut Tree) -> Result<Option<Self>> {
        let kernels = kernels(tree)?;
        let bootable = kernels.iter().rev().find(|kernel| kernel.image.is_some());
        let Some(Kernel { version, initramfs, .. }) = bootable.or(kernels.last()) else {
            return Ok(None);
        };
        let list = |tree: &mut Tree, name: &str| {
            let path = format!("{MODULES}/{version}/{name}");
            let text = tree.read(path.as_bytes())?.ok_or_else(|| Error::Edit {
                path,
                problem: "the list is missing; run depmod in the image".to_owned(),
            })?;
            Ok::<_, Error>(String::from_utf8_lossy(&text).into_owned())
        };
        let builtin = modules::builtin(&list(tree, "modules.builtin")?);
        let installed = modules::dependencies(&list(tree, "modules.dep")?);
        let early = match initramfs {
            Some(path) => early(tree, path)?,
            None => BTreeSet::new(),
        };
        Ok(Some(Self { kernel: version.clone(), builtin, installed, early }))
    }

    /// The kernel that was looked at.
    #[must_use]
    pub fn kernel(&self) -> &str {
        &self.kernel
    }

    /// What a hypervisor wants and the image lacks; nothing is good.
    #[must_use]
    pub fn missing(&self, hypervisor: Hypervisor) -> Vec<Missing> {
        let all = wanted(hypervisor).iter();
        all.filter_map(|wanted| self.look_for(hypervisor, wanted)).collect()
    }

    /// Whether a driver is there when the root is looked for, with all that it needs.
    #[must_use]
    pub fn is_early(&self, driver: &str) -> bool {
        self.lacking(driver, When::Booting).is_empty()
    }

    fn look_for(&self, hypervisor: Hypervisor, wanted: &Wanted) -> Option<Missing> {
        let lacks = |set: &&[&'static str], when| -> Vec<&'static str> {
            set.iter().copied().filter(|driver| !self.lacking(driver, when).is_empty()).collect()
        };
        let sets: Vec<_> = wanted.any.iter().map(|set| lacks(set, wanted.when)).collect();
        if sets.iter().any(Vec::is_empty) {
            return None;
        }
        let is_installed = |set: &&[&'static str]| lacks(set, When::Running).is_empty();
        let installed: Vec<_> = wanted.any.iter().map(is_installed).collect();
        // Of what is installed it is enough to put it into the initramfs: no word of others.
        let is_installed = installed.contains(&true);
        let drivers = sets.into_iter().zip(installed);
        let drivers = drivers.filter(|(_, installed)| *installed || !is_installed);
        Some(Missing {
            hypervisor,
            purpose: wanted.purpose,
            kernel: self.kernel.clone(),
            drivers: drivers.map(|(set, _)| set).collect(),
            is_installed,
        })
    }

    /// What is not there of a driver and all that it needs.
    fn lacking(&self, driver: &str, when: When) -> Vec<String> {
        let needs = self.installed.get(driver).into_iter().flatten().map(String::as_str);
        let is_there = |module: &str| {
            self.builtin.contains(module)
                || match when {
                    When::Booting => self.early.contains(module),
                    When::Running => self.installed.contains_key(module),
                }
        };
        let all = std::iter::once(driver).chain(needs);
        all.filter(|module| !is_there(module)).map(str::to_owned).collect()
    }
}

/// The modules in an initramfs.
fn early(tree: &mut Tree, path: &str) -> Result<BTreeSet<String>> {
    let Some(file) = tree.look(path.as_bytes(), true)? else {
        return Ok(BTreeSet::new());
    };
    initramfs::modules(tree.reader(&file)).map_err(|error| match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::Edit {
            path: path.to_owned(),
            problem: format!("the initramfs cannot be read: {error}"),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drivers(builtin: &[&str], installed: &str, early: &[&str]) -> Drivers {
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let installed = modules::dependencies(installed);
        Drivers { kernel: "6.1".into(), builtin: set(builtin), installed, early: set(early) }
    }

    #[test]
    fn a_driver_needs_its_dependencies() {
        let dep =
            "k/virtio_blk.ko: k/virtio.ko\nk/virtio_pci.ko:\nk/virtio.ko:\nk/virtio_net.ko:\n";
        let all = drivers(&["virtio_pci"], dep, &["virtio_blk", "virtio"]);
        assert_eq!(all.missing(Hypervisor::Kvm), []);
        assert!(all.is_early("virtio_blk") && !all.is_early("virtio_scsi"));
        let part = drivers(&["virtio_pci"], dep, &["virtio_blk"]);
        let [missing] = &part.missing(Hypervisor::Kvm)[..] else { panic!() };
        assert!(missing.is_installed);
        assert_eq!(missing.drivers, [["virtio_blk"]]);
        let text = missing.to_string();
        assert!(
            text.starts_with(
                "kvm: the initramfs of kernel 6.1 lacks the driver of the disk: virtio_blk; it is \
                 installed: name virtio_blk in /etc/initramfs-tools/modules"
            ),
            "{text}"
        );
    }

    #[test]
    fn what_no_module_is_there_for_needs_another_kernel() {
        let cloud = drivers(&["virtio_pci", "virtio_blk", "virtio_net", "sd_mod"], "", &[]);
        assert_eq!(cloud.missing(Hypervisor::Kvm), []);
        let found = cloud.missing(Hypervisor::Vmware);
        let drivers: Vec<_> = found.iter().map(|missing| &missing.drivers).collect();
        assert_eq!(drivers, [&[["vmw_pvscsi"], ["mptspi"]], &[["vmxnet3"], ["e1000e"]]]);
        let text = found[0].to_string();
        assert!(
            text.contains("pvscsi, or mptspi; choose a `base:` with another flavour"),
            "{text}"
        );
        assert_eq!(cloud.missing(Hypervisor::Hyperv).len(), 3);
    }
}
