//! Room for what does not fit into memory: files without a name, gone with the process.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use bootwright_export::Error as ExportError;

use crate::exit::Unreadable;
use crate::interrupt;

/// Bytes read at once.
const PIECE: usize = 1 << 20;
/// Zeros of this many bytes, at a multiple of them, are not stored.
const BLOCK: usize = 64 << 10;

/// The folder for large temporary files: /var/tmp is, unlike /tmp, meant for them.
pub fn dir() -> PathBuf {
    match std::env::var_os("TMPDIR") {
        Some(dir) => PathBuf::from(dir),
        None if Path::new("/var/tmp").is_dir() => PathBuf::from("/var/tmp"),
        None => std::env::temp_dir(),
    }
}

/// Puts all that a stream gives into a file without a name, zeros as holes. `path` is what
/// messages call the stream.
///
/// # Errors
/// What reading the stream and writing the file say.
pub fn spool(path: &Path, stream: &mut dyn Read) -> Result<File> {
    let dir = dir();
    let write = |source: io::Error| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ExportError::Full { path: dir.clone() }
        }
        _ => ExportError::Io { op: "writing a temporary file in", path: dir.clone(), source },
    };
    let file = tempfile::tempfile_in(&dir).map_err(write)?;
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    loop {
        ensure!(!interrupt::is_set(), "interrupted");
        let read = fill(stream, &mut piece);
        let read = read.map_err(|source| Unreadable::new("image", path, source))?;
        if read == 0 {
            break;
        }
        for block in piece[..read].chunks(BLOCK) {
            if block.iter().any(|&byte| byte != 0) {
                file.write_all_at(block, at).map_err(write)?;
            }
            at += block.len() as u64;
        }
    }
    file.set_len(at).map_err(write)?;
    Ok(file)
}

/// Reads until the buffer is full or the stream ends.
fn fill(stream: &mut dyn Read, buf: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < buf.len() {
        match stream.read(&mut buf[done..]) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}
