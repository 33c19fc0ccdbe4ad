//! The cpio archives of an initramfs (Linux' Documentation/driver-api/early-userspace/
//! buffer-format.rst): several in a row, padded with zeros, the last one compressed as a
//! whole.

use std::io::{self, Read};

/// Bytes of a header of the "new ASCII" kind.
const HEADER: usize = 110;
/// Longest name; the kernel's own limit.
const MAX_NAME: u64 = 4096;
/// Bytes of all archives together, as they are unpacked. No initramfs is as large.
const MAX_TOTAL: u64 = 4 << 30;
/// Names of all archives together.
const MAX_NAMES: usize = 1 << 18;
const TRAILER: &[u8] = b"TRAILER!!!";

/// What a stream of archives came to.
#[derive(Debug)]
pub(super) enum End {
    /// Its end.
    Stream,
    /// Something that is no archive, which starts with these bytes.
    Other(Vec<u8>),
}

/// A header.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    name_len: u64,
    size: u64,
}

impl Header {
    fn parse(bytes: &[u8; HEADER]) -> Option<Self> {
        if !is_magic(bytes) {
            return None;
        }
        // Eight hexadecimal digits each.
        let field = |index: usize| {
            let digits = std::str::from_utf8(bytes.get(6 + index * 8..14 + index * 8)?).ok()?;
            u64::from_str_radix(digits, 16).ok()
        };
        Some(Self { size: field(6)?, name_len: field(11)? })
    }
}

fn is_magic(bytes: &[u8]) -> bool {
    bytes.starts_with(b"070701") || bytes.starts_with(b"070702")
}

/// Names and places of a stream of archives.
pub(super) struct Reader<R> {
    stream: R,
    /// Bytes read so far: everything is aligned to four.
    at: u64,
    names: usize,
}

impl<R: Read> Reader<R> {
    pub(super) fn new(stream: R) -> Self {
        Self { stream, at: 0, names: 0 }
    }

    /// Gives every name in the archives to `take`. Ends at what is no archive.
    pub(super) fn names(&mut self, take: &mut dyn FnMut(&[u8])) -> io::Result<End> {
        loop {
            // Zeros between archives, in steps of four bytes.
            let mut start = [0; 4];
            match self.fill(&mut start)? {
                0 => return Ok(End::Stream),
                4 if start == [0; 4] => continue,
                4 if start == *b"0707" => self.entry(take)?,
                read => return Ok(End::Other(start[..read].to_vec())),
            }
        }
    }

    /// Reads an entry whose first four bytes were read.
    fn entry(&mut self, take: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        let mut bytes = [0; HEADER];
        bytes[..4].copy_from_slice(b"0707");
        let place = self.at - 4;
        if self.fill(&mut bytes[4..])? < HEADER - 4 {
            return Err(bad(place, "the archive ends inside of a header"));
        }
        let header = Header::parse(&bytes).ok_or_else(|| bad(place, "this is no cpio header"))?;
        if header.name_len == 0 || header.name_len > MAX_NAME {
            return Err(bad(place, &format!("a name of {} bytes", header.name_len)));
        }
        let mut name = vec![0; header.name_len as usize];
        if self.fill(&mut name)? < name.len() {
            return Err(bad(place, "the archive ends inside of a name"));
        }
        name.truncate(name.iter().position(|&byte| byte == 0).unwrap_or(name.len()));
        self.names += 1;
        if self.names > MAX_NAMES {
            return Err(bad(place, &format!("more than {MAX_NAMES} names")));
        }
        self.align()?;
        if name != TRAILER {
            take(&name);
        }
        self.skip(header.size)?;
        self.align()
    }

    /// Reads until the buffer is full or the stream ends.
    fn fill(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            match self.stream.read(&mut buf[done..]) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.at += done as u64;
        match self.at > MAX_TOTAL {
            true => Err(bad(self.at, &format!("it unpacks to more than {MAX_TOTAL} bytes"))),
            false => Ok(done),
        }
    }

    fn align(&mut self) -> io::Result<()> {
        self.skip(self.at.next_multiple_of(4) - self.at)
    }

    fn skip(&mut self, len: u64) -> io::Result<()> {
        let mut buf = [0; 32 << 10];
        let mut left = len;
        while left > 0 {
            let now = left.min(buf.len() as u64) as usize;
            if self.fill(&mut buf[..now])? < now {
                return Err(bad(self.at, "the archive ends inside of a file"));
            }
            left -= now as u64;
        }
        Ok(())
    }

    /// The stream, where [`Reader::names`] left it.
    pub(super) fn into_inner(self) -> R {
        self.stream
    }
}

fn bad(at: u64, problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("cpio at byte {at:#x}: {problem}"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An archive with these files.
    pub(in super::super) fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut entry = |name: &str, data: &[u8]| {
            let fields = [1, 0o100_644, 0, 0, 1, 0, data.len(), 0, 0, 0, 0, name.len() + 1, 0];
            let fields: Vec<String> = fields.iter().map(|field| format!("{field:08X}")).collect();
            out.extend(format!("070701{}{name}\0", fields.concat()).as_bytes());
            out.resize(out.len().next_multiple_of(4), 0);
            out.extend(data);
            out.resize(out.len().next_multiple_of(4), 0);
        };
        for (name, data) in files {
            entry(name, data);
        }
        entry("TRAILER!!!", b"");
        out
    }

    fn names(bytes: &[u8]) -> (Vec<String>, io::Result<End>) {
        let mut names = Vec::new();
        let mut take = |name: &[u8]| names.push(String::from_utf8_lossy(name).into_owned());
        let end = Reader::new(bytes).names(&mut take);
        (names, end)
    }

    #[test]
    fn archives_in_a_row_end_at_what_is_none() {
        let mut bytes = archive(&[("kernel/x86/microcode/GenuineIntel.bin", b"abcde")]);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes.extend(archive(&[("init", b""), ("a.ko", b"x")]));
        let (all, end) = names(&bytes);
        assert_eq!(all, ["kernel/x86/microcode/GenuineIntel.bin", "init", "a.ko"]);
        assert!(matches!(end, Ok(End::Stream)));
        bytes.extend(b"\x28\xb5\x2f\xfd...");
        let (_, end) = names(&bytes);
        assert!(matches!(end, Ok(End::Other(start)) if start == b"\x28\xb5\x2f\xfd"));
    }

    #[test]
    fn what_cannot_be_right_is_named() {
        let bytes = archive(&[("init", b"abc")]);
        for (len, message) in [(50, "of a header"), (112, "of a name"), (117, "of a file")] {
            let problem = names(&bytes[..len]).1.unwrap_err().to_string();
            assert!(problem.contains(message), "{problem}");
        }
        let mut long = bytes.clone();
        long[94..102].copy_from_slice(b"FFFFFFFF");
        assert!(names(&long).1.unwrap_err().to_string().contains("a name of 4294967295 bytes"));
        let mut large = bytes.clone();
        large[54..62].copy_from_slice(b"FFFFFFFF");
        assert!(names(&large).1.unwrap_err().to_string().contains("ends inside of a file"));
        let mut odd = bytes;
        odd[60] = b'x';
        assert!(names(&odd).1.unwrap_err().to_string().contains("no cpio header"));
    }
}
