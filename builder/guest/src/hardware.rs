//! The devices that hypervisors show their guests, as QEMU's closest models of them.
//!
//! What QEMU lacks stays untested: VMBus storage and network (Hyper-V generation 2), Xen's
//! paravirtual drivers, and the parallel LSI 53C1030, for which its SAS sibling of the same
//! Fusion-MPT family stands in.

use crate::request::{Arch, Firmware};

/// Whose devices a guest sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hypervisor {
    /// KVM with virtio.
    Kvm,
    /// ESXi, Workstation and Fusion.
    Vmware(Controller),
    /// Hyper-V, generation 1: IDE and the legacy network card.
    HyperV,
    /// A fully virtualised Xen domain without paravirtual drivers.
    Xen,
}

/// SCSI controllers of VMware, each with the network card of its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controller {
    /// The paravirtual controller, with vmxnet3.
    PvScsi,
    /// LSI Logic, with e1000e.
    LsiLogic,
}

impl Hypervisor {
    /// Whether the guest sees virtio devices; the agent's report comes through one.
    pub(crate) fn has_virtio(self) -> bool {
        self == Self::Kvm
    }

    /// QEMU's machine type: of the age of what the hypervisor shows.
    pub(crate) fn machine_type(self, arch: Arch) -> &'static str {
        match self {
            Self::Kvm | Self::Vmware(_) => arch.machine_type(),
            Self::HyperV | Self::Xen => arch.old_machine_type(),
        }
    }

    /// Controller and disk; the drive is called `disk`. OVMF as distributions build it has
    /// no driver for VMware's SCSI controllers: under UEFI the disk is on the SATA
    /// controller that VMware's machines have as well.
    pub(crate) fn disk_devices(self, firmware: Firmware) -> &'static [&'static str] {
        match (self, firmware) {
            (Self::Kvm, _) => &["virtio-blk-pci,drive=disk,bootindex=0"],
            (Self::Vmware(_), Firmware::Uefi) => &["ide-hd,bus=ide.1,drive=disk,bootindex=0"],
            (Self::Vmware(Controller::PvScsi), Firmware::Bios) => {
                &["pvscsi,id=scsi", "scsi-hd,bus=scsi.0,drive=disk,bootindex=0"]
            }
            // Linux sees no SAS disk without a name.
            (Self::Vmware(Controller::LsiLogic), Firmware::Bios) => &[
                "mptsas1068,id=scsi",
                "scsi-hd,bus=scsi.0,scsi-id=0,wwn=0x5000c50000000001,drive=disk,bootindex=0",
            ],
            (Self::HyperV | Self::Xen, _) => &["ide-hd,bus=ide.0,drive=disk,bootindex=0"],
        }
    }

    /// The place of the CD-ROM drive. OVMF leaves a drive alone on the second IDE channel in
    /// a state in which Linux does not find it.
    pub(crate) fn cd_place(self, firmware: Firmware) -> &'static str {
        match (self, firmware) {
            (Self::Kvm | Self::Vmware(_), _) => "bus=ide.0",
            (Self::HyperV | Self::Xen, Firmware::Bios) => "bus=ide.1",
            (Self::HyperV | Self::Xen, Firmware::Uefi) => "bus=ide.0,unit=1",
        }
    }

    /// The network card.
    pub(crate) fn network_card(self) -> &'static str {
        match self {
            Self::Kvm => "virtio-net-pci",
            Self::Vmware(Controller::PvScsi) => "vmxnet3",
            Self::Vmware(Controller::LsiLogic) => "e1000e",
            // Hyper-V's legacy card is a DEC 21140.
            Self::HyperV => "tulip",
            Self::Xen => "rtl8139",
        }
    }

    /// What is added to the processor under KVM, the only accelerator that has it.
    pub(crate) fn enlightenments(self) -> &'static str {
        match self {
            Self::HyperV => ",hv-relaxed,hv-vapic,hv-spinlocks=0x1fff,hv-time",
            Self::Kvm | Self::Vmware(_) | Self::Xen => "",
        }
    }
}
