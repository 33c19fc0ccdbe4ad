//! `grow_root`: the root partition and its file system take the room that the disk has.

use std::fs::File as RealFile;
use std::os::unix::fs::FileExt;

use serde::Deserialize;

use crate::tasks::env;
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::Plan;
use crate::tasks::program::Call;

/// Sysfs counts in these.
const SECTOR: u64 = 512;
/// Less than this is not worth a change: alignment and the backup table need some of it.
const SLACK: u64 = 4 << 20;

/// What agent.yml may say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Key of the env that switches it.
    key: String,
    /// What a missing key means.
    default: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { key: "appliance.storage.grow_root".into(), default: true }
    }
}

/// The changes.
pub fn plan(options: &Options, machine: &Machine<'_>) -> Result<Plan, TaskError> {
    let mut plan = Plan::default();
    if !env::flag(machine.env, &options.key, options.default)? {
        return Ok(plan);
    }
    match Place::find(machine)? {
        Ok(place) => grow(machine, &mut plan, &place)?,
        Err(why) => plan.note(why),
    }
    Ok(plan)
}

/// The root file system and where it lies.
struct Place {
    /// Its type.
    fstype: String,
    /// The node, such as `/dev/vda1`.
    node: String,
    /// The disk, such as `vda`, and the partition's number there; none for a whole disk.
    partition: Option<(String, u32)>,
    /// Its size in bytes.
    size: u64,
    /// Bytes behind the partition that no other one has.
    room: u64,
}

impl Place {
    /// Finds it; or why there is nothing to grow.
    fn find(machine: &Machine<'_>) -> Result<Result<Self, String>, TaskError> {
        let mounts = machine.read("/proc/self/mountinfo")?.unwrap_or_default();
        // The last mount at / is the one that is seen.
        let Some((number, fstype)) = mounts.lines().filter_map(root_mount).next_back() else {
            return Ok(Err("the root file system is not in /proc/self/mountinfo".into()));
        };
        let link = machine.root.at(format!("/sys/dev/block/{number}"));
        let Ok(real) = link.canonicalize() else {
            return Ok(Err(format!("the root file system ({fstype}) is on no block device")));
        };
        let name = |path: &std::path::Path| {
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        };
        let own = name(&real);
        let base = format!("/sys/class/block/{own}");
        let size = number_in(machine, &format!("{base}/size"))?.unwrap_or_default() * SECTOR;
        let node = format!("/dev/{own}");
        let number = number_in(machine, &format!("{base}/partition"))?;
        let (Some(number), Some(parent)) = (number, real.parent()) else {
            return Ok(Ok(Self { fstype, node, partition: None, size, room: 0 }));
        };
        let disk = name(parent);
        let start = number_in(machine, &format!("{base}/start"))?.unwrap_or_default() * SECTOR;
        let disk_size =
            number_in(machine, &format!("/sys/class/block/{disk}/size"))?.unwrap_or_default();
        let next = next_start(machine, parent, start)?;
        let end = next.unwrap_or(disk_size * SECTOR);
        let room = end.saturating_sub(start + size);
        let number = u32::try_from(number).unwrap_or_default();
        Ok(Ok(Self { fstype, node, partition: Some((disk, number)), size, room }))
    }
}

/// Device number and type of the file system that a line mounts at `/` (proc(5)).
fn root_mount(line: &str) -> Option<(String, String)> {
    let (left, right) = line.split_once(" - ")?;
    let fields: Vec<&str> = left.split(' ').collect();
    let is_root = fields.get(4) == Some(&"/") && fields.get(3) == Some(&"/");
    let fstype = right.split(' ').next()?;
    is_root.then_some(((*fields.get(2)?).to_owned(), fstype.to_owned()))
}

fn number_in(machine: &Machine<'_>, path: &str) -> Result<Option<u64>, TaskError> {
    Ok(machine.read(path)?.and_then(|text| text.trim().parse().ok()))
}

/// Where the next partition of the disk begins.
fn next_start(
    machine: &Machine<'_>,
    disk: &std::path::Path,
    start: u64,
) -> Result<Option<u64>, TaskError> {
    let mut next: Option<u64> = None;
    let entries = std::fs::read_dir(disk)
        .map_err(|cause| TaskError::Look(disk.display().to_string(), cause))?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let other = number_in(machine, &format!("/sys/class/block/{name}/start"))?;
        if let Some(other) = other.map(|sectors| sectors * SECTOR).filter(|other| *other > start) {
            next = Some(next.map_or(other, |next| next.min(other)));
        }
    }
    Ok(next)
}

fn grow(machine: &Machine<'_>, plan: &mut Plan, place: &Place) -> Result<(), TaskError> {
    let mut growing = false;
    if let Some((disk, number)) = place.partition.as_ref().filter(|_| place.room > SLACK) {
        if machine.programs.has("sfdisk") && machine.programs.has("partx") {
            let disk = format!("/dev/{disk}");
            let number = number.to_string();
            // A GPT keeps its copy at the end of the disk, which has moved.
            if is_gpt(machine, &disk) {
                plan.run(Call::new("sfdisk", ["--relocate", "gpt-bak-std", &disk]));
            }
            // Keeps the start, takes all the room behind; the disk is in use, so the kernel is
            // told about this one partition afterwards.
            let words = ["--no-reread", "--no-tell-kernel", "--force", "-N", &number, &disk];
            plan.run(Call::new("sfdisk", words).input(", +\n"));
            plan.run(Call::new("partx", ["--update", "--nr", &number, &disk]));
            growing = true;
        } else {
            plan.note("the root partition could grow, but the image lacks sfdisk or partx");
        }
    }
    let used = filesystem_size(machine, &place.node, &place.fstype);
    let fits = used.is_some_and(|used| used + SLACK >= place.size);
    if growing || (used.is_some() && !fits) {
        match place.fstype.as_str() {
            "ext2" | "ext3" | "ext4" => plan.run(Call::new("resize2fs", [&place.node]).limit(600)),
            "xfs" => plan.run(Call::new("xfs_growfs", ["/"])),
            "btrfs" => plan.run(Call::new("btrfs", ["filesystem", "resize", "max", "/"])),
            other => plan.note(format!("the root file system {other} is not grown by the agent")),
        }
    }
    Ok(())
}

fn bytes_at<const N: usize>(machine: &Machine<'_>, node: &str, offset: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let file = RealFile::open(machine.root.at(node)).ok()?;
    file.read_exact_at(&mut bytes, offset).ok()?;
    Some(bytes)
}

/// Whether a disk has a GPT, for sectors of 512 and of 4096 bytes.
fn is_gpt(machine: &Machine<'_>, disk: &str) -> bool {
    [512, 4096].iter().any(|at| bytes_at(machine, disk, *at) == Some(*b"EFI PART"))
}

/// The size that a file system has given itself, from its superblock.
fn filesystem_size(machine: &Machine<'_>, node: &str, fstype: &str) -> Option<u64> {
    let u32_le = |at| bytes_at(machine, node, at).map(u32::from_le_bytes);
    match fstype {
        "ext2" | "ext3" | "ext4" => {
            let magic = bytes_at::<2>(machine, node, 1024 + 56)?;
            let low = u64::from(u32_le(1024 + 4)?);
            // Only with the feature 64bit does the high half mean anything.
            let is_64 = u32_le(1024 + 96)? & 0x80 != 0;
            let high = if is_64 { u64::from(u32_le(1024 + 0x150)?) } else { 0 };
            let block = 1024u64.checked_shl(u32_le(1024 + 24)?)?;
            (magic == [0x53, 0xef]).then_some(())?;
            (low | high << 32).checked_mul(block)
        }
        "xfs" => {
            let magic = bytes_at(machine, node, 0)?;
            let block = u64::from(u32::from_be_bytes(bytes_at(machine, node, 4)?));
            let blocks = u64::from_be_bytes(bytes_at(machine, node, 8)?);
            (magic == *b"XFSB").then_some(())?;
            blocks.checked_mul(block)
        }
        "btrfs" => {
            let magic = bytes_at(machine, node, 0x1_0040)?;
            (magic == *b"_BHRfS_M").then_some(())?;
            Some(u64::from_le_bytes(bytes_at(machine, node, 0x1_0070)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write;
    use std::os::unix::fs::symlink;
    use std::process::{Command, Stdio};

    use crate::tasks::bench::Bench;

    const MIB: u64 = 1 << 20;

    fn tool(name: &str, args: &[&str], input: &str) -> String {
        let mut child = Command::new(name)
            .args(args)
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{name}: {e}; run ci/setup"));
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(output.status.success(), "{name} {args:?}: {said}");
        said
    }

    /// A disk of 64 MiB with a root partition of 30 MiB, and the disk grown to 128 MiB.
    fn disk(label: &str) -> Bench {
        let bench = Bench::new();
        bench.tasks("- grow_root\n");
        let disk = bench.path("/dev/vda");
        fs::create_dir_all(disk.parent().unwrap()).unwrap();
        File::create(&disk).unwrap().set_len(64 * MIB).unwrap();
        let path = disk.to_str().unwrap();
        let table =
            format!("label: {label}\n2: start=2048, size=4096\n1: start=8192, size=61440\n");
        tool("sfdisk", &["--quiet", path], &table);
        File::options().write(true).open(&disk).unwrap().set_len(128 * MIB).unwrap();
        let root = bench.path("/dev/vda1");
        File::create(&root).unwrap().set_len(30 * MIB).unwrap();
        tool("mkfs.ext4", &["-q", "-F", root.to_str().unwrap()], "");
        sysfs(&bench);
        bench
    }

    fn sysfs(bench: &Bench) {
        let base = "/sys/devices/virtual/block/vda";
        bench.file(&format!("{base}/size"), &(128 * MIB / 512).to_string());
        for (name, number, start, size) in [("vda1", 1, 8192, 61440), ("vda2", 2, 2048, 4096)] {
            let all = [("partition", number), ("start", start), ("size", size)];
            for (file, value) in all {
                bench.file(&format!("{base}/{name}/{file}"), &format!("{value}\n"));
            }
        }
        for dir in ["/sys/class/block", "/sys/dev/block"] {
            fs::create_dir_all(bench.path(dir)).unwrap();
        }
        for (link, target) in [
            ("/sys/class/block/vda", base.to_owned()),
            ("/sys/class/block/vda1", format!("{base}/vda1")),
            ("/sys/class/block/vda2", format!("{base}/vda2")),
            ("/sys/dev/block/254:1", format!("{base}/vda1")),
        ] {
            symlink(bench.path(&target), bench.path(link)).unwrap();
        }
        bench.file(
            "/proc/self/mountinfo",
            "22 28 0:21 / /sys rw - sysfs sysfs rw\n28 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n",
        );
        let scripts = [
            (
                "sfdisk",
                "real() { PATH=/usr/sbin:/sbin sfdisk \"$@\"; }\nlast=$(eval echo \\$$#)\nset -- $(echo \"$*\" | sed \"s,$last\\$,,\")\nreal --quiet \"$@\" $R$last",
            ),
            (
                "partx",
                "s=$(PATH=/usr/sbin:/sbin:/usr/bin sfdisk -d $R/dev/vda | sed -n 's,.*vda1 .*size= *\\([0-9]*\\).*,\\1,p')\necho $s > $R/sys/class/block/vda1/size; truncate -s $((s*512)) $R/dev/vda1",
            ),
            ("resize2fs", "PATH=/usr/sbin:/sbin resize2fs $R$1"),
        ];
        for (name, body) in scripts {
            bench.tool(name, body);
        }
    }

    fn judge(bench: &Bench) {
        let (disk, root) = (bench.path("/dev/vda"), bench.path("/dev/vda1"));
        let said = tool("sfdisk", &["--verify", disk.to_str().unwrap()], "");
        assert!(said.contains("No errors"), "{said}");
        tool("e2fsck", &["-fn", root.to_str().unwrap()], "");
        assert!(fs::metadata(&root).unwrap().len() > 120 * MIB);
    }

    #[test]
    fn b27_gpt_and_ext4_without_the_network() {
        let bench = disk("gpt");
        let before = tool("sfdisk", &["-d", bench.path("/dev/vda").to_str().unwrap()], "");
        bench.settle();
        let calls = bench.calls();
        assert_eq!(calls[0], "sfdisk --relocate gpt-bak-std /dev/vda");
        assert_eq!(calls.last().unwrap(), "resize2fs /dev/vda1");
        judge(&bench);
        // Identities and the neighbour stay.
        let after = tool("sfdisk", &["-d", bench.path("/dev/vda").to_str().unwrap()], "");
        let uuid = |text: &str| {
            text.lines()
                .filter_map(|l| l.split("uuid=").nth(1))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(uuid(&before), uuid(&after));
        assert!(after.contains("start=        2048, size=        4096"), "{after}");
    }

    #[test]
    fn mbr_and_ext4() {
        let bench = disk("dos");
        bench.settle();
        assert!(bench.calls()[0].starts_with("sfdisk --no-reread"));
        judge(&bench);
    }

    #[test]
    fn a_partition_that_grew_before_the_power_went() {
        let bench = disk("gpt");
        // The table and the kernel are done, the file system is not.
        bench.tool("resize2fs", "exit 9");
        assert!(bench.refused().contains("resize2fs /dev/vda1"));
        bench.tool("resize2fs", "PATH=/usr/sbin:/sbin resize2fs $R$1");
        bench.settle();
        judge(&bench);
    }

    #[test]
    fn nothing_behind_no_block_device_or_switched_off() {
        let bench = disk("gpt");
        bench.env("appliance: {storage: {grow_root: false}}\n");
        assert_eq!(bench.settle().text, "");
        bench.env("a: 1\n");
        // Another partition behind it.
        bench.file("/sys/devices/virtual/block/vda/vda2/start", "69632\n");
        assert_eq!(bench.settle().text, "");
        bench.file("/proc/self/mountinfo", "28 1 0:30 / / rw - overlay overlay rw\n");
        assert!(bench.settle().notes[0].contains("(overlay) is on no block device"));
    }
}
