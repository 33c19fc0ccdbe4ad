//! What is on a block device, as blkid tells it.

use std::thread;
use std::time::{Duration, Instant};

use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::program::Call;

/// Pause between two looks for a device.
const PAUSE: Duration = Duration::from_millis(100);

/// What was found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Found {
    /// The type of its file system, RAID member, LUKS header or the like.
    pub fstype: Option<String>,
    /// The type of its partition table.
    pub table: Option<String>,
}

impl Found {
    /// Whether there is nothing that blkid knows.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What there is, for messages.
    pub fn describe(&self) -> String {
        match (&self.fstype, &self.table) {
            (Some(fstype), _) => fstype.clone(),
            (None, Some(table)) => format!("a {table} partition table"),
            (None, None) => "nothing".to_owned(),
        }
    }
}

/// Looks at the bytes of a device, not at what udev or a cache remembers.
pub fn probe(machine: &Machine<'_>, device: &str) -> Result<Found, TaskError> {
    let ended = machine.programs.ask(&Call::new("blkid", ["-p", "-o", "export", device]))?;
    match ended.code {
        Some(0) => {}
        Some(2) if ended.err.trim().is_empty() => return Ok(Found::default()),
        // 8: signatures that contradict each other. Everything else is not known either.
        _ => {
            return Err(TaskError::Refused(format!(
                "blkid cannot tell what is on {device}; it is left alone: {}",
                ended.err.trim()
            )));
        }
    }
    let value = |key: &str| {
        let mut lines = ended.out.lines();
        lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).map(str::to_owned)
    };
    // A partition alone is no content: blkid tells of its entry in the table.
    Ok(Found { fstype: value("TYPE"), table: value("PTTYPE") })
}

/// The device with a label, if one shows up in time.
pub fn by_label(
    machine: &Machine<'_>,
    label: &str,
    wait_seconds: u64,
) -> Result<Option<String>, TaskError> {
    let deadline = Instant::now() + Duration::from_secs(wait_seconds);
    loop {
        // blkid reads the devices itself: udev may not have got to them yet.
        let ended = machine.programs.ask(&Call::new("blkid", ["-c", "/dev/null", "-L", label]))?;
        let device = ended.out.trim();
        if ended.code == Some(0) && !device.is_empty() {
            return Ok(Some(device.to_owned()));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        thread::sleep(PAUSE);
    }
}

/// Waits for a device node.
pub fn await_node(machine: &Machine<'_>, device: &str, wait_seconds: u64) -> bool {
    let deadline = Instant::now() + Duration::from_secs(wait_seconds);
    while !machine.exists(device) {
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(PAUSE);
    }
    true
}
