//! Headers, footers and markers with one thing wrong each.

use super::*;

fn header() -> Header {
    Header {
        version: 3,
        flags: flags::NEWLINES | flags::COMPRESSED | flags::MARKERS,
        capacity: 2048,
        grain: 128,
        descriptor: 1,
        descriptor_len: 20,
        redundant_directory: 0,
        directory: None,
        overhead: 128,
    }
}

fn with(at: usize, bytes: &[u8]) -> String {
    let mut header = header().encode();
    put(&mut header, at, bytes);
    Header::parse(&header, 0).unwrap_err().to_string()
}

#[test]
fn a_header_round_trips() {
    let header = header();
    assert_eq!(Header::parse(&header.encode(), 0).unwrap(), header);
    let flags = flags::NEWLINES | flags::REDUNDANT;
    let plain = Header { version: 1, flags, directory: Some(26), ..header };
    assert_eq!(Header::parse(&plain.encode(), 0).unwrap(), plain);
    assert_eq!((plain.directory_entries(), plain.table_span()), (1, 32 << 20));
}

#[test]
fn refuses_wrong_headers_by_name() {
    assert!(with(0, b"COWD").contains("no header of a sparse extent"));
    assert!(with(4, &4u32.to_le_bytes()).contains("version at offset 0x4: 4, expected 1 to 3"));
    assert!(with(8, &(0x30001u32 | 1 << 20).to_le_bytes()).contains("incompatible flag 20"));
    assert!(with(8, &0x10001u32.to_le_bytes()).contains("compression without markers"));
    assert!(with(8, &0x20001u32.to_le_bytes()).contains("markers without compression"));
    assert!(with(12, &u64::MAX.to_le_bytes()).contains("capacity"));
    assert!(with(20, &0u64.to_le_bytes()).contains("grainSize"));
    assert!(with(20, &96u64.to_le_bytes()).contains("power of two"));
    assert!(with(20, &(1u64 << 40).to_le_bytes()).contains("grainSize"));
    assert!(with(44, &u32::MAX.to_le_bytes()).contains("numGTEsPerGT"));
    assert!(with(73, b"\r\n").contains("binary mode"));
    assert!(with(77, &2u16.to_le_bytes()).contains("compression algorithm 2"));
    assert!(Header::parse(&header().encode()[..100], 0).is_err());
}

#[test]
fn a_footer_has_three_sectors() {
    let real = Header { directory: Some(5), ..header() };
    let footer = |kind, header: &Header| {
        [metadata_marker(kind, 1), header.encode(), metadata_marker(Metadata::EndOfStream, 0)]
            .concat()
    };
    let good = footer(Metadata::Footer, &real);
    assert_eq!(parse_footer(&good, 0).unwrap(), real);
    let error = parse_footer(&footer(Metadata::GrainTable, &real), 0).unwrap_err().to_string();
    assert!(error.contains("no footer marker at the end"), "{error}");
    let mut tail = good.clone();
    tail[1024 + 300] = 1;
    let error = parse_footer(&tail, 0).unwrap_err().to_string();
    assert!(error.contains("no end-of-stream marker"), "{error}");
    assert!(parse_footer(&good[..1535], 0).is_err());
}

#[test]
fn grain_markers_say_which_grain_and_how_long() {
    let parse = |lba, len| parse_grain_marker(&grain_marker(lba, len), 0x1000, (128, 65536));
    assert_eq!(parse(128, 77).unwrap(), 77);
    assert!(parse(256, 77).unwrap_err().to_string().contains("sector 256"));
    assert!(parse(128, 0).unwrap_err().to_string().contains("0 bytes for a grain"));
    assert!(parse(128, 200_000).unwrap_err().to_string().contains("200000 bytes for a grain"));
}

#[test]
fn entries_name_grains() {
    let zeros = Header { flags: flags::ZERO_GRAINS, ..header() };
    assert_eq!(Grain::parse(0, &zeros), Grain::Unallocated);
    assert_eq!(Grain::parse(1, &zeros), Grain::Zero);
    assert_eq!(Grain::parse(1, &header()), Grain::At(512));
    assert_eq!(Grain::parse(u32::MAX, &zeros), Grain::At(u64::from(u32::MAX) * 512));
}

#[test]
fn knows_a_zlib_stream() {
    for header in [[0x78, 0x01], [0x78, 0x9c], [0x78, 0xda], [0x48, 0x89]] {
        assert_eq!(strip_zlib_header(&[header[0], header[1], 7]), Ok(&[7][..]));
    }
    for wrong in [&[0x78][..], &[0x78, 0x02, 0], &[0x79, 0x9c, 0], &[0x78, 0xbb, 0]] {
        assert!(strip_zlib_header(wrong).is_err());
    }
}
