//! Images as compressed streams: zstd (RFC 8878), gzip (RFC 1952) and xz, told by their
//! first bytes. Frames, members and streams that follow each other are one image.

use std::io::{self, Read};

use liblzma::read::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};

/// Memory that a decoder of xz may take: what its largest preset needs, many times over.
const XZ_MEMORY: u64 = 1 << 30;

/// How a stream is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// zstd.
    Zstd,
    /// gzip.
    Gzip,
    /// xz.
    Xz,
}

impl Packing {
    /// Bytes at the start of a file that tell its packing.
    pub const PROBE: usize = 6;

    /// Tells the packing by the first [`Packing::PROBE`] bytes; nothing for other files.
    #[must_use]
    pub fn detect(head: &[u8]) -> Option<Self> {
        if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Some(Self::Zstd)
        } else if head.starts_with(&[0x1f, 0x8b, 0x08]) {
            Some(Self::Gzip)
        } else if head.starts_with(b"\xfd7zXZ\0") {
            Some(Self::Xz)
        } else {
            None
        }
    }

    /// Its usual name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
            Self::Xz => "xz",
        }
    }

    /// What the stream holds, as it is read.
    ///
    /// # Errors
    /// A decoder that cannot be made, for want of memory.
    pub fn decoder<'a>(self, stream: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Self::Zstd => Box::new(zstd::stream::read::Decoder::new(stream)?),
            Self::Gzip => Box::new(flate2::read::MultiGzDecoder::new(stream)),
            Self::Xz => {
                let decoder = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED)?;
                Box::new(XzDecoder::new_stream(stream, decoder))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn unpack(packed: &[u8]) -> io::Result<Vec<u8>> {
        let packing = Packing::detect(packed).unwrap();
        let mut out = Vec::new();
        packing.decoder(packed)?.read_to_end(&mut out)?;
        Ok(out)
    }

    fn samples() -> [Vec<u8>; 3] {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
        gzip.write_all(b"disk").unwrap();
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
        xz.write_all(b"disk").unwrap();
        let zstd = zstd::encode_all(&b"disk"[..], 3).unwrap();
        [zstd, gzip.finish().unwrap(), xz.finish().unwrap()]
    }

    #[test]
    fn streams_that_follow_each_other_are_one() {
        for packed in samples() {
            let twice = [&packed[..], &packed].concat();
            assert_eq!(unpack(&twice).unwrap(), b"diskdisk");
        }
        assert_eq!(Packing::detect(b"QFI\xfb\0\0"), None);
        assert_eq!(Packing::detect(b""), None);
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        for packed in samples() {
            assert!(unpack(&packed[..packed.len() - 3]).is_err(), "{:?}", &packed[..4]);
        }
    }
}
