//! Domain configurations for Xen's `xl create` (xl.cfg(5)).

use crate::machine::{Firmware, Machine};

/// Where the configuration expects the disk.
const IMAGES: &str = "/srv/xen";

/// A fully virtualised domain, which boots the image's own GRUB under BIOS or UEFI.
#[must_use]
pub fn hvm(machine: &Machine, file: &str, format: &str) -> String {
    let firmware = match machine.firmware {
        Firmware::Bios => "seabios",
        Firmware::Uefi => "ovmf",
    };
    let body = format!("type = \"hvm\"\nbios = \"{firmware}\"\nserial = \"pty\"\n");
    config(machine, &body, (file, format), "devtype=cdrom, ")
}

/// A paravirtualised domain, whose kernel pygrub takes out of the image's grub.cfg.
#[must_use]
pub fn pygrub(machine: &Machine, file: &str, format: &str) -> String {
    let body = "type = \"pv\"\nbootloader = \"pygrub\"\n";
    config(machine, body, (file, format), "")
}

fn config(machine: &Machine, body: &str, (file, format): (&str, &str), cd: &str) -> String {
    let Machine { stem, cpus, memory_mib, .. } = machine;
    let seed = machine.seed.as_ref().map(|seed| {
        format!("    \"format=raw, vdev=xvdd, access=ro, {cd}target={IMAGES}/{seed}\",\n")
    });
    format!(
        "\
# {stem} on Xen. Copy the disk to {IMAGES}, then: xl create THIS-FILE
# Give the interface a MAC address of its own, or it gets a new one at every start.
name = \"{stem}\"
{body}vcpus = {cpus}
memory = {memory_mib}
disk = [
    \"format={format}, vdev=xvda, access=rw, target={IMAGES}/{file}\",
{seed}]
vif = [ \"bridge=xenbr0\" ]
",
        seed = seed.unwrap_or_default()
    )
}
