//! Headers, region tables and entries with one thing wrong each.

use super::*;

const FILE: u64 = 16 * MIB;

fn header() -> Header {
    Header {
        sequence: 2,
        file_write: Uuid::from_u128(1),
        data_write: Uuid::from_u128(2),
        log: Uuid::nil(),
        log_offset: MIB,
        log_len: MIB as u32,
    }
}

fn with(at: usize, bytes: &[u8]) -> String {
    let mut encoded = header().encode();
    put(&mut encoded, at, bytes);
    let encoded = seal(encoded);
    Header::current(&encoded, &encoded, FILE).unwrap_err().to_string()
}

#[test]
fn the_newer_whole_header_counts() {
    let old = Header { sequence: 1, log_offset: 2 * MIB, ..header() };
    let (first, second) = (old.encode(), header().encode());
    assert_eq!(Header::current(&first, &second, FILE).unwrap(), header());
    assert_eq!(Header::current(&second, &first, FILE).unwrap(), header());
    assert_eq!(Header::current(&second, &second, FILE).unwrap(), header());
    let mut torn = second.clone();
    torn[2000] ^= 1;
    assert_eq!(Header::current(&first, &torn, FILE).unwrap(), old);
    assert_eq!(Header::current(&torn, &first, FILE).unwrap(), old);
    let error = Header::current(&torn, &torn, FILE).unwrap_err().to_string();
    assert!(error.contains("header checksum at offset 0x10004"), "{error}");
    let rival = Header { log_offset: 2 * MIB, ..header() }.encode();
    let error = Header::current(&rival, &second, FILE).unwrap_err().to_string();
    assert!(error.contains("both headers claim to be the newest"), "{error}");
}

#[test]
fn refuses_wrong_headers_by_name() {
    assert!(with(0, b"tail").contains("there is none here"));
    assert!(with(66, &[2, 0]).contains("Version at offset 0x10042: 2, expected 1"));
    assert!(with(72, &(MIB + 1).to_le_bytes()).contains("whole MiB"));
    assert!(with(72, &0u64.to_le_bytes()).contains("from 1 MiB on"));
    assert!(with(72, &(u64::MAX << 20).to_le_bytes()).contains("truncated"));
    assert!(with(68, &u32::MAX.to_le_bytes()).contains("LogOffset"));
    assert!(with(68, &(1u32 << 30).to_le_bytes()).contains("truncated"));
    assert!(Header::parse(&header().encode()[..4095], 0, FILE).is_err());
}

fn regions() -> Regions {
    Regions {
        bat: Region { offset: 3 * MIB, len: MIB as u32 },
        metadata: Region { offset: 2 * MIB, len: MIB as u32 },
    }
}

fn with_region(at: usize, bytes: &[u8]) -> String {
    let mut encoded = regions().encode();
    put(&mut encoded, at, bytes);
    let encoded = seal(encoded);
    Regions::read(&encoded, &encoded, FILE).unwrap_err().to_string()
}

#[test]
fn one_whole_region_table_is_enough() {
    let whole = regions().encode();
    let torn = vec![0; REGION_TABLE_LEN];
    assert_eq!(Regions::read(&whole, &torn, FILE).unwrap(), regions());
    assert_eq!(Regions::read(&torn, &whole, FILE).unwrap(), regions());
    let error = Regions::read(&torn, &torn, FILE).unwrap_err().to_string();
    assert!(error.contains("region table at offset 0x30000"), "{error}");
}

#[test]
fn refuses_wrong_region_tables_by_name() {
    assert!(with_region(8, &2048u32.to_le_bytes()).contains("EntryCount"));
    assert!(with_region(8, &1u32.to_le_bytes()).contains("no metadata region"));
    assert!(with_region(8, &0u32.to_le_bytes()).contains("no block allocation table"));
    assert!(with_region(16, &[9; 16]).contains("the required region 09090909"));
    assert!(with_region(16 + 32, &BAT_REGION.to_bytes_le()).contains("is there twice"));
    assert!(with_region(16 + 16, &(1u64 << 60).to_le_bytes()).contains("truncated"));
    assert!(with_region(16 + 24, &77u32.to_le_bytes()).contains("region's FileOffset"));
    let mut optional = regions().encode();
    put(&mut optional, 8, &3u32.to_le_bytes());
    put(&mut optional, 16 + 64, &[9; 16]);
    assert_eq!(Regions::read(&seal(optional), &[], FILE).unwrap(), regions());
}

#[test]
fn entries_of_chunks_are_followed_by_one_for_their_bitmap() {
    let geometry = |size, block_size, logical_sector| Geometry {
        size,
        block_size,
        logical_sector,
        physical_sector: 4096,
    };
    let small = geometry(9 << 30, MIB, 512);
    let indices = [0, 4095, 4096, 8191, 8192].map(|block| small.entry_index(block));
    assert_eq!(indices, [0, 4095, 4097, 8192, 8194]);
    assert_eq!((small.blocks(), small.table_len()), (9216, (9216 + 2) * 8));
    assert_eq!(geometry(4 << 30, MIB, 512).table_len(), 4096 * 8);
    assert_eq!(geometry((32 << 30) + 4096, MIB, 4096).table_len(), (32769 + 1) * 8);
    assert_eq!(geometry(0, MIB, 512).table_len(), 0);
}

#[test]
fn block_states() {
    let parse = |entry| Block::parse(entry, 0);
    for state in [0, 1, 3] {
        assert_eq!(parse(5 << 20 | state).unwrap(), Block::Absent);
    }
    assert_eq!(parse(2).unwrap(), Block::Zero);
    assert_eq!(parse(5 << 20 | 6).unwrap(), Block::At(5 * MIB));
    for block in [Block::Absent, Block::Zero, Block::At(5 * MIB)] {
        assert_eq!(parse(block.encode()).unwrap(), block);
    }
    for state in [4, 5] {
        assert!(parse(state).unwrap_err().to_string().contains("is reserved"));
    }
    assert!(parse(7).unwrap_err().to_string().contains("a differencing disk (a partially"));
}

#[test]
fn a_long_creator_is_cut() {
    let bytes = file_identifier(&"x".repeat(300));
    assert_eq!((&bytes[..10], bytes.len()), (&b"vhdxfilex\0"[..], 8 + 2 * 255));
}
