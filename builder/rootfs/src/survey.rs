//! What an image says about the system in it: release, kernels, packages, identity.

use bootwright_disk::view::read_vec;

use crate::kernels::{Kernel, kernels};
use crate::steps::agent::{self, Arch};
use crate::tree::Tree;
use crate::volume::{Contents, Volume};
use crate::{Error, Result};

/// Bytes at the start of a volume in which all signatures lie.
const SIGNATURES: u64 = 0x1_0048;

/// A system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Its release, if it says one.
    pub release: Option<Release>,
    /// Architecture of its programs.
    pub arch: Option<&'static str>,
    /// Its kernels, oldest first.
    pub kernels: Vec<Kernel>,
    /// The package managers with a database, and the number of packages installed; nothing
    /// where the database is not read here.
    pub packages: Vec<(&'static str, Option<usize>)>,
    /// Bytes of the first-boot agent's program, if it is installed.
    pub agent: Option<u64>,
    /// The agent's configuration, which names the profile.
    pub agent_config: Option<Vec<u8>>,
    /// Whether the machine has an identity already.
    pub machine_id: MachineId,
}

/// What os-release(5) says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Release {
    /// `ID`, such as `debian`.
    pub id: String,
    /// `VERSION_ID`, such as `12`.
    pub version: String,
    /// `PRETTY_NAME`.
    pub name: String,
}

/// States of `/etc/machine-id` (machine-id(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineId {
    /// There is no such file.
    Absent,
    /// It is empty: the first boot fills it.
    Empty,
    /// It says `uninitialized`: the next boot is a first boot.
    Uninitialized,
    /// It holds an id, which all copies of the image would share.
    Set,
}

impl MachineId {
    /// The state in a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Empty => "empty",
            Self::Uninitialized => "uninitialized",
            Self::Set => "set",
        }
    }

    fn of(content: Option<&[u8]>) -> Self {
        match content.map(<[u8]>::trim_ascii) {
            None => Self::Absent,
            Some(b"") => Self::Empty,
            Some(b"uninitialized") => Self::Uninitialized,
            Some(_) => Self::Set,
        }
    }
}

/// Looks at the system in an image.
///
/// # Errors
/// What reading the image says.
pub fn survey(tree: &mut Tree) -> Result<Survey> {
    let release = match tree.read(b"/etc/os-release")? {
        Some(text) => Some(text),
        None => tree.read(b"/usr/lib/os-release")?,
    };
    let binary = tree.look(agent::BINARY.as_bytes(), true)?;
    Ok(Survey {
        release: release.map(|text| Release::parse(&String::from_utf8_lossy(&text))),
        arch: Arch::of_image(tree).ok().map(Arch::name),
        kernels: kernels(tree)?,
        packages: packages(tree)?,
        agent: binary.map(|file| file.attr.size),
        agent_config: tree.read(agent::CONFIG.as_bytes())?,
        machine_id: MachineId::of(tree.read(b"/etc/machine-id")?.as_deref()),
    })
}

fn packages(tree: &mut Tree) -> Result<Vec<(&'static str, Option<usize>)>> {
    let mut found = Vec::new();
    if let Some(status) = tree.read(b"/var/lib/dpkg/status")? {
        found.push(("dpkg", Some(dpkg_installed(&status))));
    }
    for path in ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"] {
        if let Some(database) = tree.read(path.as_bytes())? {
            found.push(("apk", Some(apk_installed(&database))));
            break;
        }
    }
    let rpm = ["/usr/lib/sysimage/rpm", "/var/lib/rpm"];
    for name in rpm.iter().flat_map(|dir| {
        ["rpmdb.sqlite", "Packages.db", "Packages"].map(|name| format!("{dir}/{name}"))
    }) {
        if tree.exists(name.as_bytes())? {
            found.push(("rpm", None));
            break;
        }
    }
    Ok(found)
}

/// Packages that dpkg has installed: those with the state `installed` in their `Status`.
fn dpkg_installed(status: &[u8]) -> usize {
    let lines = status.split(|&byte| byte == b'\n');
    let states = lines.filter_map(|line| line.strip_prefix(b"Status:"));
    states.filter(|state| state.trim_ascii().ends_with(b" installed")).count()
}

/// Packages in apk's database: one `P:` line each.
fn apk_installed(database: &[u8]) -> usize {
    database.split(|&byte| byte == b'\n').filter(|line| line.starts_with(b"P:")).count()
}

impl Release {
    fn parse(text: &str) -> Self {
        let value = |key: &str| {
            let lines = text.lines().filter_map(|line| line.trim().split_once('='));
            let found = lines.filter(|(name, _)| *name == key).map(|(_, value)| value).next_back();
            unquote(found.unwrap_or_default())
        };
        Self { id: value("ID"), version: value("VERSION_ID"), name: value("PRETTY_NAME") }
    }
}

/// A value as a shell would read it.
fn unquote(value: &str) -> String {
    let inner = ['"', '\'']
        .iter()
        .find_map(|&quote| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)));
    let mut out = String::new();
    let mut chars = inner.unwrap_or(value).chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if !value.starts_with('\'') => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    out
}

/// What a volume holds that is not edited here, by the signature at its start.
///
/// # Errors
/// What reading the volume says.
pub fn signature(volume: &Volume) -> Result<Option<&'static str>> {
    if volume.contents != Contents::Other {
        return Ok(None);
    }
    let view = volume.view();
    let head = read_vec(&view, 0, view.size().min(SIGNATURES));
    let head = head.map_err(|source| Error::Disk { place: volume.place.clone(), source })?;
    Ok(identify(&head))
}

fn identify(head: &[u8]) -> Option<&'static str> {
    const KNOWN: [(usize, &[u8], &str); 11] = [
        (0, b"XFSB", "xfs"),
        (0x1_0040, b"_BHRfS_M", "btrfs"),
        (4086, b"SWAPSPACE2", "swap"),
        (0, b"LUKS\xba\xbe", "LUKS"),
        (512, b"LABELONE", "LVM2"),
        (3, b"NTFS    ", "ntfs"),
        (3, b"EXFAT   ", "exfat"),
        (0, b"hsqs", "squashfs"),
        (0x8001, b"CD001", "iso9660"),
        (1024, b"\xe2\xe1\xf5\xe0", "erofs"),
        (1024, b"\x10\x20\xf5\xf2", "f2fs"),
    ];
    let is_there =
        |(at, magic, _): &(usize, &[u8], &str)| head.get(*at..at + magic.len()) == Some(*magic);
    KNOWN.iter().find(|known| is_there(known)).map(|(_, _, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_is_read_as_a_shell_would() {
        let text = "PRETTY_NAME=\"Debian \\\"12\\\"\"\nID=debian\n#ID=x\nVERSION_ID='12'\nbroken\n";
        let expected =
            Release { id: "debian".into(), version: "12".into(), name: "Debian \"12\"".into() };
        assert_eq!(Release::parse(text), expected);
        assert_eq!(Release::parse("\u{0}="), Release::default());
        assert_eq!(unquote("\""), "\"");
        assert_eq!(unquote("a\\"), "a");
    }

    #[test]
    fn packages_count_when_they_are_installed() {
        let status = b"Package: a\nStatus: install ok installed\n\n\
            Package: b\nStatus: deinstall ok config-files\n\n\
            Package: c\nDescription: x\n Status: install ok installed\nStatus: hold ok installed\n";
        assert_eq!(dpkg_installed(status), 2);
        assert_eq!(dpkg_installed(b"\xff\n"), 0);
        assert_eq!(apk_installed(b"C:Q1\nP:musl\nV:1\n\nP:busybox\n"), 2);
    }

    #[test]
    fn states_and_signatures() {
        assert_eq!(MachineId::of(Some(b"\n")), MachineId::Empty);
        assert_eq!(MachineId::of(Some(b"uninitialized\n")), MachineId::Uninitialized);
        assert_eq!(MachineId::of(Some(b"0123\n")), MachineId::Set);
        assert_eq!(MachineId::of(None).name(), "absent");
        let mut head = vec![0; 0x1_0048];
        assert_eq!(identify(&head), None);
        head[4086..4096].copy_from_slice(b"SWAPSPACE2");
        assert_eq!(identify(&head), Some("swap"));
        assert_eq!(identify(b"XF"), None);
    }
}
