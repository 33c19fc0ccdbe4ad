//! Lets go of the medium whose seed was used, so that its secrets do not stay readable.
//!
//! Done late in the boot, when cloud-init has read the medium as well.

use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::atomic;
use crate::boot::chain;
use crate::config::{AfterUse, Config};
use crate::discover;
use crate::exit::Answer;
use crate::flags;
use crate::root::Root;
use crate::sources::Offer;
use crate::sys;

/// Largest device that is overwritten. A seed medium is a few MiB; a larger device may hold
/// what nobody wants to lose.
const MAX_WIPE: u64 = 256 << 20;
/// Bytes written at a time.
const BLOCK: usize = 1 << 20;

/// Notes that the medium of this offer is to be released.
///
/// # Errors
/// The note cannot be written.
pub fn schedule(root: &Root, policy: AfterUse, offer: &Offer) -> Result<(), String> {
    if policy == AfterUse::Keep || offer.filesystem.is_none() {
        return Ok(());
    }
    let line = format!("{}\n", offer.place);
    atomic::write(&root.at(flags::RELEASE), line.as_bytes(), 0o600).map_err(|error| chain(&error))
}

/// The verb `release`: does what was noted.
pub fn run(root: &Root, config: &Path) -> Answer {
    match Config::load(root, config) {
        Ok(config) => perform(root, config.after_use),
        Err(error) => Answer::failed(&chain(&error)),
    }
}

fn perform(root: &Root, policy: AfterUse) -> Answer {
    let noted = match fs::read_to_string(root.at(flags::RELEASE)) {
        Ok(noted) => noted,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Answer::told("no medium is to be released\n".to_owned());
        }
        Err(error) => {
            return Answer::failed(&format!("{} cannot be read: {error}", flags::RELEASE));
        }
    };
    // First, so that a medium which cannot be released is not tried over and over.
    if let Err(reason) = flags::lower(root, flags::RELEASE.as_ref()) {
        return Answer::failed(&reason);
    }
    let mut answer = Answer::default();
    for node in noted.lines() {
        match release(root, policy, node) {
            Ok(done) => answer.out += &format!("{node}: {done}\n"),
            Err(reason) => {
                answer.err += &format!(
                    "bootwright-agent: {node} stays readable: {reason}; detach it on the host\n"
                );
                answer.code = crate::exit::FAILED;
            }
        }
    }
    answer
}

fn release(root: &Root, policy: AfterUse, node: &str) -> Result<&'static str, String> {
    match policy {
        AfterUse::Keep => Ok("kept"),
        AfterUse::Unbind => unbind(root, node),
        AfterUse::Eject if is_disc(node) => eject(root, node),
        AfterUse::Eject => unbind(root, node),
        AfterUse::Wipe => wipe(root, node).or_else(|reason| match is_disc(node) {
            true => eject(root, node),
            false => Err(reason),
        }),
    }
}

fn is_disc(node: &str) -> bool {
    node.starts_with("/dev/sr")
}

fn eject(root: &Root, node: &str) -> Result<&'static str, String> {
    let drive = discover::open(root, node).map_err(|error| error.to_string())?;
    sys::eject(&drive).map(|()| "ejected").map_err(|error| format!("it cannot be ejected: {error}"))
}

/// Takes the whole disk from the guest: SCSI disks have a file for that, PCI ones their driver.
fn unbind(root: &Root, node: &str) -> Result<&'static str, String> {
    let disk = discover::disk_of(root, node).ok_or("it is gone from /sys")?;
    let device = fs::canonicalize(disk.join("device")).map_err(|error| error.to_string())?;
    let delete = device.join("delete");
    let outcome = if delete.exists() {
        fs::write(delete, "1")
    } else {
        let name = device.file_name().unwrap_or_default();
        fs::write(device.join("driver/unbind"), name.as_encoded_bytes())
    };
    outcome.map(|()| "unbound").map_err(|error| format!("it cannot be unbound: {error}"))
}

/// Overwrites the device with zeros and has them reach it.
fn wipe(root: &Root, node: &str) -> Result<&'static str, String> {
    let open = File::options().write(true).custom_flags(libc::O_EXCL).open(root.at(node));
    let mut device = open.map_err(|error| format!("it cannot be written: {error}"))?;
    let failed = |error: io::Error| format!("it cannot be overwritten: {error}");
    let size = device.seek(io::SeekFrom::End(0)).map_err(failed)?;
    if size > MAX_WIPE {
        return Err(format!(
            "it has {size} bytes, and no more than {MAX_WIPE} are ever overwritten"
        ));
    }
    device.rewind().map_err(failed)?;
    let zeros = vec![0; BLOCK];
    let mut left = usize::try_from(size).unwrap_or(usize::MAX);
    while left > 0 {
        let now = left.min(BLOCK);
        device.write_all(&zeros[..now]).map_err(failed)?;
        left -= now;
    }
    device.sync_all().map_err(failed)?;
    Ok("overwritten")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::config::SourceKind;

    fn scheduled(root: &Root, node: &str, policy: AfterUse) {
        let mut offer = Offer::plain(SourceKind::Cidata, node, Vec::new());
        offer.filesystem = Some("vfat".to_owned());
        schedule(root, policy, &offer).unwrap();
    }

    /// Upstream left the secrets on the medium (domain.md B07).
    #[test]
    fn b07_a_medium_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::new(dir.path());
        fs::create_dir(dir.path().join("dev")).unwrap();
        let device = dir.path().join("dev/vdb");
        fs::write(&device, vec![b's'; 3 << 20]).unwrap();
        scheduled(&root, "/dev/vdb", AfterUse::Wipe);
        let answer = perform(&root, AfterUse::Wipe);
        assert_eq!((answer.code, answer.out.as_str()), (0, "/dev/vdb: overwritten\n"));
        assert!(fs::read(&device).unwrap().iter().all(|byte| *byte == 0));
        assert_eq!(fs::metadata(&device).unwrap().len(), 3 << 20);
        assert_eq!(perform(&root, AfterUse::Wipe).out, "no medium is to be released\n");
        File::create(&device).unwrap().set_len(MAX_WIPE + 1).unwrap();
        scheduled(&root, "/dev/vdb", AfterUse::Wipe);
        let answer = perform(&root, AfterUse::Wipe);
        assert!(answer.err.contains("stays readable: it has 268435457 bytes"), "{}", answer.err);
    }

    #[test]
    fn disks_are_unbound_by_what_they_have() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::new(dir.path());
        let sys = dir.path().join("sys");
        let scsi = sys.join("devices/host0/0:0:0:0");
        fs::create_dir_all(scsi.join("block/sda/sda1")).unwrap();
        fs::write(scsi.join("block/sda/sda1/partition"), "1").unwrap();
        symlink("../../../0:0:0:0", scsi.join("block/sda/device")).unwrap();
        fs::write(scsi.join("delete"), "").unwrap();
        let virtio = sys.join("devices/pci/virtio1");
        fs::create_dir_all(virtio.join("block/vda")).unwrap();
        fs::create_dir_all(sys.join("bus/virtio_blk")).unwrap();
        fs::write(sys.join("bus/virtio_blk/unbind"), "").unwrap();
        symlink(sys.join("bus/virtio_blk"), virtio.join("driver")).unwrap();
        symlink("../../../virtio1", virtio.join("block/vda/device")).unwrap();
        fs::create_dir_all(sys.join("class/block")).unwrap();
        symlink(scsi.join("block/sda/sda1"), sys.join("class/block/sda1")).unwrap();
        symlink(virtio.join("block/vda"), sys.join("class/block/vda")).unwrap();
        assert_eq!(release(&root, AfterUse::Eject, "/dev/sda1"), Ok("unbound"));
        assert_eq!(fs::read_to_string(scsi.join("delete")).unwrap(), "1");
        assert_eq!(release(&root, AfterUse::Unbind, "/dev/vda"), Ok("unbound"));
        assert_eq!(fs::read_to_string(sys.join("bus/virtio_blk/unbind")).unwrap(), "virtio1");
        assert!(release(&root, AfterUse::Unbind, "/dev/vdz").is_err());
    }
}
