//! Compression of single clusters: raw deflate (RFC 1951) and zstd (RFC 8878).

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use zstd::zstd_safe;

/// Window of the deflate streams written here: 4 KiB, which is all that the qcow2 readers
/// are sure to have, since QEMU writes no more.
const WINDOW_BITS: u8 = 12;

/// Inflates one raw deflate stream that must fill `out` exactly. Bytes after the stream are
/// ignored. Gives the length of the stream, or what was wrong with it.
///
/// # Errors
/// A sentence for people; the caller knows the place.
pub fn inflate(stream: &[u8], out: &mut [u8]) -> Result<usize, String> {
    let mut inflater = Decompress::new(false);
    match inflater.decompress(stream, out, FlushDecompress::Finish) {
        Ok(Status::StreamEnd) if inflater.total_out() == out.len() as u64 => {
            Ok(inflater.total_in() as usize)
        }
        // The buffer may be full just before the end-of-block symbol; a stream that has
        // more to say than that is not ours.
        Ok(Status::Ok | Status::BufError) if inflater.total_out() == out.len() as u64 => {
            drain(&mut inflater, stream)
        }
        Ok(_) => Err(format!(
            "the deflate stream gives {} bytes where {} are expected",
            inflater.total_out(),
            out.len()
        )),
        Err(error) => Err(format!("not a deflate stream ({error})")),
    }
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
    pub fn new(needs: crate::unit::Needs) -> Self {
        let deflate = needs.deflate.map(|level| {
            Compress::new_with_window_bits(Compression::new(level), false, WINDOW_BITS)
        });
        let zstd = needs.zstd.map(|_| zstd_safe::CCtx::create());
        Self { deflate, zstd, zstd_level: needs.zstd.unwrap_or_default(), buffer: Vec::new() }
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::Needs;

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
        let needs = Needs { deflate: Some(6), zstd: Some(3) };
        let mut compressor = Compressor::new(needs);
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
        assert_eq!(compressor.deflate(&noise()), None);
        assert_eq!(compressor.zstd(&noise()), None);
    }

    #[test]
    fn names_what_is_wrong() {
        let mut compressor = Compressor::new(Needs { deflate: Some(6), zstd: Some(3) });
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
        assert!(unzstd(b"plain", &mut out).unwrap_err().contains("not a zstd frame"));
        let frame = compressor.zstd(&text()).unwrap();
        assert!(unzstd(&frame, &mut large).unwrap_err().contains("65536 bytes where 65537"));
    }
}
