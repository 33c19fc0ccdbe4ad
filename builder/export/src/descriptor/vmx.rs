//! A VMware machine (.vmx) for Workstation and Fusion.

use crate::machine::{Firmware, Machine};

/// The configuration for the disk `file`, with a SCSI controller named as in the disk's own
/// descriptor (`lsilogic` or `pvscsi`) and a hardware version.
#[must_use]
pub fn config(machine: &Machine, file: &str, controller: &str, hardware: u32) -> String {
    let firmware = match machine.firmware {
        Firmware::Bios => "bios",
        Firmware::Uefi => "efi",
    };
    let mut keys = vec![
        (".encoding", "UTF-8".to_owned()),
        ("config.version", "8".to_owned()),
        ("virtualHW.version", hardware.to_string()),
        ("displayName", machine.stem.clone()),
        ("guestOS", "ubuntu-64".to_owned()),
        ("firmware", firmware.to_owned()),
        ("numvcpus", machine.cpus.to_string()),
        ("cpuid.coresPerSocket", "1".to_owned()),
        ("memsize", machine.memory_mib.to_string()),
        ("disk.EnableUUID", "TRUE".to_owned()),
        ("scsi0.present", "TRUE".to_owned()),
        ("scsi0.virtualDev", controller.to_owned()),
        ("scsi0:0.present", "TRUE".to_owned()),
        ("scsi0:0.fileName", file.to_owned()),
        ("ethernet0.present", "TRUE".to_owned()),
        ("ethernet0.virtualDev", "vmxnet3".to_owned()),
        ("ethernet0.connectionType", "nat".to_owned()),
        ("ethernet0.addressType", "generated".to_owned()),
        ("serial0.present", "FALSE".to_owned()),
        ("pciBridge0.present", "TRUE".to_owned()),
        ("pciBridge4.present", "TRUE".to_owned()),
        ("pciBridge4.virtualDev", "pcieRootPort".to_owned()),
        ("pciBridge4.functions", "8".to_owned()),
    ];
    if let Some(seed) = &machine.seed {
        keys.extend([
            ("sata0.present", "TRUE".to_owned()),
            ("sata0:0.present", "TRUE".to_owned()),
            ("sata0:0.deviceType", "cdrom-image".to_owned()),
            ("sata0:0.fileName", seed.clone()),
        ]);
    }
    // VMware escapes with a bar and two hexadecimal digits.
    let escaped = |value: &str| value.replace('|', "|7C").replace('"', "|22");
    keys.iter().map(|(key, value)| format!("{key} = \"{}\"\n", escaped(value))).collect()
}
