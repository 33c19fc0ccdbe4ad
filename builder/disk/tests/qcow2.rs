//! The qcow2 reader and writer, judged by qemu-img.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

mod common;

use std::path::Path;

use bootwright_disk::qcow2::{Compression, Writer};
use bootwright_disk::view::{ExtentKind, Memory, View, read_vec};
use bootwright_disk::{Format, open};
use common::{mixed_disk, run, write_image};

const SIZE: usize = (5 << 20) + 3 * 512;

fn path(dir: &Path, name: &str) -> String {
    dir.join(name).to_str().unwrap().to_owned()
}

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
            let opened = open(Path::new(&image), None).unwrap();
            assert_eq!(opened.format, Format::Qcow2);
            assert_eq!(opened.view.size(), SIZE as u64);
            let read = read_vec(opened.view.as_ref(), 0, SIZE as u64).unwrap();
            assert!(read == disk, "{options} compress={compress}");
            let empty = check_extents(opened.view.as_ref(), &disk);
            assert!(empty > 0 || options.contains("2M"), "{options} shows no hole");
            check_small_reads(opened.view.as_ref(), &disk);
        }
    }
}

/// Extents cover the disk, and what they call empty is. Gives the number of empty bytes.
fn check_extents(view: &dyn View, disk: &[u8]) -> u64 {
    let mut at = 0;
    let mut empty = 0;
    while at < view.size() {
        let extent = view.extent_at(at).unwrap();
        assert!(extent.end > at);
        if extent.kind != ExtentKind::Data {
            assert!(disk[at as usize..extent.end as usize].iter().all(|&byte| byte == 0));
            empty += extent.end - at;
        }
        at = extent.end;
    }
    assert_eq!(at, view.size());
    empty
}

fn check_small_reads(view: &dyn View, disk: &[u8]) {
    for at in (0..disk.len() - 5000).step_by(77_777) {
        assert!(read_vec(view, at as u64, 5000).unwrap() == disk[at..at + 5000]);
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

#[test]
fn notices_truncation() {
    let dir = tempfile::tempdir().unwrap();
    let raw = path(dir.path(), "disk.raw");
    let image = path(dir.path(), "disk.qcow2");
    std::fs::write(&raw, mixed_disk(SIZE, 2)).unwrap();
    run("qemu-img", &["convert", "-c", "-f", "raw", "-O", "qcow2", &raw, &image]);
    let whole = std::fs::metadata(&image).unwrap().len();
    for len in [whole / 2, whole / 4, 70_000, 300, 0] {
        let file = std::fs::OpenOptions::new().write(true).open(&image).unwrap();
        file.set_len(len).unwrap();
        let error = open(Path::new(&image), Some(Format::Qcow2))
            .and_then(|image| read_vec(image.view.as_ref(), 0, SIZE as u64))
            .unwrap_err()
            .to_string();
        let expected = if len == 0 { "shorter than a header" } else { "truncated" };
        assert!(error.contains(expected), "{len}: {error}");
    }
}

#[test]
fn writes_what_qemu_img_accepts() {
    let dir = tempfile::tempdir().unwrap();
    let raw = path(dir.path(), "disk.raw");
    let image = path(dir.path(), "disk.qcow2");
    let all_noise = mixed_disk(3 << 20, 11).iter().rev().map(|b| b ^ 0x5a).collect();
    let disks = [
        mixed_disk(SIZE, 3),
        mixed_disk(700 << 20, 4),
        mixed_disk(512, 5),
        all_noise,
        vec![0; 1 << 20],
    ];
    for disk in disks {
        std::fs::write(&raw, &disk).unwrap();
        let size = disk.len() as u64;
        let view = Memory::new(disk);
        for compression in [Compression::None, Compression::Zlib(6), Compression::Zstd(3)] {
            write_image(&view, &mut Writer::new(size, compression), Path::new(&image));
            run("qemu-img", &["check", "-f", "qcow2", &image]);
            run("qemu-img", &["compare", "-f", "raw", "-F", "qcow2", &raw, &image]);
            let ours = open(Path::new(&image), None).unwrap().view;
            assert_eq!(ours.size(), size);
            for at in (0..size).step_by(16 << 20) {
                let len = (1 << 20).min(size - at);
                assert!(
                    read_vec(ours.as_ref(), at, len).unwrap() == read_vec(&view, at, len).unwrap()
                );
            }
        }
    }
}
