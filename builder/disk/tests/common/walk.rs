//! Reads a view as a build does, as far as a hostile one may make it: for decoders that must
//! survive any bytes.

use bootwright_disk::view::{ExtentKind, View};
use bootwright_disk::{Result, partition};

/// Calls of `extent_at`, and bytes read of each extent and of all, at most. A few bytes can
/// promise a disk of terabytes that is all data.
const MAX_EXTENTS: usize = 512;
const MAX_OF_EXTENT: u64 = 128 << 10;
const MAX_BYTES: u64 = 4 << 20;
const STEP: u64 = 64 << 10;

/// Walks the extents, reads data, takes compressed clusters over and looks for partitions.
///
/// # Errors
/// What the view says; the walk ends there.
pub fn walk(view: &dyn View) -> Result<()> {
    let mut buf = vec![0; STEP as usize];
    let (mut at, mut read) = (0, 0);
    for _ in 0..MAX_EXTENTS {
        if at >= view.size() || read >= MAX_BYTES {
            break;
        }
        let extent = view.extent_at(at)?;
        assert!(
            extent.end > at && extent.end <= view.size(),
            "{extent:?} at {at} of {}",
            view.size()
        );
        let most = if extent.kind == ExtentKind::Data { MAX_OF_EXTENT } else { 1 };
        let end = extent.end.min(at + most);
        while at < end && read < MAX_BYTES {
            let len = (end - at).min(STEP - at % STEP);
            view.read_at(at, &mut buf[..len as usize])?;
            if len == STEP {
                view.deflated(at, STEP)?;
            }
            at += len;
            read += len;
        }
        at = extent.end;
    }
    let last = view.size().saturating_sub(700);
    view.read_at(last, &mut buf[..(view.size() - last) as usize])?;
    partition::read(view).map(drop)
}
