//! The env as a file that QEMU hands to the guest (`-fw_cfg name=opt/…,file=…`).
//!
//! Sources: the kernel's drivers/firmware/qemu_fw_cfg.c, QEMU's docs/specs/fw_cfg.rst (names of
//! users start with `opt/`), systemd.system-credentials(7).

use std::io;
use std::time::Duration;

use super::{Looked, Offer, read_bounded};
use crate::config::SourceKind;
use crate::program;
use crate::root::Root;

/// Where the kernel's driver shows the files.
const FILES: &str = "/sys/firmware/qemu_fw_cfg";
/// The device without its driver, on x86 and where ACPI is.
const DEVICE: &str = "/sys/bus/acpi/devices/QEMU0002:00";
/// Names the env may have, the first wins.
const NAMES: [&str; 2] = ["opt/org.bootwright/env", "opt/io.systemd.credentials/bootwright.env"];
/// How long loading the driver may take; an emulated machine needs a second or two.
const LOADING: Duration = Duration::from_secs(10);

/// Looks for the file.
pub fn look(root: &Root) -> Looked {
    if !root.at(FILES).exists() && root.is_machine() && root.at(DEVICE).exists() {
        // udev would load it as well, but perhaps not before the agent has given up.
        let _ = program::run("modprobe", &["qemu_fw_cfg"], b"", LOADING);
    }
    if !root.at(FILES).exists() {
        return Looked::Nothing("the machine has no fw_cfg device, or no driver for it".to_owned());
    }
    for name in NAMES {
        match read_bounded(&root.at(format!("{FILES}/by_name/{name}/raw"))) {
            Ok(user_data) => {
                let mut offer = Offer::plain(SourceKind::FwCfg, "fw_cfg", user_data);
                offer.file = name.to_owned();
                return Looked::offers(offer);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Looked::Broken(format!("fw_cfg {name} cannot be read: {error}")),
        }
    }
    Looked::Nothing(format!("no file {}", NAMES.join(" or ")))
}
