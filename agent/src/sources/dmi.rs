//! What the firmware says this machine is: /sys/class/dmi/id.

use crate::root::Root;

use super::attribute;

/// The names that the firmware gives itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dmi {
    /// Who made the system: `QEMU`, `Amazon EC2`, `VMware, Inc.`.
    pub vendor: String,
    /// What it is.
    pub product: String,
    /// The tag of the chassis, by which Azure is told from other Hyper-V hosts.
    pub asset_tag: String,
    /// The version of the firmware, by which EC2's Xen machines are told.
    pub bios_version: String,
    /// The machine's UUID, in lower case. Readable by root alone.
    pub uuid: Option<String>,
}

impl Dmi {
    /// Reads them; what is not there is empty.
    pub fn read(root: &Root) -> Self {
        let text = |name: &str| attribute(&root.at(format!("/sys/class/dmi/id/{name}")));
        let or_empty = |name: &str| text(name).unwrap_or_default();
        Self {
            vendor: or_empty("sys_vendor"),
            product: or_empty("product_name"),
            asset_tag: or_empty("chassis_asset_tag"),
            bios_version: or_empty("bios_version"),
            uuid: text("product_uuid").filter(|id| is_telling(id)).map(|id| id.to_lowercase()),
        }
    }

    /// How the machine calls itself, for messages.
    pub fn describe(&self) -> String {
        match (self.vendor.as_str(), self.product.as_str()) {
            ("", "") => "a machine without DMI".to_owned(),
            (vendor, product) => format!("{vendor} {product}").trim().to_owned(),
        }
    }
}

/// Boards without an own UUID say all zeros or all ones.
fn is_telling(uuid: &str) -> bool {
    uuid.chars().any(|c| c.is_ascii_hexdigit() && c != '0')
        && uuid.chars().any(|c| c.is_ascii_hexdigit() && !c.eq_ignore_ascii_case(&'f'))
}
