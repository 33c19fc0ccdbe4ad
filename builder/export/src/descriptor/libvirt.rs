//! A libvirt domain (libvirt.org/formatdomain.html), for `virsh define`.

use crate::machine::{Firmware, Machine};
use crate::xml::Xml;

/// Where libvirt keeps images: the document needs absolute paths.
const IMAGES: &str = "/var/lib/libvirt/images";

/// The domain XML for the disk `file` of the given format (`qcow2` or `raw`).
#[must_use]
pub fn domain(machine: &Machine, file: &str, format: &str) -> String {
    let mut xml = Xml::fragment();
    xml.comment(&format!("Copy the disk to {IMAGES}, then: virsh define THIS-FILE"));
    xml.element("domain", &[("type", "kvm")], |xml| {
        xml.text("name", &[], &machine.stem);
        if let Some(description) = &machine.description {
            xml.text("description", &[], description);
        }
        xml.text("memory", &[("unit", "MiB")], &machine.memory_mib.to_string());
        xml.text("vcpu", &[], &machine.cpus.to_string());
        os(xml, machine.firmware);
        xml.element("features", &[], |xml| {
            xml.empty("acpi", &[]);
            xml.empty("apic", &[]);
        });
        xml.empty("cpu", &[("mode", "host-passthrough")]);
        xml.empty("clock", &[("offset", "utc")]);
        xml.element("devices", &[], |xml| devices(xml, machine, (file, format)));
    });
    xml.finish()
}

fn os(xml: &mut Xml, firmware: Firmware) {
    let attributes: &[(&str, &str)] = match firmware {
        Firmware::Bios => &[],
        Firmware::Uefi => &[("firmware", "efi")],
    };
    xml.element("os", attributes, |xml| {
        xml.text("type", &[("arch", "x86_64"), ("machine", "q35")], "hvm");
        xml.empty("boot", &[("dev", "hd")]);
    });
}

fn devices(xml: &mut Xml, machine: &Machine, (file, format): (&str, &str)) {
    let disk = |xml: &mut Xml, device: &str, format: &str, file: &str, target: [&str; 2]| {
        xml.element("disk", &[("type", "file"), ("device", device)], |xml| {
            xml.empty("driver", &[("name", "qemu"), ("type", format)]);
            xml.empty("source", &[("file", &format!("{IMAGES}/{file}"))]);
            xml.empty("target", &[("dev", target[0]), ("bus", target[1])]);
            if device == "cdrom" {
                xml.empty("readonly", &[]);
            }
        });
    };
    disk(xml, "disk", format, file, ["vda", "virtio"]);
    if let Some(seed) = &machine.seed {
        disk(xml, "cdrom", "raw", seed, ["sda", "sata"]);
    }
    xml.element("interface", &[("type", "network")], |xml| {
        xml.empty("source", &[("network", "default")]);
        xml.empty("model", &[("type", "virtio")]);
    });
    xml.element("serial", &[("type", "pty")], |xml| {
        xml.empty("target", &[("port", "0")]);
    });
    // The agent reports here.
    xml.element("channel", &[("type", "unix")], |xml| {
        xml.empty("target", &[("type", "virtio"), ("name", "org.bootwright.report.0")]);
    });
    xml.element("rng", &[("model", "virtio")], |xml| {
        xml.text("backend", &[("model", "random")], "/dev/urandom");
    });
}
