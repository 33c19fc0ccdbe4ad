//! Files that end too early: an error that says so, wherever it is.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

use std::fs;
use std::path::Path;

use bootwright_disk::view::{Memory, View, read_vec};
use bootwright_disk::{Format, open_view};

use crate::feed::{mixed_disk, noise, write_image};
use crate::tools::{path, qemu_convert};
use crate::writers::{CASES, Case};

const SIZE: usize = (2 << 20) + 512;

/// Opens and reads all of a file of which only the first `len` bytes are there.
fn error(bytes: &[u8], len: usize, format: Format) -> Option<String> {
    let outcome = open_view(Memory::new(bytes[..len].to_vec()), Some(format))
        .and_then(|image| read_vec(image.view.as_ref(), 0, image.view.size()));
    outcome.err().map(|error| error.to_string())
}

/// Points at which to cut: everywhere near both ends and where structures start, and many
/// in between.
fn points(len: usize) -> Vec<usize> {
    let mut random = noise(5);
    let mut points: Vec<usize> = (0..150).map(|_| random() % len).collect();
    points.extend([0, 1, 3, 4, 100, 511, 512, 513, 1024, 1535, 1536, 4096, 10 * 1024]);
    points.extend((1..=5).flat_map(|n| [n << 16, n << 20, (n << 20) - 1]));
    points.extend([1, 2, 511, 512, 513, 1023, 1024, 1025, 1536, 4096].map(|n| len - n));
    points.retain(|&point| point < len);
    points
}

#[test]
fn every_cut_of_what_we_write_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("image");
    let disk = Memory::new(mixed_disk(SIZE, 3));
    for case in CASES.into_iter().filter(|&case| case != Case::Raw) {
        write_image(&disk, case.writer(disk.size()).as_mut(), &image);
        let bytes = fs::read(&image).unwrap();
        // What pads the last cluster, grain or block holds nothing: without it the file is
        // still whole. VHD's and the stream's last bytes are their footers.
        let slack = match case {
            Case::Qcow2(_) | Case::VmdkSparse => 64 << 10,
            Case::Vhdx(_, block_size) => block_size.unwrap_or(1 << 20) as usize,
            _ => 0,
        };
        for len in points(bytes.len()) {
            match error(&bytes, len, case.format()) {
                None => assert!(len + slack >= bytes.len(), "{case:?} cut at {len}"),
                Some(text) => assert!(!text.contains("past the end of the disk"), "{text}"),
            }
        }
    }
}

#[test]
fn every_cut_of_what_qemu_img_writes_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (raw, image) = (path(dir.path(), "disk.raw"), path(dir.path(), "image"));
    fs::write(&raw, mixed_disk(SIZE, 3)).unwrap();
    let kinds = [
        (Format::Qcow2, "compression_type=zlib"),
        (Format::Vmdk, "subformat=monolithicSparse"),
        (Format::Vmdk, "subformat=streamOptimized"),
        (Format::Vhdx, "block_size=1M"),
        (Format::Vhd, "subformat=dynamic"),
        (Format::Vhd, "subformat=fixed,force_size=on"),
    ];
    for (format, options) in kinds {
        qemu_convert(&raw, format.qemu_name(), options, &image);
        let bytes = fs::read(Path::new(&image)).unwrap();
        for len in points(bytes.len()) {
            let slack = if format == Format::Vhd { 0 } else { 1 << 20 };
            let noticed = error(&bytes, len, format).is_some();
            assert!(noticed || len + slack >= bytes.len(), "{format:?} {options} cut at {len}");
        }
    }
}
