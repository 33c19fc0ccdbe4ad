//! Drivers that an image needs for a hypervisor: found missing in an image and in a build.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{ok_in, program, run_in, text, tool};

/// A root file system with the lists of a kernel as Debian's cloud kernel has them, and an
/// initramfs made of the given modules.
fn kernel_base(dir: &Path, early: &[&str]) -> PathBuf {
    let tree = dir.join("tree");
    let modules = tree.join("usr/lib/modules/6.1.0-9-cloud-amd64");
    fs::create_dir_all(&modules).unwrap();
    fs::create_dir_all(tree.join("boot")).unwrap();
    fs::create_dir_all(tree.join("etc")).unwrap();
    fs::create_dir_all(tree.join("usr/bin")).unwrap();
    fs::write(tree.join("usr/bin/sh"), program()).unwrap();
    std::os::unix::fs::symlink("usr/lib", tree.join("lib")).unwrap();
    std::os::unix::fs::symlink("usr/bin", tree.join("bin")).unwrap();
    fs::write(tree.join("etc/os-release"), "ID=debian\n").unwrap();
    fs::write(modules.join("modules.builtin"), "kernel/drivers/virtio/virtio_pci.ko\n").unwrap();
    fs::write(
        modules.join("modules.dep"),
        "kernel/drivers/block/virtio_blk.ko.xz: kernel/drivers/virtio/virtio.ko.xz\n\
         kernel/drivers/virtio/virtio.ko.xz:\n\
         kernel/drivers/net/virtio_net.ko.xz: kernel/drivers/virtio/virtio.ko.xz\n",
    )
    .unwrap();
    fs::write(tree.join("boot/vmlinuz-6.1.0-9-cloud-amd64"), "kernel").unwrap();
    // Early microcode as it is, then the modules, compressed.
    let early_dir = dir.join("early/kernel/x86/microcode");
    fs::create_dir_all(&early_dir).unwrap();
    fs::write(early_dir.join("AuthenticAMD.bin"), [7; 5000]).unwrap();
    let main = dir.join("main/usr/lib/modules/6.1.0-9-cloud-amd64/kernel/drivers");
    fs::create_dir_all(&main).unwrap();
    for module in early {
        fs::write(main.join(format!("{module}.ko.xz")), "module").unwrap();
    }
    let initrd = tree.join("boot/initrd.img-6.1.0-9-cloud-amd64");
    let command = format!(
        "cd {dir}/early && find kernel | cpio --quiet -o -H newc > {initrd} &&
         cd {dir}/main && find usr | cpio --quiet -o -H newc | zstd -q >> {initrd}",
        dir = text(dir),
        initrd = text(&initrd),
    );
    tool("sh", &["-c", &command]);
    let disk = dir.join("kernel.raw");
    tool("mke2fs", &["-q", "-t", "ext4", "-d", text(&tree), text(&disk), "16M"]);
    disk
}

#[test]
fn missing_drivers_are_named_with_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let disk = kernel_base(dir.path(), &["virtio_blk", "virtio"]);
    ok_in(dir.path(), &["image", "verify", "--drivers", "kvm", text(&disk)]);
    let ran = run_in(dir.path(), &["image", "verify", "--drivers", "vmware,xen", text(&disk)]);
    assert_eq!((ran.code, ran.out.lines().count()), (4, 4), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains(
        "vmware: kernel 6.1.0-9-cloud-amd64 lacks the driver of the disk (pvscsi or lsilogic): \
         vmw_pvscsi with sd_mod, or mptspi with sd_mod; choose a `base:` with another flavour"
    ));

    let dir = tempfile::tempdir().unwrap();
    let disk = kernel_base(dir.path(), &["virtio"]);
    let ran = run_in(dir.path(), &["image", "verify", "--drivers", "kvm", text(&disk)]);
    assert_eq!((ran.code, ran.out.lines().count()), (4, 1), "{}", ran.out);
    assert!(ran.out.contains(
        "the initramfs of kernel 6.1.0-9-cloud-amd64 lacks the driver of the disk: virtio_blk; \
         it is installed: name virtio_blk in /etc/initramfs-tools/modules"
    ));
}

#[test]
fn a_build_for_a_hypervisor_without_its_drivers_fails() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    kernel_base(dir, &["virtio_blk", "virtio"]);
    let build = |outputs: &str| {
        let head = "name: a\nversion: 1\nbase: file:kernel.raw\nagent: false\ngeneralise: none\n";
        fs::write(dir.join("p.yml"), format!("{head}{outputs}\n")).unwrap();
        run_in(dir, &["build", "p.yml", "--out", "out", "--force"])
    };
    assert_eq!(build("outputs: {qcow2: }").code, 0);
    let ran = build("outputs: {qcow2: , vmdk: }");
    assert_eq!(ran.code, 3, "{}", ran.err);
    let start = "error: editing the image: the image would not boot: vmware: kernel \
                 6.1.0-9-cloud-amd64 lacks the driver of the disk";
    assert!(ran.err.contains(start) && ran.err.contains("`drivers: warn`"), "{}", ran.err);
    assert!(!dir.join("out/a-1.vmdk").exists());
    let ran = build("drivers: warn\noutputs: {vmdk: }");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("warning: vmware: kernel"), "{}", ran.err);
}
