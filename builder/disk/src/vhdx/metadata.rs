//! The metadata region (MS-VHDX 2.6): a table of items, and the items.

use uuid::{Uuid, uuid};

use super::layout::{Geometry, MAX_ENTRIES, MAX_SIZE, MIB, bad, differencing, guid, unsupported};
use crate::Result;
use crate::fields::{le16, le32, le64, put};

/// Bytes of the table; items come behind it.
pub(super) const TABLE_LEN: usize = 64 << 10;
/// Bytes of the region that a reader looks at.
pub(super) const MAX_LEN: u64 = MIB;

const FILE_PARAMETERS: Uuid = uuid!("caa16737-fa36-4d43-b3b6-33f0aa44e76b");
const DISK_SIZE: Uuid = uuid!("2fa54224-cd1b-4876-b211-5dbed83bf4b8");
const PAGE_83: Uuid = uuid!("beca12ab-b2e6-4523-93ef-c309e000c746");
const LOGICAL_SECTOR: Uuid = uuid!("8141bf1d-a96f-4709-ba47-f233a8faab5f");
const PHYSICAL_SECTOR: Uuid = uuid!("cda348c7-445d-4471-9cc9-e9885251c556");
const PARENT_LOCATOR: Uuid = uuid!("a8d35f2d-b30b-454d-abf7-d3d84834ab0c");

/// Flags of an item.
const IS_USER: u32 = 1;
const IS_VIRTUAL_DISK: u32 = 2;
const IS_REQUIRED: u32 = 4;

/// Flags of the file parameters.
const HAS_PARENT: u32 = 2;

/// Items as they are found.
#[derive(Debug, Default)]
struct Items {
    parameters: Option<(u32, u32)>,
    size: Option<u64>,
    logical: Option<u32>,
    physical: Option<u32>,
    has_id: bool,
}

/// Parses the region that lies at byte `at` of the file. `region` is all of it, or its first
/// [`MAX_LEN`] bytes.
pub(super) fn parse(region: &[u8], at: u64) -> Result<Geometry> {
    if region.len() < TABLE_LEN || !region.starts_with(b"metadata") {
        return Err(bad("metadata table", at, "there is none here".into()));
    }
    let entries = usize::from(le16(region, 10));
    if entries > MAX_ENTRIES {
        return Err(bad("EntryCount", at + 10, format!("{entries}, expected up to 2047")));
    }
    let mut items = Items::default();
    for (index, entry) in region[32..TABLE_LEN].chunks_exact(32).take(entries).enumerate() {
        items.take(region, entry, at + 32 + index as u64 * 32)?;
    }
    items.geometry(at)
}

impl Items {
    /// Takes the item that the entry at byte `at` of the file describes.
    fn take(&mut self, region: &[u8], entry: &[u8], at: u64) -> Result<()> {
        let (kind, flags) = (guid(entry, 0), le32(entry, 24));
        if flags & IS_USER != 0 {
            return if flags & IS_REQUIRED == 0 {
                Ok(())
            } else {
                Err(unsupported(format!("the required metadata item {kind}")))
            };
        }
        let (offset, len) = (le32(entry, 16) as usize, le32(entry, 20) as usize);
        let item = |want: usize| {
            let range = offset..offset.saturating_add(want);
            let inside = offset >= TABLE_LEN && len == want;
            region.get(range).filter(|_| inside).ok_or_else(|| {
                let problem =
                    format!("{len} bytes at {offset:#x}, expected {want} behind the table");
                bad("metadata entry", at + 16, problem)
            })
        };
        match kind {
            FILE_PARAMETERS => {
                let bytes = item(8)?;
                self.parameters = Some((le32(bytes, 0), le32(bytes, 4)));
            }
            DISK_SIZE => self.size = Some(le64(item(8)?, 0)),
            LOGICAL_SECTOR => self.logical = Some(le32(item(4)?, 0)),
            PHYSICAL_SECTOR => self.physical = Some(le32(item(4)?, 0)),
            PAGE_83 => {
                item(16)?;
                self.has_id = true;
            }
            PARENT_LOCATOR => return Err(differencing("it has a parent locator")),
            _ if flags & IS_REQUIRED == 0 => {}
            _ => return Err(unsupported(format!("the required metadata item {kind}"))),
        }
        Ok(())
    }

    /// Checks the values and puts them together.
    fn geometry(self, at: u64) -> Result<Geometry> {
        let missing = |what| bad("metadata table", at, format!("there is no {what}"));
        let (block_size, flags) = self.parameters.ok_or_else(|| missing("file parameters item"))?;
        if flags & HAS_PARENT != 0 {
            return Err(differencing("its file parameters say so"));
        }
        let geometry = Geometry {
            size: self.size.ok_or_else(|| missing("virtual disk size"))?,
            block_size: u64::from(block_size),
            logical_sector: self.logical.ok_or_else(|| missing("logical sector size"))?,
            physical_sector: self.physical.ok_or_else(|| missing("physical sector size"))?,
        };
        if !self.has_id {
            return Err(missing("virtual disk id"));
        }
        if !block_size.is_power_of_two() || !(MIB..=256 * MIB).contains(&geometry.block_size) {
            let problem = format!("{block_size}, expected a power of two from 1 MiB to 256 MiB");
            return Err(bad("BlockSize", at, problem));
        }
        for sector in [geometry.logical_sector, geometry.physical_sector] {
            if sector != 512 && sector != 4096 {
                return Err(bad("sector size", at, format!("{sector}, expected 512 or 4096")));
            }
        }
        let whole = geometry.size.is_multiple_of(geometry.logical_sector.into());
        if geometry.size > MAX_SIZE || !whole {
            let problem = format!("{}, expected whole sectors up to 64 TiB", geometry.size);
            return Err(bad("VirtualDiskSize", at, problem));
        }
        Ok(geometry)
    }
}

/// The region's first bytes for a dynamic disk with this id.
pub(super) fn encode(geometry: &Geometry, id: Uuid) -> Vec<u8> {
    let parameters = [(geometry.block_size as u32).to_le_bytes(), [0; 4]].concat();
    let of_disk = IS_REQUIRED | IS_VIRTUAL_DISK;
    let items: [(Uuid, u32, &[u8]); 5] = [
        (FILE_PARAMETERS, IS_REQUIRED, &parameters),
        (DISK_SIZE, of_disk, &geometry.size.to_le_bytes()),
        (PAGE_83, of_disk, &id.to_bytes_le()),
        (LOGICAL_SECTOR, of_disk, &geometry.logical_sector.to_le_bytes()),
        (PHYSICAL_SECTOR, of_disk, &geometry.physical_sector.to_le_bytes()),
    ];
    let mut bytes = vec![0; TABLE_LEN];
    put(&mut bytes, 0, b"metadata");
    put(&mut bytes, 10, &(items.len() as u16).to_le_bytes());
    for (index, (kind, flags, item)) in items.into_iter().enumerate() {
        let (entry, offset) = (32 + index * 32, bytes.len() as u32);
        put(&mut bytes, entry, &kind.to_bytes_le());
        put(&mut bytes, entry + 16, &offset.to_le_bytes());
        put(&mut bytes, entry + 20, &(item.len() as u32).to_le_bytes());
        put(&mut bytes, entry + 24, &flags.to_le_bytes());
        bytes.extend(item);
    }
    bytes
}

#[cfg(test)]
mod tests;
