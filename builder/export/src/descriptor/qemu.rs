//! A shell script that starts QEMU with the disk.

use crate::machine::{Firmware, Machine};

/// The script for the disk `file` of the given format; its argument is a seed medium.
#[must_use]
pub fn script(machine: &Machine, file: &str, format: &str) -> String {
    let Machine { stem, cpus, memory_mib, .. } = machine;
    let seed = machine.seed.as_ref().map(|seed| format!("$dir/{seed}")).unwrap_or_default();
    let firmware = match machine.firmware {
        Firmware::Bios => "firmware=",
        // Debian, Fedora and Arch keep OVMF in different places.
        Firmware::Uefi => {
            "\
for firmware in \"${OVMF:-}\" /usr/share/ovmf/OVMF.fd /usr/share/edk2/ovmf/OVMF_CODE.fd \\
    /usr/share/edk2/x64/OVMF.4m.fd; do
    [ -r \"$firmware\" ] && break
done"
        }
    };
    format!(
        "\
#!/bin/sh
# Runs {stem} in QEMU, changes and all. Usage: this script [SEED.iso]
set -eu
dir=$(cd \"$(dirname \"$0\")\" && pwd)
seed=${{1:-{seed}}}
{firmware}
set -- -name {stem} -machine q35 -accel kvm -accel tcg -cpu max -smp {cpus} -m {memory_mib} \\
    -drive \"file=$dir/{file},format={format},if=virtio\" \\
    -nic user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:2222-:22 \\
    -device virtio-rng-pci -nographic
[ -z \"$firmware\" ] || set -- \"$@\" -bios \"$firmware\"
[ -z \"$seed\" ] || set -- \"$@\" -drive \"file=$seed,format=raw,media=cdrom,readonly=on\"
exec qemu-system-x86_64 \"$@\"
"
    )
}
