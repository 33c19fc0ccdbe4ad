//! Metadata regions with one thing wrong each.

use super::*;
use crate::fields::put;

fn geometry() -> Geometry {
    Geometry { size: 64 << 20, block_size: MIB, logical_sector: 512, physical_sector: 4096 }
}

fn with(at: usize, bytes: &[u8]) -> String {
    let mut region = encode(&geometry(), Uuid::from_u128(7));
    put(&mut region, at, bytes);
    parse(&region, 2 * MIB).unwrap_err().to_string()
}

/// Place of the table's entry with this index, and of the item with that offset.
const fn entry(index: usize) -> usize {
    32 + index * 32
}

#[test]
fn a_region_round_trips() {
    for (logical_sector, physical_sector) in [(512, 512), (512, 4096), (4096, 4096)] {
        let geometry = Geometry { logical_sector, physical_sector, ..geometry() };
        let region = encode(&geometry, Uuid::from_u128(7));
        assert_eq!(parse(&region, 0).unwrap(), geometry);
        assert!(parse(&region[..region.len() - 1], 0).is_err());
        assert!(parse(&region[..100], 0).is_err());
    }
}

#[test]
fn refuses_wrong_tables_by_name() {
    assert!(with(0, b"metadate").contains("metadata table at offset 0x200000"));
    assert!(with(10, &2048u16.to_le_bytes()).contains("EntryCount at offset 0x20000a"));
    assert!(with(10, &0u16.to_le_bytes()).contains("no file parameters"));
    assert!(with(10, &1u16.to_le_bytes()).contains("no virtual disk size"));
    assert!(with(10, &3u16.to_le_bytes()).contains("no logical sector size"));
    assert!(with(10, &4u16.to_le_bytes()).contains("no physical sector size"));
    let optional = [[9; 16].as_slice(), &[0; 12]].concat();
    assert!(with(entry(2), &optional).contains("no virtual disk id"));
    assert!(with(entry(1) + 16, &0u32.to_le_bytes()).contains("metadata entry"));
    assert!(with(entry(1) + 16, &u32::MAX.to_le_bytes()).contains("expected 8 behind the table"));
    assert!(with(entry(1) + 20, &9u32.to_le_bytes()).contains("9 bytes at 0x10008"));
    assert!(with(entry(2), &[9; 16]).contains("the required metadata item 09090909"));
    let user = (IS_USER | IS_REQUIRED).to_le_bytes();
    assert!(with(entry(0) + 24, &user).contains("the required metadata item caa16737"));
    let parent = PARENT_LOCATOR.to_bytes_le();
    assert!(with(entry(2), &parent).contains("a differencing disk (it has a parent locator)"));
}

#[test]
fn refuses_wrong_items_by_name() {
    let item = TABLE_LEN;
    assert!(with(item, &0u32.to_le_bytes()).contains("BlockSize"));
    assert!(with(item, &(3u32 << 20).to_le_bytes()).contains("power of two"));
    assert!(with(item, &(512u32 << 20).to_le_bytes()).contains("BlockSize"));
    assert!(with(item + 4, &HAS_PARENT.to_le_bytes()).contains("a differencing disk"));
    assert!(with(item + 8, &u64::MAX.to_le_bytes()).contains("VirtualDiskSize"));
    assert!(with(item + 8, &513u64.to_le_bytes()).contains("whole sectors"));
    assert!(with(item + 32, &0u32.to_le_bytes()).contains("sector size"));
    assert!(with(item + 36, &520u32.to_le_bytes()).contains("expected 512 or 4096"));
}

#[test]
fn what_is_not_required_is_skipped() {
    let mut region = encode(&geometry(), Uuid::from_u128(7));
    let extra = entry(5);
    put(&mut region, 10, &6u16.to_le_bytes());
    put(&mut region, extra, &[9; 16]);
    put(&mut region, extra + 16, &u32::MAX.to_le_bytes());
    for flags in [0, IS_USER, IS_VIRTUAL_DISK] {
        put(&mut region, extra + 24, &flags.to_le_bytes());
        assert_eq!(parse(&region, 0).unwrap(), geometry());
    }
}
