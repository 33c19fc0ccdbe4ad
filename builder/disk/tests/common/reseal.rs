//! Makes checksums fit again in a file whose bytes were changed, so that a parser does not
//! stop at the first one. Structures that are not there are left alone.

/// The structures of a VHD: footer, its copy at the start, header of a dynamic disk.
pub fn vhd(file: &mut [u8]) {
    let end = file.len().saturating_sub(512);
    for (at, len, sum_at) in [(end, 512, 64), (0, 512, 64), (512, 1024, 36)] {
        let Some(bytes) = file.get_mut(at..at + len) else { continue };
        if !bytes.starts_with(b"conectix") && !bytes.starts_with(b"cxsparse") {
            continue;
        }
        bytes[sum_at..sum_at + 4].fill(0);
        let sum: u32 = bytes.iter().map(|&byte| u32::from(byte)).sum();
        bytes[sum_at..sum_at + 4].copy_from_slice(&(!sum).to_be_bytes());
    }
}

/// The structures of a VHDX: headers, region tables, entries of a log at 1 MiB.
pub fn vhdx(file: &mut [u8]) {
    for (at, len) in [(64, 4), (128, 4), (192, 64), (256, 64)] {
        crc32c_at_4(file, at << 10, len << 10);
    }
    for at in (1 << 20..2 << 20).step_by(4096) {
        let Some(entry) = file.get(at..at + 12).filter(|entry| entry.starts_with(b"loge")) else {
            continue;
        };
        let len = u32::from_le_bytes([entry[8], entry[9], entry[10], entry[11]]) as usize;
        if (4096..=1 << 20).contains(&len) {
            crc32c_at_4(file, at, len);
        }
    }
}

fn crc32c_at_4(file: &mut [u8], at: usize, len: usize) {
    if let Some(bytes) = file.get_mut(at..at + len) {
        bytes[4..8].fill(0);
        let crc = crc32c::crc32c(bytes);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
    }
}

/// A GPT: the entries' checksum in the header, then the header's own.
pub fn gpt(disk: &mut [u8]) {
    for sector in [512, 4096] {
        let Some(header) = disk.get(sector..sector + 512).filter(|h| h.starts_with(b"EFI PART"))
        else {
            continue;
        };
        let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|n| header[at + n])) as usize;
        let (header_len, entries_lba, entries) = (word(12), word(72), word(80));
        let start = entries_lba.saturating_mul(sector);
        let end = start.saturating_add(entries.saturating_mul(128));
        if let Some(entries) = disk.get(start..end) {
            let crc = crc32fast::hash(entries);
            disk[sector + 88..sector + 92].copy_from_slice(&crc.to_le_bytes());
        }
        if let Some(header) = disk.get_mut(sector..sector.saturating_add(header_len))
            && header_len >= 92
        {
            header[16..20].fill(0);
            let crc = crc32fast::hash(header);
            header[16..20].copy_from_slice(&crc.to_le_bytes());
        }
    }
}

/// The headers of a tar.
pub fn tar(image: &mut [u8]) {
    for block in image.chunks_exact_mut(512).filter(|block| &block[257..262] == b"ustar") {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}
