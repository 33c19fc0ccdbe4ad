//! VMDKs by qemu-img, in every kind that it makes.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

use std::fs;
use std::path::Path;

use bootwright_disk::view::{Deflated, ExtentKind, Memory, View, read_vec};
use bootwright_disk::{Format, codec, open, vmdk};
use uuid::Uuid;

use crate::check;
use crate::feed::{mixed_disk, write_image};
use crate::tools::{path, qemu_convert, run};

const SIZE: usize = (5 << 20) + 3 * 512;

#[test]
fn reads_what_qemu_img_writes() {
    let dir = tempfile::tempdir().unwrap();
    let (raw, image) = (path(dir.path(), "disk.raw"), path(dir.path(), "disk.vmdk"));
    let disk = mixed_disk(SIZE, 1);
    fs::write(&raw, &disk).unwrap();
    let variants = [
        "subformat=monolithicSparse",
        "subformat=monolithicSparse,adapter_type=lsilogic,hwversion=4",
        "subformat=monolithicSparse,compat6=on,zeroed_grain=on",
        "subformat=streamOptimized",
        "subformat=streamOptimized,adapter_type=buslogic",
    ];
    for options in variants {
        qemu_convert(&raw, "vmdk", options, &image);
        let empty = check::holds(&image, Format::Vmdk, &disk);
        assert!(empty > 0, "{options} shows no hole");
    }
}

#[test]
fn reads_zero_grains() {
    let dir = tempfile::tempdir().unwrap();
    let image = path(dir.path(), "disk.vmdk");
    let options = "subformat=monolithicSparse,zeroed_grain=on";
    run("qemu-img", &["create", "-q", "-f", "vmdk", "-o", options, &image, "40M"]);
    run("qemu-io", &["-f", "vmdk", "-c", "write -P 7 0 1M", "-c", "write -z 64k 64k", &image]);
    let view = open(Path::new(&image), None).unwrap().view;
    assert_eq!(view.extent_at(64 << 10).unwrap().kind, ExtentKind::Zero);
    assert_eq!(view.extent_at(39 << 20).unwrap().kind, ExtentKind::Hole);
    let read = read_vec(view.as_ref(), 0, 192 << 10).unwrap();
    let (first, rest) = read.split_at(64 << 10);
    let (zeros, last) = rest.split_at(64 << 10);
    assert!(first.iter().chain(last).all(|&byte| byte == 7));
    assert!(zeros.iter().all(|&byte| byte == 0));
}

#[test]
fn refuses_by_name_what_it_does_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let raw = path(dir.path(), "disk.raw");
    fs::write(&raw, mixed_disk(4 << 20, 2)).unwrap();
    for kind in ["monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"] {
        let image = path(dir.path(), "disk.vmdk");
        qemu_convert(&raw, "vmdk", &format!("subformat={kind}"), &image);
        let error = check::refusal(&image);
        assert!(error.contains(&format!("a disk of the kind {kind:?} is not")), "{error}");
        assert!(error.contains("qemu-img convert"), "{error}");
    }
    let part = check::refusal(&path(dir.path(), "disk-s001.vmdk"));
    assert!(part.contains("an extent without descriptor"), "{part}");
    let (base, delta) = (path(dir.path(), "base.vmdk"), path(dir.path(), "delta.vmdk"));
    qemu_convert(&raw, "vmdk", "subformat=monolithicSparse", &base);
    run("qemu-img", &["create", "-q", "-f", "vmdk", "-b", &base, "-F", "vmdk", &delta]);
    let error = check::refusal(&delta);
    assert!(error.contains("a delta disk (its parent has the CID"), "{error}");
}

#[test]
fn hands_compressed_grains_over_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let (raw, image) = (path(dir.path(), "disk.raw"), path(dir.path(), "disk.vmdk"));
    let disk = mixed_disk(SIZE, 4);
    fs::write(&raw, &disk).unwrap();
    let view = Memory::new(disk.clone());
    let options = vmdk::Options::new("disk.vmdk", Uuid::from_u128(1));
    let mut writer = vmdk::StreamWriter::new(SIZE as u64, 6, &options).unwrap();
    write_image(&view, &mut writer, Path::new(&image));
    for by_qemu in [false, true] {
        if by_qemu {
            qemu_convert(&raw, "vmdk", "subformat=streamOptimized", &image);
        }
        let view = open(Path::new(&image), None).unwrap().view;
        let mut streams = 0;
        for at in (0..(SIZE as u64) - 65536).step_by(65536) {
            let Some(Deflated { stream, window_bits: 15 }) = view.deflated(at, 65536).unwrap()
            else {
                assert_ne!(view.extent_at(at).unwrap().kind, ExtentKind::Data);
                continue;
            };
            let mut out = vec![0; 65536];
            assert_eq!(codec::inflate(&stream, &mut out), Ok(stream.len()));
            assert!(out == disk[at as usize..at as usize + 65536]);
            streams += 1;
        }
        assert!(streams > 20);
        assert_eq!(view.deflated(512, 65536).unwrap(), None);
        assert_eq!(view.deflated(0, 512).unwrap(), None);
    }
}

#[test]
fn notices_a_grain_with_a_wrong_checksum() {
    let dir = tempfile::tempdir().unwrap();
    let (raw, image) = (path(dir.path(), "disk.raw"), path(dir.path(), "disk.vmdk"));
    fs::write(&raw, vec![7; 1 << 20]).unwrap();
    qemu_convert(&raw, "vmdk", "subformat=streamOptimized", &image);
    let mut bytes = fs::read(&image).unwrap();
    // The first grain: marker, zlib stream, whose last four bytes are its checksum.
    let grain = bytes.windows(2).position(|pair| pair == [0x78, 0x9c]).unwrap();
    let len = u32::from_le_bytes(bytes[grain - 4..grain].try_into().unwrap()) as usize;
    bytes[grain + len - 1] ^= 1;
    fs::write(&image, &bytes).unwrap();
    let view = open(Path::new(&image), None).unwrap().view;
    let error = read_vec(view.as_ref(), 0, 1 << 20).unwrap_err().to_string();
    assert!(error.contains("do not have the checksum"), "{error}");
    assert!(view.deflated(0, 65536).is_err());
}

#[test]
fn refuses_disks_that_the_format_cannot_hold() {
    let options = vmdk::Options::new("disk.vmdk", Uuid::nil());
    let refuse = |error: bootwright_disk::Error| error.to_string();
    assert!(refuse(vmdk::SparseWriter::new(2 << 40, &options).unwrap_err()).contains("2 TiB"));
    assert!(refuse(vmdk::StreamWriter::new(63 << 40, 6, &options).unwrap_err()).contains("62 TiB"));
    assert!(vmdk::StreamWriter::new(0, 6, &options).is_err());
    for name in ["", "a/b.vmdk", "a\"b", "a\nRW 1 FLAT"] {
        let options = vmdk::Options::new(name, Uuid::nil());
        let error = refuse(vmdk::StreamWriter::new(1, 6, &options).unwrap_err());
        assert!(error.contains("the extent name"), "{error}");
    }
    let options = vmdk::Options::new("n".repeat(700), Uuid::nil());
    assert!(refuse(vmdk::SparseWriter::new(1, &options).unwrap_err()).contains("1024"));
}
