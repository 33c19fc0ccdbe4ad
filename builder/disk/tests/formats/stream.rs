//! A streamOptimized VMDK, parsed marker by marker as an importer does that cannot seek.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

use std::collections::BTreeMap;
use std::fs;

use bootwright_disk::codec;
use bootwright_disk::view::{Memory, View, read_vec};

use crate::feed::{mixed_disk, write_image};
use crate::writers::Case;

const SECTOR: usize = 512;
const GRAIN: usize = 64 << 10;

fn le32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn le64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// What a stream holds.
#[derive(Debug, Default)]
struct Stream {
    /// Bytes of the grains by their sector on the disk.
    grains: BTreeMap<u64, Vec<u8>>,
    /// Sector of the file of each grain.
    places: BTreeMap<u64, u32>,
    /// Grain tables by their sector of the file.
    tables: BTreeMap<u32, Vec<u32>>,
    directory: Vec<u32>,
    directory_at: u64,
    footer: Vec<u8>,
    /// Bytes read when the end-of-stream marker was found.
    end: usize,
}

/// Reads forward from the first marker to the end-of-stream marker.
fn parse(bytes: &[u8], first_marker: usize) -> Stream {
    let mut stream = Stream::default();
    let mut at = first_marker;
    loop {
        let marker = &bytes[at..at + SECTOR];
        let (value, size) = (le64(marker, 0), le32(marker, 8) as usize);
        let sector = (at / SECTOR) as u32;
        if size > 0 {
            let last = stream.grains.last_key_value().map(|(&lba, _)| lba);
            assert!(last.is_none_or(|last| last < value), "grains are not in order");
            stream.grains.insert(value, inflate(&bytes[at + 12..at + 12 + size]));
            stream.places.insert(value, sector);
            at = (at + 12 + size).next_multiple_of(SECTOR);
            continue;
        }
        at += SECTOR;
        let metadata = &bytes[at..at + value as usize * SECTOR];
        let words = || metadata.chunks_exact(4).map(|word| le32(word, 0)).collect::<Vec<u32>>();
        match le32(marker, 12) {
            0 => {
                assert!(marker.iter().all(|&byte| byte == 0));
                stream.end = at;
                return stream;
            }
            1 => drop(stream.tables.insert((at / SECTOR) as u32, words())),
            2 => {
                stream.directory = words();
                stream.directory_at = (at / SECTOR) as u64;
            }
            3 => stream.footer = metadata.to_vec(),
            other => panic!("a marker of type {other} at {at:#x}"),
        }
        at += metadata.len();
    }
}

/// A grain's bytes out of its zlib stream, which must be that and nothing else.
fn inflate(zlib: &[u8]) -> Vec<u8> {
    assert_eq!(zlib[..2], [0x78, 0x01]);
    let mut grain = vec![0; GRAIN];
    let used = codec::inflate(&zlib[2..], &mut grain).unwrap();
    assert_eq!(zlib.len(), 2 + used + 4);
    let (mut a, mut b) = (1u32, 0u32);
    for &byte in &grain {
        a = (a + u32::from(byte)) % 65521;
        b = (b + a) % 65521;
    }
    assert_eq!(zlib[2 + used..], (b << 16 | a).to_be_bytes());
    grain
}

fn check_header(header: &[u8], capacity: u64, directory: u64) {
    assert_eq!(&header[..4], b"KDMV");
    assert_eq!((le32(header, 4), le32(header, 8)), (3, 0x30001));
    assert_eq!((le64(header, 12), le64(header, 20)), (capacity, 128));
    assert_eq!((le64(header, 28), le64(header, 36), le32(header, 44)), (1, 20, 512));
    assert_eq!((le64(header, 48), le64(header, 56), le64(header, 64)), (0, directory, 128));
    assert_eq!(header[72..79], [0, 0x0a, 0x20, 0x0d, 0x0a, 1, 0]);
    assert!(header[79..].iter().all(|&byte| byte == 0));
}

#[test]
fn a_reader_that_stops_at_the_end_marker_has_seen_every_byte() {
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("disk.vmdk");
    let mut sparse = vec![0; (70 << 20) + 3];
    sparse[..GRAIN].fill(7);
    sparse[69 << 20..][..100].fill(9);
    let disks =
        [mixed_disk((5 << 20) + 1537, 3), mixed_disk(40 << 20, 8), sparse, vec![0; 1 << 20]];
    for disk in disks {
        let view = Memory::new(disk.clone());
        write_image(&view, Case::VmdkStream.writer(view.size()).as_mut(), &image);
        let bytes = fs::read(&image).unwrap();
        let capacity = (disk.len().next_multiple_of(GRAIN) / SECTOR) as u64;
        check_header(&bytes[..SECTOR], capacity, u64::MAX);
        let stream = parse(&bytes, 128 * SECTOR);

        assert_eq!(stream.end, bytes.len(), "bytes after the end-of-stream marker");
        assert!(bytes[bytes.len() - 2 * SECTOR..][..SECTOR].starts_with(b"KDMV"));
        check_header(&stream.footer, capacity, stream.directory_at);
        let mut read = vec![0; capacity as usize * SECTOR];
        for (&lba, grain) in &stream.grains {
            assert!(grain.iter().any(|&byte| byte != 0), "a grain of zeros is stored");
            read[lba as usize * SECTOR..][..GRAIN].copy_from_slice(grain);
        }
        assert!(read[..disk.len()] == disk && read[disk.len()..].iter().all(|&byte| byte == 0));
        check_tables(&stream, capacity);
    }
}

/// Directory and tables list just the grains that are there.
fn check_tables(stream: &Stream, capacity: u64) {
    let entries = capacity.div_ceil(512 * 128) as usize;
    assert!(stream.directory.len() >= entries && stream.directory.len() < entries + 128);
    let mut listed = BTreeMap::new();
    for (index, table_at) in stream.directory.iter().enumerate().filter(|&(_, &at)| at != 0) {
        for (slot, &place) in stream.tables[table_at].iter().enumerate() {
            if place != 0 {
                listed.insert(((index * 512 + slot) * 128) as u64, place);
            }
        }
    }
    assert_eq!(listed, stream.places);
    assert_eq!(stream.directory.iter().filter(|&&at| at != 0).count(), stream.tables.len());
}

#[test]
fn the_descriptor_is_short_text() {
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("disk.vmdk");
    for (case, kind) in
        [(Case::VmdkStream, "streamOptimized"), (Case::VmdkSparse, "monolithicSparse")]
    {
        write_image(&Memory::new(vec![1; 1 << 20]), case.writer(1 << 20).as_mut(), &image);
        let bytes = read_vec(&Memory::new(fs::read(&image).unwrap()), 512, 20 * 512).unwrap();
        let end = bytes.iter().position(|&byte| byte == 0).unwrap();
        assert!(end <= 1024 && bytes[end..].iter().all(|&byte| byte == 0));
        let text = std::str::from_utf8(&bytes[..end]).unwrap();
        for line in [
            "# Disk DescriptorFile",
            "version=1",
            "CID=90d2c0de",
            "parentCID=ffffffff",
            &format!("createType=\"{kind}\""),
            "RW 2048 SPARSE \"disk.vmdk\"",
            "ddb.adapterType = \"lsilogic\"",
            "ddb.longContentID = \"6f1ded885cf15b4e8e6c11aa90d2c0de\"",
            "ddb.virtualHWVersion = \"4\"",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}: {text}");
        }
    }
}
