//! LZ4 in the legacy frame that the kernel takes (lz4's doc/lz4_Frame_format.md): blocks of
//! up to 8 MiB, each behind its compressed length.

use std::io::{self, Read};

/// Bytes that a block holds.
const BLOCK: usize = 8 << 20;

/// Unpacks what follows the frame's magic.
pub(super) struct Lz4<R> {
    stream: R,
    block: Vec<u8>,
    at: usize,
}

impl<R: Read> Lz4<R> {
    pub(super) fn new(stream: R) -> Self {
        Self { stream, block: Vec::new(), at: 0 }
    }

    /// Unpacks the next block; nothing at the end.
    fn next(&mut self) -> io::Result<Option<()>> {
        let mut len = [0; 4];
        let mut read = 0;
        while read < len.len() {
            match self.stream.read(&mut len[read..])? {
                // The kernel's build pads the archive and appends its size.
                0 => return Ok(None),
                more => read += more,
            }
        }
        let len = u32::from_le_bytes(len);
        if len == 0 {
            return Ok(None);
        }
        // What does not shrink grows by a 255th.
        if len as usize > BLOCK + BLOCK / 255 + 16 {
            let problem = format!("an LZ4 block of {len} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        let mut packed = Vec::new();
        self.stream.by_ref().take(len.into()).read_to_end(&mut packed)?;
        self.block.resize(BLOCK, 0);
        let unpacked = lz4_flex::block::decompress_into(&packed, &mut self.block)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
        self.block.truncate(unpacked);
        self.at = 0;
        Ok(Some(()))
    }
}

impl<R: Read> Read for Lz4<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.at == self.block.len() {
            if self.next()?.is_none() {
                return Ok(0);
            }
        }
        let now = buf.len().min(self.block.len() - self.at);
        buf[..now].copy_from_slice(&self.block[self.at..self.at + now]);
        self.at += now;
        Ok(now)
    }
}
