//! VHDXs by qemu-img, in every variant that it makes, and what ours look like inside.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

use std::fs;
use std::path::Path;

use bootwright_disk::view::{ExtentKind, Memory, View, read_vec};
use bootwright_disk::{Format, open, vhdx};
use uuid::Uuid;

use crate::check;
use crate::feed::{mixed_disk, write_image};
use crate::tools::{path, qemu_convert, run};
use crate::writers::Case;

const SIZE: usize = (5 << 20) + 3 * 512;

#[test]
fn reads_what_qemu_img_writes() {
    let dir = tempfile::tempdir().unwrap();
    let (raw, image) = (path(dir.path(), "disk.raw"), path(dir.path(), "disk.vhdx"));
    let disk = mixed_disk(SIZE, 1);
    fs::write(&raw, &disk).unwrap();
    let variants = [
        "subformat=dynamic",
        "subformat=dynamic,block_size=1M,block_state_zero=on",
        "subformat=dynamic,block_size=1M,block_state_zero=off",
        "subformat=dynamic,block_size=256M,log_size=4M",
        "subformat=fixed",
        "subformat=fixed,block_size=2M",
    ];
    for options in variants {
        qemu_convert(&raw, "vhdx", options, &image);
        check::holds(&image, Format::Vhdx, &disk);
    }
}

#[test]
fn blocks_that_are_not_stored_are_holes_or_zeros() {
    let dir = tempfile::tempdir().unwrap();
    let image = path(dir.path(), "disk.vhdx");
    for (state_zero, kind) in [("on", ExtentKind::Zero), ("off", ExtentKind::Hole)] {
        let options = format!("block_size=1M,block_state_zero={state_zero}");
        run("qemu-img", &["create", "-q", "-f", "vhdx", "-o", &options, &image, "5G"]);
        run("qemu-io", &["-f", "vhdx", "-c", "write -P 7 4500M 64k", &image]);
        let view = open(Path::new(&image), None).unwrap().view;
        assert_eq!(read_vec(view.as_ref(), 4500 << 20, 4).unwrap(), [7; 4]);
        assert_eq!(view.extent_at(4500 << 20).unwrap().kind, ExtentKind::Data);
        if state_zero == "off" {
            assert_eq!(view.extent_at(0).unwrap().kind, kind);
        }
        let mut at = 0;
        while at < 4500 << 20 {
            let extent = view.extent_at(at).unwrap();
            assert_ne!(extent.kind, ExtentKind::Data);
            at = extent.end;
        }
        assert_eq!(at, 4500 << 20);
    }
    let options = vhdx::Options::new(Uuid::nil());
    let mut writer = vhdx::Writer::new(3 << 20, options).unwrap();
    write_image(&Memory::new(vec![0; 3 << 20]), &mut writer, Path::new(&image));
    let view = open(Path::new(&image), None).unwrap().view;
    let extent = view.extent_at(0).unwrap();
    assert_eq!((extent.kind, extent.end), (ExtentKind::Zero, 3 << 20));
}

fn le32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

#[test]
fn what_is_written_is_laid_out_as_hyper_v_wants_it() {
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("disk.vhdx");
    let disk = Memory::new(mixed_disk(SIZE, 2));
    write_image(
        &disk,
        Case::Vhdx(vhdx::Sectors::Emulated, None).writer(disk.size()).as_mut(),
        &image,
    );
    let bytes = fs::read(&image).unwrap();
    assert!(bytes.len().is_multiple_of(1 << 20));
    assert_eq!(
        &bytes[8..28],
        "bootwright".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()
    );
    let guids: Vec<&[u8]> = [(64 << 10) + 16, (64 << 10) + 32, (2 << 20) + (64 << 10) + 16]
        .map(|at: usize| &bytes[at..at + 16])
        .to_vec();
    assert!(guids.iter().all(|guid| guid[7] >> 4 == 5), "GUIDs are of version 5");
    assert!(guids[0] != guids[1] && guids[1] != guids[2] && guids[0] != guids[2]);
    for header in [64 << 10, 128 << 10] {
        assert_eq!(&bytes[header..header + 4], b"head");
        assert!(bytes[header + 48..header + 64].iter().all(|&byte| byte == 0), "no log");
    }
    assert_eq!(bytes[192 << 10..][..65536], bytes[256 << 10..][..65536]);
    for entry in 0..2 {
        let at = (192 << 10) + 16 + entry * 32;
        assert_eq!(le32(&bytes, at + 28), 1, "regions are required");
    }
    let info = run("qemu-img", &["info", "-f", "vhdx", image.to_str().unwrap()]);
    assert!(info.contains("cluster_size: 1048576"), "{info}");
}

#[test]
fn block_sizes_follow_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let image = path(dir.path(), "disk.vhdx");
    let empty = |size, block_size| {
        let options = vhdx::Options { block_size, ..vhdx::Options::new(Uuid::nil()) };
        let mut writer = vhdx::Writer::new(size, options).unwrap();
        write_image(
            &bootwright_disk::view::Grown::new(Memory::new(Vec::new()), size),
            &mut writer,
            Path::new(&image),
        );
        run("qemu-img", &["check", "-f", "vhdx", &image]);
        let info = run("qemu-img", &["info", "-f", "vhdx", &image]);
        assert!(info.contains(&format!("({size} bytes)")), "{info}");
        let blocks = info.lines().find_map(|line| line.strip_prefix("cluster_size: ")).unwrap();
        blocks.parse::<u64>().unwrap() >> 20
    };
    assert_eq!(empty(1 << 40, None), 1);
    assert_eq!(empty(5 << 40, None), 8);
    assert_eq!(empty(64 << 40, None), 64);
    assert_eq!(empty(40 << 30, Some(256 << 20)), 256);
    for (size, block_size) in [
        (0, None),
        ((64 << 40) + 1, None),
        (1, Some(512 << 20)),
        (1, Some(3 << 20)),
        (1, Some(4096)),
    ] {
        let options = vhdx::Options { block_size, ..vhdx::Options::new(Uuid::nil()) };
        assert!(vhdx::Writer::new(size, options).is_err());
    }
}
