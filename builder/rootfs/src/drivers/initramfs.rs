//! The modules in an initramfs, whichever of the usual tools made it and however it is
//! compressed.

use std::collections::BTreeSet;
use std::io::{self, Cursor, Read};

use bootwright_disk::packed::Packing;

use super::cpio::{End, Reader};
use super::lz4::Lz4;
use super::modules;

/// A file system in the archive, in which dracut may put everything.
const SQUASHED: [&str; 2] = ["squashfs-root.img", "squash-root.img"];
const LZ4_LEGACY: [u8; 4] = [0x02, 0x21, 0x4c, 0x18];
/// Compressions that the kernel knows and nobody uses for an initramfs any more.
const OTHERS: [(&[u8], &str); 4] =
    [(b"BZh", "bzip2"), (b"\x5d\0\0", "lzma"), (b"\x89LZO", "lzo"), (b"hsqs", "squashfs")];

/// The names of all modules in the initramfs that `stream` is.
///
/// # Errors
/// What reading it says, and a form that is not known here.
pub(super) fn modules(stream: impl Read) -> io::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut squashed = false;
    let mut take = |path: &[u8]| {
        let path = String::from_utf8_lossy(path);
        squashed |= SQUASHED.iter().any(|name| path.ends_with(name));
        found.extend(modules::name(&path));
    };
    let mut plain = Reader::new(stream);
    if let End::Other(start) = plain.names(&mut take)? {
        let packed = unpack(start, plain.into_inner())?;
        match Reader::new(packed).names(&mut take)? {
            End::Stream => {}
            End::Other(_) => return Err(unknown("what is compressed in it is no cpio archive")),
        }
    }
    match squashed {
        true => Err(unknown("its modules are in a squashfs; build it without dracut's `squash`")),
        false => Ok(found),
    }
}

/// The compressed part, of which `start` has been read.
fn unpack<'a>(mut start: Vec<u8>, mut stream: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let missing = Packing::PROBE.saturating_sub(start.len()) as u64;
    stream.by_ref().take(missing).read_to_end(&mut start)?;
    if start.starts_with(&LZ4_LEGACY) {
        let start = start.split_off(LZ4_LEGACY.len());
        return Ok(Box::new(Lz4::new(Cursor::new(start).chain(stream))));
    }
    if let Some(packing) = Packing::detect(&start) {
        let whole = io::BufReader::with_capacity(1 << 20, Cursor::new(start).chain(stream));
        return packing.decoder(whole);
    }
    Err(match OTHERS.iter().find(|(magic, _)| start.starts_with(magic)) {
        Some((_, name)) => unknown(&format!("it is compressed with {name}, which is not read")),
        None => unknown(&format!("it starts with the unknown bytes {start:02x?}")),
    })
}

fn unknown(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem.to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::cpio::tests::archive;
    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        // Stored blocks in the form of RFC 1952, so that no compressor is needed here.
        let mut out = b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec();
        out.push(1);
        out.extend((bytes.len() as u16).to_le_bytes());
        out.extend((!(bytes.len() as u16)).to_le_bytes());
        out.write_all(bytes).unwrap();
        out.extend(crc32(bytes).to_le_bytes());
        out.extend((bytes.len() as u32).to_le_bytes());
        out
    }

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0u32, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| {
                if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
            })
        })
    }

    fn lz4(bytes: &[u8]) -> Vec<u8> {
        let block = lz4_flex::block::compress(bytes);
        [&LZ4_LEGACY[..], &(block.len() as u32).to_le_bytes(), &block].concat()
    }

    #[test]
    fn microcode_comes_first_and_the_rest_is_compressed() {
        let early = archive(&[("kernel/x86/microcode/GenuineIntel.bin", &[7; 2000])]);
        let main = archive(&[
            ("usr/lib/modules/6.1/kernel/drivers/block/virtio_blk.ko.xz", b"x"),
            ("lib/modules/6.1/kernel/drivers/block/xen-blkfront.ko", b"x"),
            ("init", b"#!"),
        ]);
        for packed in [main.clone(), gzip(&main), lz4(&main)] {
            let found = modules(&[&early[..], &packed].concat()[..]).unwrap();
            assert_eq!(found.into_iter().collect::<Vec<_>>(), ["virtio_blk", "xen_blkfront"]);
        }
    }

    #[test]
    fn what_is_not_read_is_named() {
        let problem = |bytes: &[u8]| modules(bytes).unwrap_err().to_string();
        assert!(problem(b"BZh91AY&SY").contains("bzip2"));
        assert!(problem(b"\0\0\0\0garbage!").contains("unknown bytes"));
        assert!(problem(&archive(&[("squashfs-root.img", b"")])).contains("squashfs"));
        assert!(problem(&gzip(b"no archive")).contains("no cpio"));
        assert!(modules(&[][..]).unwrap().is_empty());
        let cut = gzip(&archive(&[("a.ko", b"x")]));
        assert!(modules(&cut[..cut.len() - 20]).is_err());
    }

    #[test]
    fn damage_is_an_error_and_nothing_else() {
        let main = archive(&[("lib/modules/6.1/a.ko", b"module"), ("init", b"#!")]);
        for packed in [main.clone(), gzip(&main), lz4(&main)] {
            for at in 0..packed.len() {
                for byte in [0, 0xff, packed[at] ^ 0x10] {
                    let mut bad = packed.clone();
                    bad[at] = byte;
                    let _ = modules(&bad[..]);
                }
                let _ = modules(&packed[..at]);
            }
        }
    }
}
