//! What consoles show when a guest will never report. Add a line here when one is missed.

/// A text on the console that means the end of hope.
#[derive(Debug)]
pub(crate) struct Symptom {
    /// The text, as part of a line.
    text: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What to do about it.
    pub advice: &'static str,
}

const NOT_BOOTABLE: &str = "the firmware found nothing to boot on the image";
const NOT_BOOTABLE_ADVICE: &str =
    "try the other firmware; check that the image has a boot loader for this one";
const GRUB: &str = "GRUB could not go on and asks for commands";
const GRUB_ADVICE: &str = "check grub.cfg and the partition and label it names";
const EMERGENCY: &str = "systemd went into emergency mode";
const EMERGENCY_ADVICE: &str =
    "look for the unit that failed, often a mount: check the image's /etc/fstab";
const INITRAMFS: &str = "the initramfs did not find the root file system and asks for commands";
const INITRAMFS_ADVICE: &str =
    "check root= on the kernel command line and that the initramfs has the disk's driver";

/// The known symptoms; the first that fits counts.
const SYMPTOMS: &[Symptom] = &[
    Symptom {
        text: "Kernel panic - not syncing",
        meaning: "the guest's kernel panicked",
        advice: "the first line of the panic says why",
    },
    Symptom { text: "No bootable device", meaning: NOT_BOOTABLE, advice: NOT_BOOTABLE_ADVICE },
    Symptom {
        text: "BdsDxe: No bootable option or device was found",
        meaning: NOT_BOOTABLE,
        advice: NOT_BOOTABLE_ADVICE,
    },
    Symptom { text: "UEFI Interactive Shell", meaning: NOT_BOOTABLE, advice: NOT_BOOTABLE_ADVICE },
    Symptom { text: "grub rescue>", meaning: GRUB, advice: GRUB_ADVICE },
    Symptom { text: "Minimal BASH-like line editing", meaning: GRUB, advice: GRUB_ADVICE },
    Symptom { text: "You are in emergency mode", meaning: EMERGENCY, advice: EMERGENCY_ADVICE },
    Symptom { text: "Entering emergency mode", meaning: EMERGENCY, advice: EMERGENCY_ADVICE },
    Symptom { text: "(initramfs)", meaning: INITRAMFS, advice: INITRAMFS_ADVICE },
    Symptom { text: "dracut:/#", meaning: INITRAMFS, advice: INITRAMFS_ADVICE },
];

/// The symptom that a line of the console shows.
pub(crate) fn find(line: &str) -> Option<&'static Symptom> {
    SYMPTOMS.iter().find(|symptom| line.contains(symptom.text))
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn panics_are_found_and_settings_are_not() {
        let panic = "[    1.2] Kernel panic - not syncing: VFS: Unable to mount root fs";
        assert_eq!(find(panic).map(|found| found.meaning), Some("the guest's kernel panicked"));
        assert!(find("Kernel command line: panic=-1 emergency").is_none());
    }
}
