//! Cylinders, heads and sectors: the size of a disk as BIOSes of 2003 saw it.

/// Largest disk that a geometry can describe, in sectors: 65535 × 16 × 255, about 127 GiB.
pub(super) const MAX_SECTORS: u64 = 65535 * 16 * 255;

/// The geometry of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) cylinders: u16,
    pub(super) heads: u8,
    pub(super) sectors: u8,
}

impl Geometry {
    /// The geometry that the specification's appendix computes for a disk of that many
    /// sectors. It covers at most the disk, seldom all of it.
    pub(super) fn of(sectors: u64) -> Self {
        let total = sectors.min(MAX_SECTORS) as u32;
        let (cylinder_heads, heads, sectors) =
            if total >= 65535 * 16 * 63 { (total / 255, 16, 255) } else { small(total) };
        Self {
            cylinders: (cylinder_heads / heads).min(65535) as u16,
            heads: heads as u8,
            sectors: sectors as u8,
        }
    }

    /// Sectors that it covers.
    pub(super) fn total(self) -> u64 {
        u64::from(self.cylinders) * u64::from(self.heads) * u64::from(self.sectors)
    }
}

/// Cylinders times heads, heads, and sectors for a disk of less than about 32 GiB: as few
/// heads as give at most 1024 cylinders, with ever longer tracks.
fn small(total: u32) -> (u32, u32, u32) {
    let mut sectors = 17;
    let mut cylinder_heads = total / sectors;
    let mut heads = cylinder_heads.div_ceil(1024).max(4);
    if cylinder_heads >= heads * 1024 || heads > 16 {
        (sectors, heads) = (31, 16);
        cylinder_heads = total / sectors;
    }
    if cylinder_heads >= heads * 1024 {
        (sectors, heads) = (63, 16);
        cylinder_heads = total / sectors;
    }
    (cylinder_heads, heads, sectors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covers_as_much_of_the_disk_as_whole_cylinders_can() {
        // QEMU, which rounds disks up to their geometry, writes one cylinder more.
        let expected = [
            (64 << 11, (963, 8, 17)),
            (1 << 21, (2080, 16, 63)),
            (20 << 21, (41610, 16, 63)),
            (32 << 21, (16448, 16, 255)),
            (200 << 21, (65535, 16, 255)),
        ];
        for (size, (cylinders, heads, sectors)) in expected {
            let geometry = Geometry::of(size);
            assert_eq!(geometry, Geometry { cylinders, heads, sectors }, "{size}");
            assert!(geometry.total() <= size);
        }
        assert_eq!(Geometry::of(0).total(), 0);
        assert_eq!(Geometry::of(u64::MAX).total(), MAX_SECTORS);
    }
}
