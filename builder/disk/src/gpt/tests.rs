//! Reading and moving tables made by hand, and by sgdisk in `tests/partitions.rs`.

use super::*;
use crate::view::{Cow, CowOptions, Grown, Memory, WriteView, read_vec};
use uuid::uuid;

const LINUX: uuid::Uuid = uuid!("0fc63daf-8483-4772-8e79-3d69d8477de4");

fn entry(first: u64, last: u64, name: &str) -> Vec<u8> {
    let mut bytes = vec![0; 128];
    bytes[..16].copy_from_slice(&LINUX.to_bytes_le());
    bytes[16] = 1;
    bytes[32..40].copy_from_slice(&first.to_le_bytes());
    bytes[40..48].copy_from_slice(&last.to_le_bytes());
    for (at, unit) in name.encode_utf16().enumerate() {
        bytes[56 + 2 * at..58 + 2 * at].copy_from_slice(&unit.to_le_bytes());
    }
    bytes
}

/// A disk of 1 MiB with partitions 1 and 14.
fn disk() -> Vec<u8> {
    let mut bytes = vec![0; 1 << 20];
    let mut entries = vec![0; 128 * 128];
    entries[..128].copy_from_slice(&entry(100, 199, "root"));
    entries[13 * 128..14 * 128].copy_from_slice(&entry(40, 99, ""));
    let header = Header {
        own_lba: 1,
        other_lba: 2047,
        first_usable: 34,
        last_usable: 2014,
        disk: LINUX,
        entries_lba: 2,
        entries: 128,
        entries_crc: crc32fast::hash(&entries),
    };
    bytes[512..604].copy_from_slice(&header.encode());
    bytes[1024..1024 + entries.len()].copy_from_slice(&entries);
    let backup = Header { own_lba: 2047, other_lba: 1, entries_lba: 2015, ..header };
    bytes[2047 * 512..2047 * 512 + 92].copy_from_slice(&backup.encode());
    bytes[2015 * 512..2047 * 512].copy_from_slice(&entries);
    bytes
}

/// Makes the header's checksum fit.
fn seal(disk: &mut [u8]) {
    disk[528..532].fill(0);
    let crc = crc32fast::hash(&disk[512..604]);
    disk[528..532].copy_from_slice(&crc.to_le_bytes());
}

/// Error for a disk whose header has `bytes` at `at` and a fitting checksum.
fn with(at: usize, bytes: &[u8]) -> String {
    let mut disk = disk();
    disk[512 + at..512 + at + bytes.len()].copy_from_slice(bytes);
    seal(&mut disk);
    read(&Memory::new(disk)).unwrap_err().to_string()
}

#[test]
fn keeps_the_numbers() {
    let table = read(&Memory::new(disk())).unwrap().unwrap();
    let seen: Vec<_> = table.partitions.iter().map(|p| (p.number, p.start, p.len)).collect();
    assert_eq!(seen, [(1, 51200, 51200), (14, 20480, 30720)]);
    let Kind::Gpt { name, .. } = &table.partitions[0].kind else { panic!() };
    assert_eq!(name, "root");
}

#[test]
fn refuses_what_cannot_be() {
    assert!(with(80, &u32::MAX.to_le_bytes()).contains("too many"));
    assert!(with(84, &256u32.to_le_bytes()).contains("SizeOfPartitionEntry"));
    assert!(with(72, &u64::MAX.to_le_bytes()).contains("past the end"));
    assert!(with(24, &7u64.to_le_bytes()).contains("MyLBA"));
    assert!(with(88, &[0; 4]).contains("PartitionEntryArrayCRC32"));
    let mut torn = disk();
    torn[600] ^= 1;
    assert!(read(&Memory::new(torn)).unwrap_err().to_string().contains("HeaderCRC32"));
}

#[test]
fn refuses_partitions_that_no_disk_can_hold() {
    for (first, last) in [(100, 99), (0, u64::MAX), (1, u64::MAX), (u64::MAX, u64::MAX)] {
        let mut disk = disk();
        disk[1024..1152].copy_from_slice(&entry(first, last, ""));
        let crc = crc32fast::hash(&disk[1024..1024 + 128 * 128]);
        disk[600..604].copy_from_slice(&crc.to_le_bytes());
        seal(&mut disk);
        let error = read(&Memory::new(disk)).unwrap_err().to_string();
        assert!(error.contains("partition entry at offset 0x400: partition 1 cannot"), "{error}");
    }
}

#[test]
fn a_table_that_fits_on_the_disk_only_once_is_not_moved() {
    let mut disk = disk();
    disk.truncate(300 * 512);
    disk[1024..].fill(0);
    disk[544..552].copy_from_slice(&5u64.to_le_bytes());
    disk[592..596].copy_from_slice(&1024u32.to_le_bytes());
    let crc = crc32fast::hash(&disk[1024..1024 + 1024 * 128]);
    disk[600..604].copy_from_slice(&crc.to_le_bytes());
    seal(&mut disk);
    let memory = Memory::new(disk.clone());
    let error = move_backup(&memory).unwrap_err().to_string();
    assert!(error.contains("1024 do not fit on the disk twice"), "{error}");
    assert!(memory.into_bytes() == disk, "nothing was written");
}

#[test]
fn moves_the_backup_to_the_end_and_wipes_the_old_one() {
    let grown = Cow::new(Grown::new(Memory::new(disk()), 4 << 20), CowOptions::default());
    let before = read(&grown).unwrap();
    assert!(move_backup(&grown).unwrap());
    assert_eq!(read(&grown).unwrap(), before);
    let last = read_vec(&grown, (4 << 20) - 512, 512).unwrap();
    assert!(Header::has_magic(&last));
    assert_eq!(read_vec(&grown, 2015 * 512, 33 * 512).unwrap(), vec![0; 33 * 512]);
    assert!(!move_backup(&grown).unwrap());
    grown.write_at(512, &[0]).unwrap();
    assert!(!move_backup(&grown).unwrap());
}
