//! Every format in one build: what foreign tools make of each, and that nothing but the
//! plan decides the bytes.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

mod common;

use std::fs;
use std::path::Path;

use common::{judges, ok_in, run_in, small_project, text, tool};

/// Every output at once; the disk ends at no border of any format.
const ALL: &str = "\
disk: {size: 67637248}
machine: {cpus: 3, memory: 768MiB, firmware: [uefi, bios], seed: site.iso}
description: An appliance & its <descriptors>
outputs:
  qcow2: {compression: zlib, level: 9}
  raw:
  vmdk:
  vmware: {controller: pvscsi}
  ova: {controller: pvscsi, hardware: 17}
  vhdx:
  vhd:
  xva:
";

/// Disk images of [`ALL`] with the names of qemu-img's drivers.
const DISKS: [(&str, &str); 5] = [
    ("small-1.0.qcow2", "qcow2"),
    ("small-1.0.vmdk", "vmdk"),
    ("small-1.0-vmware/small-1.0.vmdk", "vmdk"),
    ("small-1.0.vhdx", "vhdx"),
    ("small-1.0.vhd", "vpc"),
];

#[test]
fn foreign_tools_take_every_output() {
    let dir = small_project(ALL);
    ok_in(dir.path(), &["build", "p.yml", "--out", "out"]);
    let out = dir.path().join("out");
    let raw = out.join("small-1.0.raw");
    for (file, driver) in DISKS {
        let image = out.join(file);
        tool("qemu-img", &["compare", "-f", driver, "-F", "raw", text(&image), text(&raw)]);
        // qemu-img has no check for VHD.
        if driver != "vpc" {
            tool("qemu-img", &["check", "-f", driver, text(&image)]);
        }
    }
    let python = judges();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/judges/outputs.py");
    tool(text(&python), &[script, text(&out), "small-1.0"]);
    tool("virt-xml-validate", &[text(&out.join("small-1.0.libvirt.xml"))]);
    tool("shellcheck", &[text(&out.join("small-1.0.qemu.sh"))]);
    sums(&out);
    descriptors(&out);
}

fn sums(out: &Path) {
    let sums = fs::read_to_string(out.join("SHA256SUMS")).unwrap();
    let check = std::process::Command::new("sha256sum")
        .args(["--check", "--strict", "--quiet", "SHA256SUMS"])
        .current_dir(out)
        .status();
    assert!(check.unwrap().success());
    for file in ["small-1.0-vmware/small-1.0.vmx", "small-1.0.ova", "small-1.0.ps1"] {
        assert!(sums.contains(&format!("  {file}\n")), "{sums}");
    }
}

/// What the profile says of the machine is in every descriptor.
fn descriptors(out: &Path) {
    let says = |file: &str, words: &[&str]| {
        let text = fs::read_to_string(out.join(file)).unwrap();
        for word in words {
            assert!(text.contains(word), "{file} lacks {word}:\n{text}");
        }
    };
    let libvirt = ["firmware=\"efi\"", "<memory unit=\"MiB\">768<", "site.iso", "&amp; its &lt;"];
    says("small-1.0.libvirt.xml", &libvirt);
    says("small-1.0.qemu.sh", &["-smp 3 -m 768", "site.iso", "format=qcow2"]);
    says("small-1.0.xl.cfg", &["vcpus = 3", "memory = 768", "bios = \"ovmf\"", "site.iso"]);
    says("small-1.0.ps1", &["$Generation = 2", "768MB", "-ProcessorCount 3", "'site.iso'"]);
    let vmx =
        ["firmware = \"efi\"", "numvcpus = \"3\"", "memsize = \"768\"", "\"pvscsi\"", "site.iso"];
    says("small-1.0-vmware/small-1.0.vmx", &vmx);
    let ovf = tool("tar", &["-xOf", text(&out.join("small-1.0.ova")), "small-1.0.ovf"]);
    let wanted =
        ["vmx-17", "VirtualSCSI", "vmw:value=\"efi\"", "user-data", "com.vmware.guestInfo"];
    for word in wanted {
        assert!(ovf.contains(word), "the OVF lacks {word}:\n{ovf}");
    }
}

#[test]
fn the_number_of_threads_leaves_no_trace() {
    let dir = small_project(ALL);
    let sums = |jobs: &str| {
        ok_in(dir.path(), &["build", "p.yml", "--out", jobs, "--jobs", jobs]);
        fs::read_to_string(dir.path().join(jobs).join("SHA256SUMS")).unwrap()
    };
    let one = sums("1");
    assert_eq!(one.lines().count(), 15, "{one}");
    assert_eq!(one, sums("2"));
    assert_eq!(one, sums("5"));
}

#[test]
fn compressed_raw_images_unpack_to_the_disk() {
    let dir = small_project("outputs: {raw: }\n");
    ok_in(dir.path(), &["build", "p.yml", "--out", "plain"]);
    let plain = fs::read(dir.path().join("plain/small-1.0.raw")).unwrap();
    for (name, ending, unpack) in
        [("zstd", "zst", "zstd"), ("gzip", "gz", "gzip"), ("xz", "xz", "xz")]
    {
        let more = format!("outputs: {{raw: {{compress: {name}}}}}\n");
        common::profile(dir.path(), &more);
        ok_in(dir.path(), &["build", "p.yml", "--out", name]);
        let file = dir.path().join(name).join(format!("small-1.0.raw.{ending}"));
        let unpacked = std::process::Command::new(unpack).arg("-dc").arg(&file).output().unwrap();
        assert!(unpacked.status.success() && unpacked.stdout == plain, "{name}");
    }
}

#[test]
fn flavours_of_vhd() {
    let azure = "disk: {size: 65MiB}\noutputs: {vhd: {flavour: azure}}\n";
    let dir = small_project(azure);
    ok_in(dir.path(), &["build", "p.yml", "--out", "azure"]);
    let fixed = dir.path().join("azure/small-1.0.vhd");
    assert_eq!(fs::metadata(&fixed).unwrap().len(), (65 << 20) + 512);
    let xen = "outputs: {vhd: {flavour: xenserver}, ova: {hardware: 11}}\n";
    common::profile(dir.path(), xen);
    ok_in(dir.path(), &["build", "p.yml", "--out", "xen"]);
    let bytes = fs::read(dir.path().join("xen/small-1.0.vhd")).unwrap();
    assert_eq!(&bytes[28..32], b"tap\0");
    // Products of that hardware version know no other digest.
    let manifest =
        tool("tar", &["-xOf", text(&dir.path().join("xen/small-1.0.ova")), "small-1.0.mf"]);
    assert!(manifest.starts_with("SHA1(small-1.0.ovf)= "), "{manifest}");
}

#[test]
fn what_a_format_cannot_be_is_named() {
    let dir = small_project("outputs: {vmdk: {subformat: flat}}\n");
    let ran = run_in(dir.path(), &["build", "p.yml", "--out", "out"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(ran.err.contains("p.yml:4:") && ran.err.contains("`flat`"), "{}", ran.err);
    common::profile(dir.path(), "outputs: {vhd: {subformat: fixed}, vhdx: {sectors: 1}}\n");
    let ran = run_in(dir.path(), &["build", "p.yml", "--out", "out"]);
    assert!(ran.err.contains("sector_size"), "no suggestion: {}", ran.err);
}
