//! The checksums of ext4's metadata (Linux' Documentation/filesystems/ext4/checksums.rst).

use super::layout::{Checksums, Geometry, put};

/// Offset of the checksum in a group descriptor.
const DESCRIPTOR: usize = 0x1e;
/// Offset of the checksum in a super block.
const SUPER: usize = 0x3fc;

/// CRC-32C without the inversions that other uses of it have.
pub(super) fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    !::crc32c::crc32c_append(!seed, bytes)
}

fn crc16(seed: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(seed, |crc, &byte| {
        (0..8).fold(
            crc ^ u16::from(byte),
            |crc, _| {
                if crc & 1 == 1 { crc >> 1 ^ 0xa001 } else { crc >> 1 }
            },
        )
    })
}

impl Geometry {
    /// Sets the checksum of a group's descriptor.
    pub(super) fn seal_descriptor(&self, group: u64, bytes: &mut [u8]) {
        put(bytes, DESCRIPTOR, &[0, 0]);
        let number = (group as u32).to_le_bytes();
        let sum = match self.checksums {
            Checksums::None => return,
            Checksums::All(seed) => crc32c(crc32c(seed, &number), bytes) as u16,
            Checksums::Descriptors => {
                let (head, tail) = bytes.split_at(DESCRIPTOR.min(bytes.len()));
                let sum = crc16(crc16(crc16(u16::MAX, &self.uuid), &number), head);
                crc16(sum, tail.get(2..).unwrap_or_default())
            }
        };
        put(bytes, DESCRIPTOR, &sum.to_le_bytes());
    }

    /// Puts a bitmap's checksum into its group's descriptor, at `low` and, if the descriptor
    /// is a wide one, `high`.
    pub(super) fn seal_bitmap(
        &self,
        bitmap: &[u8],
        descriptor: &mut [u8],
        (low, high): (usize, usize),
    ) {
        let Checksums::All(seed) = self.checksums else {
            return;
        };
        let sum = crc32c(seed, bitmap).to_le_bytes();
        put(descriptor, low, &sum[..2]);
        if descriptor.len() >= high + 2 {
            put(descriptor, high, &sum[2..]);
        }
    }

    /// Sets the checksum of a super block.
    pub(super) fn seal_super(&self, block: &mut [u8]) {
        if let (Checksums::All(_), Some(covered)) = (self.checksums, block.get(..SUPER)) {
            let sum = crc32c(u32::MAX, covered);
            put(block, SUPER, &sum.to_le_bytes());
        }
    }

    /// Sets the checksum of an inode.
    pub(super) fn seal_inode(&self, number: u32, inode: &mut [u8]) {
        const LOW: usize = 0x7c;
        const HIGH: usize = 0x82;
        let Checksums::All(seed) = self.checksums else {
            return;
        };
        // Inodes of 128 bytes, and ones without that much more, have half of it.
        let has_high = inode.len() > 128 && super::layout::le16(inode, 0x80) >= 4;
        put(inode, LOW, &[0, 0]);
        if has_high {
            put(inode, HIGH, &[0, 0]);
        }
        let generation = super::layout::le32(inode, 0x64).to_le_bytes();
        let seed = crc32c(crc32c(seed, &number.to_le_bytes()), &generation);
        let sum = crc32c(seed, inode).to_le_bytes();
        put(inode, LOW, &sum[..2]);
        if has_high {
            put(inode, HIGH, &sum[2..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_polynomials_are_the_right_ones() {
        // The check values of CRC-32C (before its last inversion) and CRC-16/MODBUS.
        assert_eq!(!crc32c(u32::MAX, b"123456789"), 0xe306_9283);
        assert_eq!(crc16(u16::MAX, b"123456789"), 0x4b37);
    }
}
