//! VHDs by qemu-img, and what the flavours promise.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

use std::fs;
use std::path::Path;

use bootwright_disk::view::{ExtentKind, Memory, View, read_vec};
use bootwright_disk::{Format, open, vhd};
use uuid::Uuid;

use crate::check;
use crate::feed::{mixed_disk, write_image};
use crate::tools::{path, qemu_convert, run};
use crate::writers::Case;

const SIZE: usize = (5 << 20) + 3 * 512;

#[test]
fn reads_what_qemu_img_writes() {
    let dir = tempfile::tempdir().unwrap();
    let (raw, image) = (path(dir.path(), "disk.raw"), path(dir.path(), "disk.vhd"));
    let disk = mixed_disk(SIZE, 1);
    fs::write(&raw, &disk).unwrap();
    for subformat in ["dynamic", "fixed"] {
        for force_size in ["on", "off"] {
            let options = format!("subformat={subformat},force_size={force_size}");
            qemu_convert(&raw, "vpc", &options, &image);
            check::holds(&image, Format::Vhd, &disk);
            let info = run("qemu-img", &["info", "--output=json", "-f", "vpc", &image]);
            let size = open(Path::new(&image), None).unwrap().view.size();
            assert!(info.contains(&format!("\"virtual-size\": {size}")), "{options}: {info}");
        }
    }
    run("qemu-img", &["create", "-q", "-f", "vpc", &image, "1G"]);
    run("qemu-io", &["-f", "vpc", "-c", "write -P 7 100M 1M", &image]);
    let view = open(Path::new(&image), None).unwrap().view;
    assert_eq!(view.extent_at(0).unwrap().kind, ExtentKind::Hole);
    assert_eq!(view.extent_at(0).unwrap().end, 100 << 20);
    assert_eq!(read_vec(view.as_ref(), 100 << 20, 4).unwrap(), [7; 4]);
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn be64(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap())
}

#[test]
fn a_footer_says_what_its_reader_wants_to_hear() {
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("disk.vhd");
    let disk = Memory::new(mixed_disk(SIZE, 2));
    let cases = [
        (Case::VhdDynamic(vhd::Flavour::HyperV), *b"win \0\x0a\0\0Wi2k", 6 << 20, 3),
        (Case::VhdFixed(vhd::Flavour::HyperV), *b"win \0\x0a\0\0Wi2k", 6 << 20, 2),
        (Case::VhdDynamic(vhd::Flavour::XenServer), *b"tap\0\0\x01\0\x03\0\0\0\0", 6 << 20, 3),
        (Case::VhdFixed(vhd::Flavour::XenServer), *b"tap\0\0\x01\0\x03\0\0\0\0", 6 << 20, 2),
    ];
    for (case, creator, size, kind) in cases {
        write_image(&disk, case.writer(disk.size()).as_mut(), &image);
        let bytes = fs::read(&image).unwrap();
        let footer = &bytes[bytes.len() - 512..];
        assert_eq!(footer[28..40], creator);
        assert_eq!((be64(footer, 40), be64(footer, 48)), (size, size));
        assert_eq!((be32(footer, 8), be32(footer, 60)), (2, kind));
        assert_eq!(be32(footer, 24), 1_700_000_000 - 946_684_800);
        if kind == 2 {
            assert_eq!(bytes.len() as u64, size + 512);
            assert_eq!(be64(footer, 16), u64::MAX);
        } else {
            assert_eq!(&bytes[..512], footer);
            check_dynamic(&bytes);
        }
    }
}

/// Blocks start on pages, behind a bitmap of ones; libvhd finds its batmap.
fn check_dynamic(bytes: &[u8]) {
    assert_eq!(&bytes[512..520], b"cxsparse");
    assert_eq!(be64(bytes, 520), u64::MAX, "Microsoft's tools want all ones here");
    assert_eq!((be64(bytes, 528), be32(bytes, 540), be32(bytes, 544)), (1536, 3, 2 << 20));
    let table: Vec<u32> = (0..3).map(|index| be32(bytes, 1536 + 4 * index)).collect();
    for &sector in table.iter().filter(|&&sector| sector != u32::MAX) {
        let at = sector as usize * 512;
        assert!((at + 512).is_multiple_of(4096));
        assert!(bytes[at..at + 512].iter().all(|&byte| byte == 0xff));
    }
    if &bytes[28..31] != b"tap" {
        return;
    }
    let batmap = 1536 + 512;
    assert_eq!(&bytes[batmap..batmap + 8], b"tdbatmap");
    assert_eq!(be64(bytes, batmap + 8), batmap as u64 + 512);
    assert_eq!((be32(bytes, batmap + 16), be32(bytes, batmap + 20)), (1, 0x0001_0002));
    let map = &bytes[batmap + 512..batmap + 1024];
    let sum = map.iter().map(|&byte| u32::from(byte)).sum::<u32>();
    assert_eq!(be32(bytes, batmap + 24), !sum);
    let stored = |index: usize| map[index / 8] & 0x80 >> (index % 8) != 0;
    for (index, &sector) in table.iter().enumerate() {
        assert_eq!(stored(index), sector != u32::MAX);
    }
}

#[test]
fn sectors_that_a_bitmap_does_not_list_are_zeros() {
    let dir = tempfile::tempdir().unwrap();
    let image = path(dir.path(), "disk.vhd");
    let case = Case::VhdDynamic(vhd::Flavour::HyperV);
    write_image(&Memory::new(vec![7; 4 << 20]), case.writer(4 << 20).as_mut(), image.as_ref());
    let mut bytes = fs::read(&image).unwrap();
    let bitmap = be32(&bytes, 1536) as usize * 512;
    bytes[bitmap] = 0b1011_1111;
    fs::write(&image, &bytes).unwrap();
    let view = open(Path::new(&image), None).unwrap().view;
    let read = read_vec(view.as_ref(), 500, 1024).unwrap();
    assert_eq!((read[11], read[12], read[523], read[524]), (7, 0, 0, 7));
}

#[test]
fn refuses_a_differencing_disk_and_copies_that_disagree() {
    let dir = tempfile::tempdir().unwrap();
    let image = path(dir.path(), "disk.vhd");
    let reseal = |footer: &mut [u8]| {
        footer[64..68].fill(0);
        let sum: u32 = footer.iter().map(|&byte| u32::from(byte)).sum();
        footer[64..68].copy_from_slice(&(!sum).to_be_bytes());
    };
    let case = Case::VhdDynamic(vhd::Flavour::HyperV);
    write_image(&Memory::new(vec![7; 4 << 20]), case.writer(4 << 20).as_mut(), image.as_ref());
    let mut bytes = fs::read(&image).unwrap();
    let end = bytes.len() - 512;
    bytes[48 + 5] ^= 0x80;
    reseal(&mut bytes[..512]);
    fs::write(&image, &bytes).unwrap();
    assert!(check::refusal(&image).contains("the copy of the footer says something else"));
    bytes[end + 63] = 4;
    reseal(&mut bytes[end..]);
    fs::write(&image, &bytes).unwrap();
    assert!(check::refusal(&image).contains("a differencing disk (one with a parent)"));
}

#[test]
fn refuses_disks_that_the_format_cannot_hold() {
    let options = vhd::Options { flavour: vhd::Flavour::HyperV, id: Uuid::nil(), time: i64::MIN };
    let error = vhd::DynamicWriter::new((2040 << 30) + 1, &options).unwrap_err().to_string();
    assert!(error.contains("more than 2040 GiB") && error.contains("use vhdx"), "{error}");
    assert!(vhd::FixedWriter::new(u64::MAX, &options).is_err());
    assert!(vhd::DynamicWriter::new(2040 << 30, &options).is_ok());
}
