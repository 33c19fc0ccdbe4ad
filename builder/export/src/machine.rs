//! The machine that an appliance is meant for, as descriptors and packages need to know it.

use uuid::Uuid;

/// Firmware of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmware {
    /// A PC BIOS.
    Bios,
    /// UEFI.
    Uefi,
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Name and version of the appliance, `NAME-VERSION`: also the stem of all files.
    pub stem: String,
    /// Name of the appliance.
    pub name: String,
    /// Version of the appliance.
    pub version: String,
    /// What the appliance is, if somebody said.
    pub description: Option<String>,
    /// Identity of the disk's content: all further ids derive from it.
    pub id: Uuid,
    /// Processors.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Firmware to boot with.
    pub firmware: Firmware,
    /// Size of the disk in bytes.
    pub disk_size: u64,
    /// Seed medium to attach: the name of an ISO file beside the disk.
    pub seed: Option<String>,
}

impl Machine {
    /// An id for a purpose, derived from the machine's own (UUIDv5, RFC 9562).
    #[must_use]
    pub fn derived(&self, purpose: &str) -> Uuid {
        Uuid::new_v5(&self.id, purpose.as_bytes())
    }
}

#[cfg(test)]
pub(crate) fn example() -> Machine {
    Machine {
        stem: "demo-1.0.0".to_owned(),
        name: "demo".to_owned(),
        version: "1.0.0".to_owned(),
        description: Some("An <example> & more".to_owned()),
        id: Uuid::from_u128(0x1234),
        cpus: 2,
        memory_mib: 2048,
        firmware: Firmware::Uefi,
        disk_size: 20 << 30,
        seed: Some("site.iso".to_owned()),
    }
}
