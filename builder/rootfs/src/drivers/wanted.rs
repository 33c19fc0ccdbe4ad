//! What a kernel needs to run under each hypervisor.

use super::Hypervisor;

/// When a driver is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// To mount the root: in the kernel or the initramfs.
    Booting,
    /// Later: in the kernel or installed.
    Running,
}

/// A purpose that one of several sets of drivers serves.
#[derive(Debug)]
pub(super) struct Wanted {
    /// What they are for.
    pub(super) purpose: &'static str,
    pub(super) when: When,
    /// Each set does alone; all of its drivers are needed. The first one is what the fix
    /// names.
    pub(super) any: &'static [&'static [&'static str]],
}

/// What `hypervisor` wants. A SCSI disk needs the driver of the controller and that of the
/// disk, which is no dependency of the other.
pub(super) fn wanted(hypervisor: Hypervisor) -> &'static [Wanted] {
    use When::{Booting, Running};
    match hypervisor {
        Hypervisor::Kvm => &[
            Wanted {
                purpose: "the disk",
                when: Booting,
                any: &[&["virtio_blk", "virtio_pci"], &["virtio_scsi", "virtio_pci", "sd_mod"]],
            },
            Wanted { purpose: "the network", when: Running, any: &[&["virtio_net", "virtio_pci"]] },
        ],
        Hypervisor::Vmware => &[
            Wanted {
                purpose: "the disk (pvscsi or lsilogic)",
                when: Booting,
                any: &[&["vmw_pvscsi", "sd_mod"], &["mptspi", "sd_mod"]],
            },
            Wanted { purpose: "the network", when: Running, any: &[&["vmxnet3"], &["e1000e"]] },
        ],
        Hypervisor::Hyperv => &[
            Wanted {
                purpose: "the disk of generation 2",
                when: Booting,
                any: &[&["hv_storvsc", "hv_vmbus", "sd_mod"]],
            },
            Wanted {
                purpose: "the disk of generation 1",
                when: Booting,
                any: &[&["ata_piix", "sd_mod"], &["ahci", "sd_mod"]],
            },
            Wanted { purpose: "the network", when: Running, any: &[&["hv_netvsc", "hv_vmbus"]] },
        ],
        Hypervisor::Xen => &[
            Wanted {
                purpose: "the disk",
                when: Booting,
                any: &[&["xen_blkfront"], &["ata_piix", "sd_mod"]],
            },
            Wanted {
                purpose: "the network",
                when: Running,
                any: &[&["xen_netfront"], &["8139cp"], &["8139too"]],
            },
        ],
    }
}
