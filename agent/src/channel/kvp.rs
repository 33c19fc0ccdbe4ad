//! Tells Hyper-V's host: key-value pairs in the guest's pool 1.
//!
//! Sources: the kernel's tools/hv/hv_kvp_daemon.c (a record is a key of 512 bytes and a value of
//! 2048, both ended by zeros; the daemon locks the file with fcntl), azure-init's doc/kvp.md
//! (limits that hosts keep to: 254 bytes for a key, 1022 for a value; others lock with flock).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use bootwright_seed::report::Report;
use rustix::fs::{FlockOperation, fcntl_lock};

use super::console;
use crate::root::Root;

/// The pool of what a guest tells its host.
const POOL: &str = "/var/lib/hyperv/.kvp_pool_1";
/// Where Hyper-V's devices are.
const BUS: &str = "/sys/bus/vmbus/devices";
const KEY: usize = 512;
const VALUE: usize = 2048;
const RECORD: usize = KEY + VALUE;
/// Longest value that every host shows.
const LONGEST: usize = 1022;
/// Most records the daemon reads.
const RECORDS: usize = 1024;

/// Puts state and summary into the pool. `None`: this is not Hyper-V.
pub fn put(root: &Root, report: &Report) -> Option<io::Result<()>> {
    let pool = root.at(POOL);
    let has_devices = std::fs::read_dir(root.at(BUS)).is_ok_and(|mut d| d.next().is_some());
    if !has_devices && !pool.exists() {
        return None;
    }
    let pairs = [
        ("bootwright.state", report.state.name().to_owned()),
        ("bootwright.report", console::summary(report)),
    ];
    Some(update(&pool, &pairs))
}

fn update(pool: &Path, pairs: &[(&str, String)]) -> io::Result<()> {
    if let Some(folder) = pool.parent() {
        crate::atomic::make_folder(folder)?;
    }
    let mut options = File::options();
    let mut file =
        options.read(true).write(true).create(true).truncate(false).mode(0o644).open(pool)?;
    // Both ways of locking are in use; neither waits, for the boot's sake.
    file.try_lock().map_err(io::Error::from)?;
    fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive)?;
    let mut records = Vec::new();
    let limit = u64::try_from(RECORD * RECORDS).unwrap_or(u64::MAX);
    (&mut file).take(limit).read_to_end(&mut records)?;
    set(&mut records, pairs)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&records)
}

/// Replaces the values of keys that are there and adds the others.
fn set(records: &mut Vec<u8>, pairs: &[(&str, String)]) -> io::Result<()> {
    // What a writer that was killed left behind is no record.
    records.truncate(records.len() / RECORD * RECORD);
    for (key, value) in pairs {
        let record = record(key, value);
        let is_full = records.len() >= RECORD * RECORDS;
        let same = |old: &&mut [u8]| name(old) == key.as_bytes();
        if let Some(old) = records.chunks_exact_mut(RECORD).find(same) {
            old.copy_from_slice(&record);
        } else if is_full {
            return Err(io::Error::other("the pool is full"));
        } else {
            records.extend(record);
        }
    }
    Ok(())
}

/// A record's key, up to its first zero.
fn name(record: &[u8]) -> &[u8] {
    record.get(..KEY).unwrap_or_default().split(|byte| *byte == 0).next().unwrap_or_default()
}

fn record(key: &str, value: &str) -> Vec<u8> {
    let mut record = key.as_bytes().to_vec();
    record.resize(KEY, 0);
    record.extend(&value.as_bytes()[..value.floor_char_boundary(LONGEST)]);
    record.resize(RECORD, 0);
    record
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::*;

    fn values(records: &[u8]) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| {
            let end = bytes.iter().position(|byte| *byte == 0).unwrap();
            String::from_utf8(bytes[..end].to_vec()).unwrap()
        };
        assert_eq!(records.len() % RECORD, 0);
        records.chunks(RECORD).map(|r| (text(&r[..KEY]), text(&r[KEY..]))).collect()
    }

    #[test]
    fn values_are_replaced_and_others_kept() {
        let dir = tempfile::tempdir().unwrap();
        let pool = dir.path().join("var/.kvp_pool_1");
        let pair = |key: &'static str, value: &str| (key, value.to_owned());
        update(&pool, &[pair("other", "x"), pair("bootwright.state", "unconfigured")]).unwrap();
        let long = "ä".repeat(600);
        update(&pool, &[pair("bootwright.state", "active"), pair("bootwright.report", &long)])
            .unwrap();
        let values = values(&std::fs::read(&pool).unwrap());
        assert_eq!(values[0], ("other".to_owned(), "x".to_owned()));
        assert_eq!(values[1], ("bootwright.state".to_owned(), "active".to_owned()));
        assert_eq!(values[2].1, "ä".repeat(511));
        assert_eq!(values.len(), 3);
    }

    proptest! {
        #[test]
        fn any_pool_is_survived(mut bytes in prop::collection::vec(any::<u8>(), 0..6000)) {
            set(&mut bytes, &[("k", "v".to_owned())]).unwrap();
            assert_eq!(bytes.len() % RECORD, 0);
        }
    }
}
