//! ustar archives (POSIX.1-1988) written entry by entry into a sink.

use bootwright_disk::Result;
use bootwright_disk::sink::{Sink, align};
use tar::{EntryType, Header};

/// Bytes of a header, and the unit that entries are padded to.
pub(crate) const BLOCK: u64 = 512;

/// The header of a regular file that belongs to nobody.
pub(crate) fn header(name: &str, size: u64, mtime: u64) -> Vec<u8> {
    let mut header = Header::new_ustar();
    // Names here are short and relative; `set_path` refuses nothing that is.
    let _ = header.set_path(name);
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(mtime);
    header.set_size(size);
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// Appends a whole entry.
pub(crate) fn entry(sink: &mut dyn Sink, name: &str, data: &[u8], mtime: u64) -> Result<()> {
    sink.append(&header(name, data.len() as u64, mtime))?;
    sink.append(data)?;
    align(sink, BLOCK)
}

/// Ends the archive: two blocks of zeros.
pub(crate) fn end(sink: &mut dyn Sink) -> Result<()> {
    sink.append(&[0; 2 * BLOCK as usize])
}
