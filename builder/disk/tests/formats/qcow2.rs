//! qcow2 images by qemu-img, in every variant that it makes.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

use std::path::Path;

use bootwright_disk::view::{ExtentKind, read_vec};
use bootwright_disk::{Format, open};

use crate::check;
use crate::feed::mixed_disk;
use crate::tools::{path, run};

const SIZE: usize = (5 << 20) + 3 * 512;

#[test]
fn reads_what_qemu_img_writes() {
    let dir = tempfile::tempdir().unwrap();
    let raw = path(dir.path(), "disk.raw");
    let disk = mixed_disk(SIZE, 1);
    std::fs::write(&raw, &disk).unwrap();
    let variants = [
        "compat=0.10",
        "compat=1.1",
        "compat=1.1,cluster_size=512",
        "compat=1.1,cluster_size=2M",
        "compat=1.1,refcount_bits=1",
        "compat=1.1,refcount_bits=64,lazy_refcounts=on",
        "compat=1.1,compression_type=zstd",
        "compat=1.1,compression_type=zstd,cluster_size=4k",
        "compat=0.10,cluster_size=4k",
    ];
    for options in variants {
        for compress in [false, true] {
            if compress && (options.contains("refcount_bits=1") || options.contains("=512")) {
                continue; // qemu-img itself cannot
            }
            let image = path(dir.path(), "disk.qcow2");
            let mut args = vec!["convert", "-f", "raw", "-O", "qcow2", "-o", options];
            args.extend(compress.then_some("-c"));
            args.extend([raw.as_str(), image.as_str()]);
            run("qemu-img", &args);
            let empty = check::holds(&image, Format::Qcow2, &disk);
            assert!(empty > 0 || options.contains("2M"), "{options} shows no hole");
        }
    }
}

#[test]
fn reads_zero_clusters_and_ignores_snapshots() {
    let dir = tempfile::tempdir().unwrap();
    let image = path(dir.path(), "disk.qcow2");
    run("qemu-img", &["create", "-f", "qcow2", &image, "4M"]);
    let io = |command: &str| run("qemu-io", &["-f", "qcow2", "-c", command, &image]);
    io("write -P 7 0 1M");
    run("qemu-img", &["snapshot", "-c", "before", &image]);
    io("write -P 9 64k 64k");
    io("write -z 128k 64k");
    let view = open(Path::new(&image), None).unwrap().view;
    let read = read_vec(view.as_ref(), 0, 1 << 20).unwrap();
    assert!(read[..65536].iter().all(|&byte| byte == 7));
    assert!(read[65536..131072].iter().all(|&byte| byte == 9));
    assert!(read[131072..196608].iter().all(|&byte| byte == 0));
    assert_eq!(view.extent_at(131072).unwrap().kind, ExtentKind::Zero);
    assert_eq!(view.extent_at(2 << 20).unwrap().kind, ExtentKind::Hole);
}

#[test]
fn refuses_by_name_what_it_does_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let image = path(dir.path(), "disk.qcow2");
    let refusal = |options: &[&str]| {
        let mut args = vec!["create", "-q", "-f", "qcow2"];
        args.extend(options);
        args.extend([image.as_str(), "4M"]);
        run("qemu-img", &args);
        open(Path::new(&image), None).unwrap_err().to_string()
    };
    let base = path(dir.path(), "base.raw");
    std::fs::write(&base, vec![0; 4 << 20]).unwrap();
    assert!(refusal(&["-b", &base, "-F", "raw"]).contains("base.raw\" is not supported"));
    let secret = "secret,id=s,data=123456";
    let encrypted =
        refusal(&["--object", secret, "-o", "encrypt.format=luks,encrypt.key-secret=s"]);
    assert!(encrypted.contains("encryption (LUKS) is not supported"), "{encrypted}");
    let data = format!("data_file={}", path(dir.path(), "data.raw"));
    assert!(refusal(&["-o", &data]).contains("an external data file is not supported"));
    let subclusters = refusal(&["-o", "extended_l2=on"]);
    assert!(subclusters.contains("extended L2 entries"), "{subclusters}");
}
