//! What is asked of every view.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

use std::path::Path;

use bootwright_disk::view::{ExtentKind, View, read_vec};
use bootwright_disk::{Format, open};

/// The image opens as `format` and holds `disk`, followed by zeros where it is larger. Gives
/// the bytes that the view calls empty.
pub fn holds(image: &str, format: Format, disk: &[u8]) -> u64 {
    let opened = open(Path::new(image), None).unwrap();
    assert_eq!(opened.format, format, "{image}");
    let view = opened.view.as_ref();
    assert!(view.size() >= disk.len() as u64);
    let read = read_vec(view, 0, view.size()).unwrap();
    assert!(read[..disk.len()] == *disk, "{image} reads differently");
    assert!(read[disk.len()..].iter().all(|&byte| byte == 0));
    small_reads(view, disk);
    extents(view, &read)
}

/// Extents cover the disk, and what they call empty is. Gives the number of empty bytes.
pub fn extents(view: &dyn View, disk: &[u8]) -> u64 {
    let mut at = 0;
    let mut empty = 0;
    while at < view.size() {
        let extent = view.extent_at(at).unwrap();
        assert!(extent.end > at);
        if extent.kind != ExtentKind::Data {
            assert!(disk[at as usize..extent.end as usize].iter().all(|&byte| byte == 0));
            empty += extent.end - at;
        }
        at = extent.end;
    }
    assert_eq!(at, view.size());
    assert!(view.extent_at(at).is_err() && read_vec(view, at, 1).is_err());
    empty
}

/// Reads that begin and end anywhere, as those of a file system do.
fn small_reads(view: &dyn View, disk: &[u8]) {
    for at in (0..disk.len().saturating_sub(5000)).step_by(77_777) {
        assert!(read_vec(view, at as u64, 5000).unwrap() == disk[at..at + 5000]);
    }
}

/// Why the image is refused.
pub fn refusal(image: &str) -> String {
    open(Path::new(image), None).unwrap_err().to_string()
}
