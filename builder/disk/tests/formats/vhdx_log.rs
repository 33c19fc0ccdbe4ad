//! VHDXs that were not closed properly: the log is replayed beside the file, and what is
//! read then is what qemu-img finds when it has replayed the log into the file.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

use std::fs;
use std::path::Path;

use bootwright_disk::view::{View, read_vec};
use bootwright_disk::{Format, open};

use crate::check;
use crate::tools::{path, run};

const LOG: usize = 1 << 20;
const LOG_ID: [u8; 16] = *b"a log's own guid";

/// A VHDX of 16 MiB by QEMU whose first MiB is 7s.
fn image(dir: &Path) -> String {
    let image = path(dir, "disk.vhdx");
    let options = "block_size=1M,block_state_zero=off";
    run("qemu-img", &["create", "-q", "-f", "vhdx", "-o", options, &image, "16M"]);
    run("qemu-io", &["-f", "vhdx", "-c", "write -P 7 0 1M", &image]);
    image
}

/// CRC-32C, bit by bit: not the code that is tested.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 }
        })
    })
}

fn seal(bytes: &mut [u8]) {
    bytes[4..8].fill(0);
    let crc = crc32c(bytes);
    bytes[4..8].copy_from_slice(&crc.to_le_bytes());
}

/// Where an entry is: its number, and the sectors of the log where it and its tail start.
#[derive(Clone, Copy)]
struct Place {
    sequence: u64,
    at: usize,
    tail: usize,
}

/// A log entry with a data descriptor for each sector, and a zero descriptor.
fn entry(place: Place, file_size: u64, data: &[(u64, [u8; 4096])], zero: (u64, u64)) -> Vec<u8> {
    let mut bytes = vec![0; 4096 * (1 + data.len())];
    let len = bytes.len() as u32;
    bytes[..4].copy_from_slice(b"loge");
    bytes[8..12].copy_from_slice(&len.to_le_bytes());
    bytes[12..16].copy_from_slice(&(place.tail as u32 * 4096).to_le_bytes());
    bytes[16..24].copy_from_slice(&place.sequence.to_le_bytes());
    bytes[24..28].copy_from_slice(&(data.len() as u32 + 1).to_le_bytes());
    bytes[32..48].copy_from_slice(&LOG_ID);
    bytes[48..56].copy_from_slice(&file_size.to_le_bytes());
    bytes[56..64].copy_from_slice(&file_size.to_le_bytes());
    for (index, (offset, sector)) in data.iter().enumerate() {
        let descriptor = &mut bytes[64 + index * 32..][..32];
        descriptor[..4].copy_from_slice(b"desc");
        descriptor[4..8].copy_from_slice(&sector[4092..]);
        descriptor[8..16].copy_from_slice(&sector[..8]);
        descriptor[16..24].copy_from_slice(&offset.to_le_bytes());
        descriptor[24..32].copy_from_slice(&place.sequence.to_le_bytes());
        let target = &mut bytes[4096 * (1 + index)..][..4096];
        target.copy_from_slice(sector);
        target[..4].copy_from_slice(b"data");
        target[4..8].copy_from_slice(&((place.sequence >> 32) as u32).to_le_bytes());
        target[4092..].copy_from_slice(&(place.sequence as u32).to_le_bytes());
    }
    let descriptor = &mut bytes[64 + data.len() * 32..][..32];
    descriptor[..4].copy_from_slice(b"zero");
    descriptor[8..16].copy_from_slice(&zero.1.to_le_bytes());
    descriptor[16..24].copy_from_slice(&zero.0.to_le_bytes());
    descriptor[24..32].copy_from_slice(&place.sequence.to_le_bytes());
    seal(&mut bytes);
    bytes
}

/// Puts an entry into the log of a file, which is a ring.
fn put(file: &mut [u8], place: Place, entry: &[u8]) {
    for (index, sector) in entry.chunks(4096).enumerate() {
        let at = LOG + (place.at + index) % 256 * 4096;
        file[at..at + 4096].copy_from_slice(sector);
    }
}

/// Says in the headers that there is something in the log.
fn enable(file: &mut [u8], id: [u8; 16]) {
    for header in [64 << 10, 128 << 10] {
        let header = &mut file[header..header + 4096];
        if header.starts_with(b"head") {
            header[48..64].copy_from_slice(&id);
            seal(header);
        }
    }
}

fn word(file: &[u8], at: usize) -> usize {
    u64::from_le_bytes(file[at..at + 8].try_into().unwrap()) as usize
}

/// Where the block allocation table is, by the region table.
fn bat(file: &[u8]) -> usize {
    let regions = (0..2).map(|index| (192 << 10) + 16 + index * 32);
    regions.map(|at| (file[at], word(file, at + 16))).find(|&(first, _)| first == 0x66).unwrap().1
}

/// The file with three entries in its log, at these sectors, that change the first block's
/// data.
fn dirty(file: &[u8], at: [usize; 3]) -> Vec<u8> {
    let mut dirty = file.to_vec();
    let (block, size) = ((word(file, bat(file)) >> 20 << 20) as u64, file.len() as u64);
    let tail = at[0];
    for (sequence, at) in (5..).zip(at) {
        let place = Place { sequence, at, tail };
        let mut sector = [sequence as u8 * 16; 4096];
        sector[..8].copy_from_slice(b"leading!");
        sector[4092..].copy_from_slice(b"last");
        let data: &[_] = match sequence {
            5 => &[(block, sector)],
            6 => &[(block, sector), (block + 8192, sector)],
            _ => &[(block + 20480, sector)],
        };
        let zero = (block + 65536 * sequence, 4096 * sequence);
        put(&mut dirty, place, &entry(place, size, data, zero));
    }
    enable(&mut dirty, LOG_ID);
    dirty
}

#[test]
fn a_log_is_replayed_as_qemu_does() {
    let dir = tempfile::tempdir().unwrap();
    let image = image(dir.path());
    let dirty = dirty(&fs::read(&image).unwrap(), [3, 5, 8]);
    fs::write(&image, &dirty).unwrap();
    let ours = replayed(&image);
    assert!(fs::read(&image).unwrap() == dirty, "the file itself stays as it is");
    // The other one replays into the file, then we read that.
    run("qemu-img", &["check", "-q", "-f", "vhdx", "-r", "all", &image]);
    assert!(fs::read(&image).unwrap() != dirty);
    check::holds(&image, Format::Vhdx, &ours);
}

#[test]
fn a_log_is_a_ring() {
    // Not judged by QEMU: it replays the last of these entries alone, since it does not look
    // for the tail that the entry names (MS-VHDX 2.3.3, step 4).
    let dir = tempfile::tempdir().unwrap();
    let image = image(dir.path());
    let clean = fs::read(&image).unwrap();
    fs::write(&image, dirty(&clean, [3, 5, 8])).unwrap();
    let ours = replayed(&image);
    fs::write(&image, dirty(&clean, [253, 255, 2])).unwrap();
    assert!(replayed(&image) == ours);
}

/// The disk in a file of `dirty()`'s.
fn replayed(image: &str) -> Vec<u8> {
    let view = open(Path::new(image), None).unwrap().view;
    let ours = read_vec(view.as_ref(), 0, view.size()).unwrap();
    assert_eq!((&ours[..8], ours[8], &ours[4092..4096]), (&b"leading!"[..], 96, &b"last"[..]));
    assert!(ours[20480..].starts_with(b"leading!"), "the entry after the log's end is there");
    assert!(ours[65536 * 7..][..4096 * 7].iter().all(|&byte| byte == 0));
    assert_eq!(ours[65536 * 7 + 4096 * 7], 7);
    check::holds(image, Format::Vhdx, &ours);
    ours
}

#[test]
fn an_entry_that_qemu_wrote_is_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let image = image(dir.path());
    // QEMU has made the change and emptied the log, by its headers. Here it dies in between.
    let mut bytes = fs::read(&image).unwrap();
    assert_eq!(&bytes[LOG..LOG + 4], b"loge");
    let id: [u8; 16] = bytes[LOG + 32..LOG + 48].try_into().unwrap();
    let (bat, entry) = (bat(&bytes), bytes[LOG..LOG + 8192].to_vec());
    assert_eq!(&entry[64..68], b"desc");
    assert_eq!(entry[64 + 16..64 + 24], (bat as u64).to_le_bytes());
    bytes[bat..bat + 4096].fill(0);
    fs::write(&image, &bytes).unwrap();
    let first = |image: &str| read_vec(&open(Path::new(image), None).unwrap().view, 0, 1).unwrap();
    assert_eq!(first(&image), [0]);
    enable(&mut bytes, id);
    fs::write(&image, &bytes).unwrap();
    assert_eq!(first(&image), [7]);
}

#[test]
fn a_log_that_is_not_whole_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let image = image(dir.path());
    let dirty = dirty(&fs::read(&image).unwrap(), [253, 255, 2]);
    let refuse = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = dirty.clone();
        change(&mut bytes);
        fs::write(&image, &bytes).unwrap();
        check::refusal(&image)
    };
    let last = LOG + 2 * 4096;
    let none = refuse(&|bytes| bytes[LOG..LOG + (1 << 20)].fill(0));
    assert!(none.contains("no entry of it is whole") && none.contains("fetch it again"), "{none}");
    let torn = refuse(&|bytes| bytes[LOG + 253 * 4096 + 100] ^= 1);
    assert!(torn.contains("no entry of it is whole"), "{torn}");
    let reseal = |bytes: &mut Vec<u8>| seal(&mut bytes[last..last + 8192]);
    let short = refuse(&|bytes| {
        bytes[last + 48..last + 56].copy_from_slice(&(1u64 << 40).to_le_bytes());
        reseal(bytes);
    });
    assert!(short.contains("the file is truncated"), "{short}");
    let odd = refuse(&|bytes| {
        bytes[last + 64 + 16] = 1;
        reseal(bytes);
    });
    assert!(odd.contains("is not whole sectors"), "{odd}");
    let long = refuse(&|bytes| {
        bytes[last + 96 + 8..last + 96 + 16].copy_from_slice(&(1u64 << 46).to_le_bytes());
        reseal(bytes);
    });
    assert!(long.contains("of them zero"), "{long}");
    let version = refuse(&|bytes| {
        for header in [64 << 10, 128 << 10] {
            bytes[header + 64] = 1;
            seal(&mut bytes[header..header + 4096]);
        }
    });
    assert!(version.contains("LogVersion"), "{version}");
}
