//! Compression of single clusters: raw deflate (RFC 1951) and zstd (RFC 8878).

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use zstd::zstd_safe;

use crate::unit::{Deflate, Needs};

/// Inflates one raw deflate stream that must fill `out` exactly. Bytes after the stream are
/// ignored. Gives the length of the stream, or what was wrong with it.
///
/// # Errors
/// A sentence for people; the caller knows the place.
pub fn inflate(stream: &[u8], out: &mut [u8]) -> Result<usize, String> {
    let (read, written) = inflate_within(stream, out)?;
    if written == out.len() { Ok(read) } else { Err(too_short(written, out.len())) }
}

/// Inflates one raw deflate stream that must not give more than `out` holds. Bytes after the
/// stream are ignored. Gives the lengths of the stream and of what came out of it.
///
/// # Errors
/// A sentence for people; the caller knows the place.
pub(crate) fn inflate_within(stream: &[u8], out: &mut [u8]) -> Result<(usize, usize), String> {
    let mut inflater = Decompress::new(false);
    let status = inflater.decompress(stream, out, FlushDecompress::Finish);
    let written = inflater.total_out() as usize;
    match status {
        Ok(Status::StreamEnd) => Ok((inflater.total_in() as usize, written)),
        // The buffer may be full just before the end-of-block symbol; a stream that has
        // more to say than that is not ours.
        Ok(Status::Ok | Status::BufError) if written == out.len() => {
            drain(&mut inflater, stream).map(|read| (read, written))
        }
        Ok(_) => Err(too_short(written, out.len())),
        Err(error) => Err(format!("not a deflate stream ({error})")),
    }
}

fn too_short(written: usize, expected: usize) -> String {
    format!("the deflate stream gives {written} bytes where {expected} are expected")
}

/// Reads the rest of a stream whose output is complete.
fn drain(inflater: &mut Decompress, stream: &[u8]) -> Result<usize, String> {
    let rest = &stream[inflater.total_in() as usize..];
    let before = inflater.total_out();
    match inflater.decompress(rest, &mut [0; 1], FlushDecompress::Finish) {
        Ok(Status::StreamEnd) if inflater.total_out() == before => Ok(inflater.total_in() as usize),
        Ok(_) => Err("the deflate stream gives more bytes than a cluster holds".to_owned()),
        Err(error) => Err(format!("not a deflate stream ({error})")),
    }
}

/// Decompresses one zstd frame that must fill `out` exactly. Bytes after the frame are
/// ignored.
///
/// # Errors
/// A sentence for people; the caller knows the place.
pub fn unzstd(frame: &[u8], out: &mut [u8]) -> Result<(), String> {
    let explain = |code| format!("not a zstd frame ({})", zstd_safe::get_error_name(code));
    let len = zstd_safe::find_frame_compressed_size(frame).map_err(explain)?;
    let expected = out.len();
    match zstd_safe::decompress(out, &frame[..len]).map_err(explain)? {
        done if done == expected => Ok(()),
        done => Err(format!("the zstd frame gives {done} bytes where {expected} are expected")),
    }
}

/// Compresses clusters one by one; keeps its tables between them.
pub struct Compressor {
    deflate: Option<Compress>,
    zstd: Option<zstd_safe::CCtx<'static>>,
    zstd_level: i32,
    adler: bool,
    buffer: Vec<u8>,
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compressor").finish_non_exhaustive()
    }
}

impl Compressor {
    /// A compressor for the forms in `needs`.
    #[must_use]
    pub fn new(needs: Needs) -> Self {
        let deflate = needs.deflate.map(|Deflate { level, window_bits }| {
            Compress::new_with_window_bits(Compression::new(level), false, window_bits)
        });
        let zstd = needs.zstd.map(|_| zstd_safe::CCtx::create());
        let zstd_level = needs.zstd.unwrap_or_default();
        Self { deflate, zstd, zstd_level, adler: needs.adler, buffer: Vec::new() }
    }

    /// The raw deflate stream of `data`, if it was asked for and is smaller than `data`.
    pub fn deflate(&mut self, data: &[u8]) -> Option<Vec<u8>> {
        let deflater = self.deflate.as_mut()?;
        deflater.reset();
        // One byte less than the data: a stream that does not fit does not shrink.
        self.buffer.resize(data.len() - 1, 0);
        let status = deflater.compress(data, &mut self.buffer, FlushCompress::Finish);
        matches!(status, Ok(Status::StreamEnd))
            .then(|| self.buffer[..deflater.total_out() as usize].to_vec())
    }

    /// The zstd frame of `data`, if it was asked for and is smaller than `data`.
    pub fn zstd(&mut self, data: &[u8]) -> Option<Vec<u8>> {
        let context = self.zstd.as_mut()?;
        self.buffer.resize(data.len() - 1, 0);
        let len = context.compress(&mut self.buffer[..], data, self.zstd_level).ok()?;
        Some(self.buffer[..len].to_vec())
    }

    /// The Adler-32 (RFC 1950) of `data`, if it was asked for.
    #[must_use]
    pub fn adler(&self, data: &[u8]) -> Option<u32> {
        self.adler.then(|| adler32(data))
    }
}

/// The Adler-32 (RFC 1950) of `data`.
pub(crate) fn adler32(data: &[u8]) -> u32 {
    simd_adler32::adler32(&data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs() -> Needs {
        let deflate = Some(Deflate { level: 6, window_bits: 12 });
        Needs { deflate, zstd: Some(3), adler: true }
    }

    fn text() -> Vec<u8> {
        (0..65536u32).map(|i| (i / 7 % 64) as u8 + b' ').collect()
    }

    fn noise() -> Vec<u8> {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as u8
        };
        (0..65536).map(|_| next()).collect()
    }

    #[test]
    fn round_trips_and_ignores_padding() {
        let mut compressor = Compressor::new(needs());
        for _ in 0..2 {
            let mut stream = compressor.deflate(&text()).unwrap();
            let len = stream.len();
            stream.extend([0xaa; 100]);
            let mut out = vec![0; 65536];
            assert_eq!(inflate(&stream, &mut out), Ok(len));
            assert_eq!(out, text());
            let mut frame = compressor.zstd(&text()).unwrap();
            frame.extend([0; 100]);
            out.fill(0);
            unzstd(&frame, &mut out).unwrap();
            assert_eq!(out, text());
        }
        assert_eq!(compressor.adler(b"Wikipedia"), Some(0x11e6_0398));
        assert_eq!(compressor.deflate(&noise()), None);
        assert_eq!(compressor.zstd(&noise()), None);
    }

    #[test]
    fn names_what_is_wrong() {
        let mut compressor = Compressor::new(needs());
        let stream = compressor.deflate(&text()).unwrap();
        let mut small = vec![0; 65535];
        assert!(inflate(&stream, &mut small).unwrap_err().contains("more bytes"));
        let mut large = vec![0; 65537];
        assert!(
            inflate(&stream, &mut large).unwrap_err().contains("gives 65536 bytes where 65537")
        );
        let mut out = vec![0; 65536];
        assert!(inflate(&[0xff; 64], &mut out).unwrap_err().contains("not a deflate stream"));
        assert!(inflate(&stream[..100], &mut out).is_err());
        assert_eq!(inflate_within(&stream, &mut large), Ok((stream.len(), 65536)));
        assert!(inflate_within(&stream[..100], &mut large).unwrap_err().contains("bytes where"));
        assert!(unzstd(b"plain", &mut out).unwrap_err().contains("not a zstd frame"));
        let frame = compressor.zstd(&text()).unwrap();
        assert!(unzstd(&frame, &mut large).unwrap_err().contains("65536 bytes where 65537"));
    }
}
