//! The OVF envelope (DMTF DSP0243 1.1.1) of an appliance with one disk.
//!
//! Elements of a hardware item are in the order of the CIM schema, which is alphabetical.

use crate::machine::{Firmware, Machine};
use crate::xml::Xml;

const NAMESPACES: [(&str, &str); 6] = [
    ("xmlns", "http://schemas.dmtf.org/ovf/envelope/1"),
    ("xmlns:ovf", "http://schemas.dmtf.org/ovf/envelope/1"),
    (
        "xmlns:rasd",
        "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData",
    ),
    (
        "xmlns:vssd",
        "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData",
    ),
    ("xmlns:vmw", "http://www.vmware.com/schema/ovf"),
    ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
];
/// A bare `vmdk.html#` is refused by ESXi.
const STREAM_OPTIMIZED: &str =
    "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized";
const NETWORK: &str = "VM Network";

/// SCSI controllers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controller {
    /// LSI Logic parallel: what both VMware and VirtualBox take.
    LsiLogic,
    /// VMware's paravirtual controller.
    PvScsi,
}

impl Controller {
    /// Its name in a VMDK's descriptor and a .vmx file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LsiLogic => "lsilogic",
            Self::PvScsi => "pvscsi",
        }
    }

    /// Its name in an OVF item.
    fn subtype(self) -> &'static str {
        match self {
            Self::LsiLogic => "lsilogic",
            Self::PvScsi => "VirtualSCSI",
        }
    }
}

/// What the envelope says beside the machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Envelope<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) controller: Controller,
    /// VMware hardware version, such as 15.
    pub(crate) hardware: u32,
    /// Name and size in bytes of the disk's file.
    pub(crate) disk_file: (&'a str, u64),
}

impl Envelope<'_> {
    /// The document.
    pub(crate) fn to_xml(self) -> String {
        let mut xml = Xml::new();
        xml.element("Envelope", &NAMESPACES, |xml| {
            self.references(xml);
            self.disk(xml);
            xml.element("NetworkSection", &[], |xml| {
                xml.text("Info", &[], "The list of logical networks");
                xml.element("Network", &[("ovf:name", NETWORK)], |xml| {
                    xml.text("Description", &[], "The network of the appliance");
                });
            });
            xml.element("VirtualSystem", &[("ovf:id", &self.machine.stem)], |xml| self.system(xml));
        });
        xml.finish()
    }

    fn references(self, xml: &mut Xml) {
        let (file, size) = self.disk_file;
        xml.element("References", &[], |xml| {
            let size = size.to_string();
            xml.empty("File", &[("ovf:href", file), ("ovf:id", "file1"), ("ovf:size", &size)]);
        });
    }

    fn disk(self, xml: &mut Xml) {
        xml.element("DiskSection", &[], |xml| {
            xml.text("Info", &[], "Virtual disk information");
            let capacity = self.machine.disk_size.to_string();
            xml.empty(
                "Disk",
                &[
                    ("ovf:capacity", &capacity),
                    ("ovf:capacityAllocationUnits", "byte"),
                    ("ovf:diskId", "vmdisk1"),
                    ("ovf:fileRef", "file1"),
                    ("ovf:format", STREAM_OPTIMIZED),
                ],
            );
        });
    }

    fn system(self, xml: &mut Xml) {
        xml.text("Info", &[], "A virtual machine");
        xml.text("Name", &[], &self.machine.stem);
        xml.element(
            "OperatingSystemSection",
            &[("ovf:id", "94"), ("vmw:osType", "ubuntu64Guest")],
            |xml| {
                xml.text("Info", &[], "The kind of installed guest operating system");
                xml.text("Description", &[], "Ubuntu Linux (64-bit)");
            },
        );
        self.product(xml);
        xml.element(
            "VirtualHardwareSection",
            &[("ovf:transport", "iso com.vmware.guestInfo")],
            |xml| self.hardware(xml),
        );
        if let Some(description) = &self.machine.description {
            xml.element("AnnotationSection", &[], |xml| {
                xml.text("Info", &[], "What the appliance is");
                xml.text("Annotation", &[], description);
            });
        }
    }

    /// The properties by which cloud-init's OVF data source takes a seed; a deployer fills
    /// them in.
    fn product(self, xml: &mut Xml) {
        let Machine { name, version, id, .. } = self.machine;
        xml.element("ProductSection", &[("ovf:required", "false")], |xml| {
            xml.text("Info", &[], "The seed of the machine");
            xml.text("Product", &[], name);
            xml.text("Version", &[], version);
            property(xml, ("instance-id", &id.to_string()), "Identity of the instance");
            property(xml, ("hostname", ""), "Host name");
            property(xml, ("public-keys", ""), "OpenSSH public keys of the default user");
            property(xml, ("user-data", ""), "User-data (env.yml), encoded as base64");
        });
    }

    fn hardware(self, xml: &mut Xml) {
        xml.text("Info", &[], "Virtual hardware requirements");
        xml.element("System", &[], |xml| {
            xml.text("vssd:ElementName", &[], "Virtual Hardware Family");
            xml.text("vssd:InstanceID", &[], "0");
            xml.text("vssd:VirtualSystemIdentifier", &[], &self.machine.stem);
            xml.text("vssd:VirtualSystemType", &[], &format!("vmx-{}", self.hardware));
        });
        self.capacity(xml);
        self.controllers(xml);
        devices(xml);
        self.settings(xml);
    }

    fn capacity(self, xml: &mut Xml) {
        let Machine { cpus, memory_mib, .. } = self.machine;
        item(
            xml,
            &[
                ("AllocationUnits", "hertz * 10^6"),
                ("ElementName", &format!("{cpus} virtual CPUs")),
                ("InstanceID", "1"),
                ("ResourceType", "3"),
                ("VirtualQuantity", &cpus.to_string()),
            ],
        );
        item(
            xml,
            &[
                ("AllocationUnits", "byte * 2^20"),
                ("ElementName", &format!("{memory_mib} MB of memory")),
                ("InstanceID", "2"),
                ("ResourceType", "4"),
                ("VirtualQuantity", &memory_mib.to_string()),
            ],
        );
    }

    fn controllers(self, xml: &mut Xml) {
        item(
            xml,
            &[
                ("Address", "0"),
                ("ElementName", "SCSI controller 0"),
                ("InstanceID", "3"),
                ("ResourceSubType", self.controller.subtype()),
                ("ResourceType", "6"),
            ],
        );
        item(
            xml,
            &[
                ("Address", "0"),
                ("ElementName", "IDE controller 0"),
                ("InstanceID", "4"),
                ("ResourceType", "5"),
            ],
        );
    }

    /// What OVF itself has no words for.
    fn settings(self, xml: &mut Xml) {
        let config = |xml: &mut Xml, element: &str, key: &str, value: &str| {
            xml.empty(
                element,
                &[("ovf:required", "false"), ("vmw:key", key), ("vmw:value", value)],
            );
        };
        if self.machine.firmware == Firmware::Uefi {
            config(xml, "vmw:Config", "firmware", "efi");
        }
        config(xml, "vmw:ExtraConfig", "disk.EnableUUID", "TRUE");
    }
}

/// The disk on the SCSI controller, a CD drive on the IDE controller, a network adapter.
fn devices(xml: &mut Xml) {
    item(
        xml,
        &[
            ("AddressOnParent", "0"),
            ("ElementName", "Hard disk 1"),
            ("HostResource", "ovf:/disk/vmdisk1"),
            ("InstanceID", "5"),
            ("Parent", "3"),
            ("ResourceType", "17"),
        ],
    );
    item(
        xml,
        &[
            ("AddressOnParent", "0"),
            ("AutomaticAllocation", "true"),
            ("ElementName", "CD/DVD drive 1"),
            ("InstanceID", "6"),
            ("Parent", "4"),
            ("ResourceType", "15"),
        ],
    );
    item(
        xml,
        &[
            ("AddressOnParent", "7"),
            ("AutomaticAllocation", "true"),
            ("Connection", NETWORK),
            ("ElementName", "Network adapter 1"),
            ("InstanceID", "7"),
            ("ResourceSubType", "VmxNet3"),
            ("ResourceType", "10"),
        ],
    );
}

fn item(xml: &mut Xml, fields: &[(&str, &str)]) {
    xml.element("Item", &[], |xml| {
        for (name, value) in fields {
            xml.text(&format!("rasd:{name}"), &[], value);
        }
    });
}

fn property(xml: &mut Xml, (key, value): (&str, &str), label: &str) {
    let attributes = [
        ("ovf:key", key),
        ("ovf:type", "string"),
        ("ovf:userConfigurable", "true"),
        ("ovf:value", value),
    ];
    xml.element("Property", &attributes, |xml| xml.text("Label", &[], label));
}
