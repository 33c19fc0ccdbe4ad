//! Footers and headers with one field wrong each.

use super::*;

fn footer() -> Footer {
    Footer {
        kind: Kind::Dynamic,
        data_offset: 512,
        timestamp: 7,
        creator: *b"win ",
        creator_version: 0x000a_0000,
        creator_os: *b"Wi2k",
        current_size: 64 << 20,
        geometry: Geometry::of(64 << 11),
        id: Uuid::from_u128(0x1234),
    }
}

/// Error for a footer with `bytes` at `at` and a fitting checksum.
fn with(at: usize, bytes: &[u8]) -> String {
    let mut footer = footer().encode();
    put(&mut footer, at, bytes);
    let sum = checksum(&footer, FOOTER_CHECKSUM);
    put(&mut footer, FOOTER_CHECKSUM, &sum.to_be_bytes());
    Footer::parse(&footer, 0).unwrap_err().to_string()
}

#[test]
fn a_footer_round_trips() {
    let footer = footer();
    assert_eq!(Footer::parse(&footer.encode(), 0).unwrap(), footer);
    let fixed = Footer { kind: Kind::Fixed, data_offset: u64::MAX, ..footer };
    assert_eq!(Footer::parse(&fixed.encode(), 0).unwrap(), fixed);
}

#[test]
fn refuses_wrong_footers_by_name() {
    assert!(with(0, b"konectix").contains("no footer here"));
    assert!(with(12, &[0, 2, 0, 0]).contains("File Format Version at offset 0xc: 0x00020000"));
    assert!(with(48, &u64::MAX.to_be_bytes()).contains("Current Size"));
    assert!(with(48, &513u64.to_be_bytes()).contains("a multiple of 512"));
    assert!(with(60, &4u32.to_be_bytes()).contains("a differencing disk"));
    assert!(with(60, &5u32.to_be_bytes()).contains("Disk Type at offset 0x3c: 5"));
    let mut torn = footer().encode();
    torn[100] ^= 1;
    let error = Footer::parse(&torn, 0x200).unwrap_err().to_string();
    assert!(error.contains("Checksum at offset 0x240"), "{error}");
    assert!(Footer::parse(&torn[..511], 0).is_err());
}

#[test]
fn the_creator_decides_what_the_size_is() {
    let size = |creator: &[u8; 4], current_size| {
        let geometry = Geometry::of(current_size / SECTOR);
        Footer { creator: *creator, current_size, geometry, ..footer() }.disk_size()
    };
    let by_geometry = 963 * 8 * 17 * 512;
    for creator in [b"vpc ", b"qemu"] {
        assert_eq!(size(creator, 64 << 20), by_geometry);
        assert_eq!(size(creator, 200 << 30), 200 << 30, "a full geometry says nothing");
    }
    for creator in [b"win ", b"qem2", b"d2v ", b"tap\0", b"CTXS", b"wa\0\0", b"vbox"] {
        assert_eq!(size(creator, 64 << 20), 64 << 20);
    }
}

/// Error for a dynamic header with `bytes` at `at` and a fitting checksum.
fn with_header(at: usize, bytes: &[u8]) -> String {
    let header = DynamicHeader { table_offset: 1536, entries: 32, block_size: 2 << 20 };
    let mut encoded = header.encode();
    assert_eq!(DynamicHeader::parse(&encoded, 512, (64 << 20, 4096)).unwrap(), header);
    put(&mut encoded, at, bytes);
    let sum = checksum(&encoded, DYNAMIC_CHECKSUM);
    put(&mut encoded, DYNAMIC_CHECKSUM, &sum.to_be_bytes());
    DynamicHeader::parse(&encoded, 512, (64 << 20, 4096)).unwrap_err().to_string()
}

#[test]
fn refuses_wrong_dynamic_headers_by_name() {
    assert!(with_header(0, b"sparse  ").contains("there is none here"));
    assert!(with_header(16, &u64::MAX.to_be_bytes()).contains("Table Offset at offset 0x210"));
    assert!(with_header(16, &4000u64.to_be_bytes()).contains("truncated"));
    assert!(with_header(28, &31u32.to_be_bytes()).contains("31 entries cannot map"));
    assert!(with_header(32, &0u32.to_be_bytes()).contains("Block Size"));
    assert!(with_header(32, &(3u32 << 20).to_be_bytes()).contains("power of two"));
    assert!(with_header(32, &(1u32 << 31).to_be_bytes()).contains("Block Size"));
}
