//! Section `parted`: partition tables, through sfdisk.

use bootwright_seed::yaml::tree::Node;

use super::size;
use super::{Layout, is_word};
use crate::storage::probe;
use crate::tasks::env;
use crate::tasks::machine::TaskError;
use crate::tasks::program::Call;

const ALIGN: u64 = 1 << 20;
const SECTOR: u64 = 512;

/// Kinds of tables.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    Gpt,
    Mbr,
}

impl Table {
    /// Its name in sfdisk and blkid.
    fn name(self) -> &'static str {
        match self {
            Self::Gpt => "gpt",
            Self::Mbr => "dos",
        }
    }

    /// What parted's flag is here: a type, or a mark of the partition.
    fn flag(self, flag: &str) -> Option<String> {
        let (gpt, mbr) = match flag {
            "bios_grub" => ("21686148-6449-6E6F-744E-656564454649", ""),
            "raid" => ("A19D880F-05FC-4D3B-A006-743F0F84911E", "fd"),
            "lvm" => ("E6D6D379-F507-44C2-A23C-238F2A3DF928", "8e"),
            "swap" => ("0657FD6D-A4AB-43C4-84E5-0933C84B4F4F", "82"),
            "esp" => ("C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "ef"),
            // On a GPT parted takes `boot` for the EFI system partition.
            "boot" if self == Self::Mbr => return Some("bootable".into()),
            "boot" => ("C12A7328-F81F-11D2-BA4B-00A0C93EC93B", ""),
            _ => return None,
        };
        let kind = if self == Self::Gpt { gpt } else { mbr };
        (!kind.is_empty()).then(|| format!("type={kind}"))
    }
}

/// The node of a partition: the kernel puts a p after a name that ends in a digit.
pub fn node_of(disk: &str, number: usize) -> String {
    let digit = disk.ends_with(|c: char| c.is_ascii_digit());
    format!("{disk}{}{number}", if digit { "p" } else { "" })
}

/// Plans all disks of the section.
pub fn plan(layout: &mut Layout<'_>, tree: &Node) -> Result<(), TaskError> {
    for (disk, node) in env::entries(tree, "parted")? {
        one(layout, disk, node)?;
    }
    Ok(())
}

fn one(layout: &mut Layout<'_>, disk: &str, node: &Node) -> Result<(), TaskError> {
    env::only(node, layout.key, &["type", "parts", "wipe"])?;
    layout.need(node, disk)?;
    let wanted = match env::text(node, "type")? {
        None => None,
        Some("gpt") => Some(Table::Gpt),
        Some("mbr" | "msdos" | "dos") => Some(Table::Mbr),
        Some(other) => return Err(layout.refuse(node, format!("`type: {other}` is no gpt or mbr"))),
    };
    let found = probe::probe(layout.machine, disk)?;
    let table = match found.table.as_deref().filter(|_| found.fstype.is_none()) {
        Some("gpt") => Some(Table::Gpt),
        Some("dos") => Some(Table::Mbr),
        _ => None,
    };
    let (table, is_new) = match (table, wanted) {
        // A table that is there stays, of whatever type it is.
        (Some(table), None) => (table, false),
        (Some(table), Some(wanted)) if table == wanted => (table, false),
        (_, Some(wanted)) => {
            let wipe = env::flag(node, "wipe", false)?;
            layout.claim(node, disk, &[], wipe)?;
            (wanted, true)
        }
        (None, None) => {
            let problem = format!("{disk} has no partition table; say which `type` it gets");
            return Err(layout.refuse(node, problem));
        }
    };
    let lines = missing(layout, disk, node, (table, is_new))?;
    if lines.is_empty() && !is_new {
        return Ok(());
    }
    let mut script = lines.concat();
    let mut words = vec!["--quiet", "--wipe=never", "--wipe-partitions=never"];
    if is_new {
        script.insert_str(0, &format!("label: {}\n", table.name()));
    } else {
        // Other partitions of the disk may be in use.
        words.extend(["--append", "--force", "--no-reread"]);
    }
    words.push(disk);
    layout.plan.run(Call::new("sfdisk", words).input(script));
    if !is_new {
        layout.run("partx", ["--update", disk]);
    }
    if layout.machine.programs.has("udevadm") {
        layout.run("udevadm", ["settle", "--timeout=30"]);
    }
    Ok(())
}

/// Lines of a script for the partitions that are not there.
fn missing(
    layout: &mut Layout<'_>,
    disk: &str,
    node: &Node,
    (table, is_new): (Table, bool),
) -> Result<Vec<String>, TaskError> {
    let short = disk.rsplit('/').next().unwrap_or(disk);
    let sectors = layout.machine.read(&format!("/sys/class/block/{short}/size"))?;
    let bytes = sectors.and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(0) * SECTOR;
    if bytes == 0 {
        return Err(layout.refuse(node, format!("the kernel knows no size of {disk}")));
    }
    let mut lines = Vec::new();
    let mut end_before = 0;
    for (index, part) in env::list(node, "parts")?.iter().enumerate() {
        let (line, end) = line(layout, part, bytes, table)?;
        if end.0 < end_before {
            return Err(layout.refuse(part, "the partition overlaps the one before it".into()));
        }
        end_before = end.1;
        let device = node_of(disk, index + 1);
        if is_new || !layout.machine.exists(&device) {
            lines.push(format!("{}: {line}", index + 1));
            layout.made.insert(device);
        }
    }
    Ok(lines)
}

/// The line for one partition, and where it starts and ends.
fn line(
    layout: &Layout<'_>,
    part: &Node,
    disk: u64,
    table: Table,
) -> Result<(String, (u64, u64)), TaskError> {
    env::only(part, layout.key, &["name", "start", "end", "flags"])?;
    let place = |key: &str| -> Result<u64, TaskError> {
        let found = env::text(part, key)?.and_then(|text| size::place(text, disk));
        found.ok_or_else(|| {
            layout.refuse(part, format!("`{key}` has to be a size such as 2MiB, or a percentage"))
        })
    };
    let (start, end) = (place("start")?, place("end")?);
    // The first MiB belongs to the table and to boot loaders.
    let start = start.max(ALIGN).div_ceil(ALIGN) * ALIGN;
    let whole = env::text(part, "end")?.is_some_and(|text| text == "100%");
    let end = if whole { disk } else { end / ALIGN * ALIGN };
    if end <= start || end > disk {
        return Err(layout.refuse(part, "the partition is empty or ends behind the disk".into()));
    }
    let mut line = format!("start={}KiB", start / 1024);
    if !whole {
        line += &format!(", size={}KiB", (end - start) / 1024);
    }
    for flag in env::texts(part, "flags")? {
        let known = table.flag(flag);
        let known = known
            .ok_or_else(|| layout.refuse(part, format!("the flag `{flag}` is not known here")))?;
        line += &format!(", {known}");
    }
    if let Some(name) = env::text(part, "name")? {
        if !is_word(name) {
            return Err(layout.refuse(part, "`name` has to be one word".into()));
        }
        // An MBR has no room for names.
        if table == Table::Gpt {
            line += &format!(", name=\"{name}\"");
        }
    }
    Ok((line + "\n", (start, end)))
}
