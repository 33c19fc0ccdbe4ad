//! Takes out of an image what belongs to one machine: ids, keys, leases, logs, traces.

use std::collections::BTreeSet;

use super::passwd::lock;
use super::{names, read_text};
use crate::Result;
use crate::content::Content;
use crate::edit::Edit;
use crate::node::Kind;
use crate::tree::Tree;

/// How deep logs may nest.
const MAX_DEPTH: usize = 16;

/// One thing that is taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trait {
    /// The machine id: the file stays, empty, so that systemd makes a new one.
    MachineId,
    /// SSH host keys; a unit makes new ones where cloud-init does not.
    SshHostKeys,
    /// What cloud-init remembers, so that it treats the next boot as the first.
    CloudInit,
    /// DHCP leases.
    DhcpLeases,
    /// Saved random seeds and the host's credential secret.
    RandomSeed,
    /// Logs: old ones go, current ones are emptied.
    Logs,
    /// Package lists and downloaded packages of apt.
    AptLists,
    /// What shells and editors remember.
    Histories,
    /// udev's rules that tie names to hardware addresses.
    UdevRules,
    /// Keys by which the builder could log in.
    BuilderKeys,
    /// Root's password: locked.
    RootPassword,
}

impl Trait {
    /// All of them, in the order they are taken out.
    pub const ALL: [Self; 11] = [
        Self::MachineId,
        Self::SshHostKeys,
        Self::CloudInit,
        Self::DhcpLeases,
        Self::RandomSeed,
        Self::Logs,
        Self::AptLists,
        Self::Histories,
        Self::UdevRules,
        Self::BuilderKeys,
        Self::RootPassword,
    ];

    /// Its name in a profile.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MachineId => "machine-id",
            Self::SshHostKeys => "ssh-host-keys",
            Self::CloudInit => "cloud-init",
            Self::DhcpLeases => "dhcp-leases",
            Self::RandomSeed => "random-seed",
            Self::Logs => "logs",
            Self::AptLists => "apt-lists",
            Self::Histories => "histories",
            Self::UdevRules => "udev-rules",
            Self::BuilderKeys => "builder-keys",
            Self::RootPassword => "root-password",
        }
    }

    fn edits(self, tree: &mut Tree) -> Result<Vec<Edit>> {
        match self {
            Self::MachineId => machine_id(tree),
            Self::SshHostKeys => ssh_host_keys(tree),
            Self::CloudInit => cloud_init(tree),
            Self::DhcpLeases => below(tree, &DHCP_DIRS, |name| name.contains("lease")),
            Self::RandomSeed => Ok(RANDOM_SEEDS.map(Edit::remove).into()),
            Self::Logs => logs(tree, "/var/log", 0),
            Self::AptLists => apt(tree),
            Self::Histories => histories(tree),
            Self::UdevRules => below(tree, &["/etc/udev/rules.d"], |name| {
                name.ends_with(".rules") && name.contains("-persistent-")
            }),
            Self::BuilderKeys => builder_keys(tree),
            Self::RootPassword => root_password(tree),
        }
    }
}

const DHCP_DIRS: [&str; 4] =
    ["/var/lib/dhcp", "/var/lib/dhclient", "/var/lib/NetworkManager", "/var/lib/dhcpcd"];
const RANDOM_SEEDS: [&str; 4] = [
    "/var/lib/systemd/random-seed",
    "/var/lib/urandom/random-seed",
    "/var/lib/random-seed",
    "/var/lib/systemd/credential.secret",
];
const HISTORIES: [&str; 9] = [
    ".bash_history",
    ".zsh_history",
    ".ash_history",
    ".sh_history",
    ".python_history",
    ".lesshst",
    ".viminfo",
    ".wget-hsts",
    ".sudo_as_admin_successful",
];
/// Makes the host keys that openssh's package makes only when it is installed.
const HOST_KEY_UNIT: &str = "/etc/systemd/system/bootwright-ssh-host-keys.service";
const HOST_KEY_UNIT_TEXT: &str = "\
# Installed by bootwright, which removed the image's own SSH host keys.
[Unit]
Description=Make the SSH host keys of this machine
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
Before=ssh.service ssh.socket sshd.service
After=local-fs.target systemd-random-seed.service cloud-init.service

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A

[Install]
WantedBy=multi-user.target
";
const HOST_KEY_UNIT_LINK: &str =
    "/etc/systemd/system/multi-user.target.wants/bootwright-ssh-host-keys.service";

/// The edits that take the given things out of the image.
///
/// # Errors
/// What reading the image says.
pub fn edits(tree: &mut Tree, traits: &BTreeSet<Trait>) -> Result<Vec<Edit>> {
    let mut edits = Vec::new();
    for part in Trait::ALL.iter().filter(|part| traits.contains(part)) {
        edits.extend(part.edits(tree)?);
    }
    Ok(edits)
}

fn kind(tree: &mut Tree, path: &str) -> Result<Option<Kind>> {
    Ok(tree.attr(path.as_bytes())?.map(|attr| attr.kind))
}

fn empty(path: &str) -> Edit {
    Edit::Rewrite { path: path.as_bytes().to_vec(), content: Content::Bytes(Vec::new()) }
}

/// Removals of the names in some directories that a test picks.
fn below(tree: &mut Tree, dirs: &[&str], wanted: impl Fn(&str) -> bool) -> Result<Vec<Edit>> {
    let mut edits = Vec::new();
    for dir in dirs {
        let picked = names(tree, dir)?.into_iter().filter(|name| wanted(name));
        edits.extend(picked.map(|name| Edit::remove(&format!("{dir}/{name}"))));
    }
    Ok(edits)
}

fn machine_id(tree: &mut Tree) -> Result<Vec<Edit>> {
    let mut edits = Vec::new();
    match kind(tree, "/etc/machine-id")? {
        // A file of systemd's: where there is none, there is no systemd.
        None => {}
        Some(Kind::File) => edits.push(empty("/etc/machine-id")),
        Some(_) => edits.push(Edit::text("/etc/machine-id", "", 0o444)),
    }
    // dbus copies the id of systemd if it has no own; a symlink to it is kept.
    if kind(tree, "/var/lib/dbus/machine-id")? == Some(Kind::File) {
        edits.push(Edit::remove("/var/lib/dbus/machine-id"));
    }
    Ok(edits)
}

fn ssh_host_keys(tree: &mut Tree) -> Result<Vec<Edit>> {
    let mut edits = below(tree, &["/etc/ssh"], |name| {
        name.starts_with("ssh_host_") && (name.ends_with("_key") || name.ends_with("_key.pub"))
    })?;
    let has_sshd = tree.exists(b"/usr/sbin/sshd")?;
    let has_systemd = tree.exists(b"/etc/systemd/system")?;
    if has_sshd && has_systemd {
        edits.push(Edit::text(HOST_KEY_UNIT, HOST_KEY_UNIT_TEXT, 0o644));
        edits.push(Edit::symlink(HOST_KEY_UNIT_LINK, HOST_KEY_UNIT));
    }
    Ok(edits)
}

fn cloud_init(tree: &mut Tree) -> Result<Vec<Edit>> {
    // Seeds that an image maker put there on purpose stay, as with `cloud-init clean`.
    let mut edits = below(tree, &["/var/lib/cloud"], |name| name != "seed")?;
    // What cloud-init rendered from the metadata of the machine it ran on.
    let rendered = ["/etc/netplan", "/etc/network/interfaces.d", "/etc/sudoers.d"];
    edits.extend(below(tree, &rendered, |name| {
        name.starts_with("50-cloud-init") || name == "90-cloud-init-users"
    })?);
    Ok(edits)
}

/// Empties current logs and removes rotated ones and journals.
fn logs(tree: &mut Tree, dir: &str, depth: usize) -> Result<Vec<Edit>> {
    let mut edits = Vec::new();
    for name in names(tree, dir)? {
        let path = format!("{dir}/{name}");
        match tree.attr(path.as_bytes())? {
            Some(attr) if attr.kind == Kind::Dir && name == "journal" => {
                edits.extend(below(tree, &[&path], |_| true)?);
            }
            Some(attr) if attr.kind == Kind::Dir && depth < MAX_DEPTH => {
                edits.extend(logs(tree, &path, depth + 1)?);
            }
            Some(attr) if attr.kind == Kind::File && is_rotated(&name) => {
                edits.push(Edit::remove(&path));
            }
            Some(attr) if attr.kind == Kind::File && attr.size > 0 => edits.push(empty(&path)),
            _ => {}
        }
    }
    Ok(edits)
}

/// Whether a log's name is that of an old one, such as `syslog.1` or `dpkg.log.2.gz`.
fn is_rotated(name: &str) -> bool {
    let last = name.rsplit_once('.').map_or("", |(_, last)| last);
    matches!(last, "gz" | "xz" | "zst" | "bz2" | "old")
        || (!last.is_empty() && last.chars().all(|c| c.is_ascii_digit()))
}

fn apt(tree: &mut Tree) -> Result<Vec<Edit>> {
    let lists = below(tree, &["/var/lib/apt/lists"], |name| {
        !matches!(name, "partial" | "lock" | "auxfiles")
    })?;
    let packages = below(tree, &["/var/cache/apt/archives"], |name| name.ends_with(".deb"))?;
    let caches = below(tree, &["/var/cache/apt"], |name| name.ends_with(".bin"))?;
    Ok([lists, packages, caches].concat())
}

/// Home directories: root's and those in /home.
fn homes(tree: &mut Tree) -> Result<Vec<String>> {
    let users = names(tree, "/home")?.into_iter().map(|name| format!("/home/{name}"));
    Ok(std::iter::once("/root".to_owned()).chain(users).collect())
}

fn histories(tree: &mut Tree) -> Result<Vec<Edit>> {
    let mut edits = Vec::new();
    for home in homes(tree)? {
        edits.extend(below(tree, &[&home], |name| HISTORIES.contains(&name))?);
    }
    Ok(edits)
}

fn builder_keys(tree: &mut Tree) -> Result<Vec<Edit>> {
    let mut edits = Vec::new();
    for home in homes(tree)? {
        edits.extend(below(tree, &[&format!("{home}/.ssh")], |_| true)?);
    }
    Ok(edits)
}

fn root_password(tree: &mut Tree) -> Result<Vec<Edit>> {
    let shadow = read_text(tree, "/etc/shadow")?;
    let locked = lock(&shadow, "root");
    if locked == shadow {
        return Ok(Vec::new());
    }
    let content = Content::Bytes(locked.into_bytes());
    Ok(vec![Edit::Rewrite { path: b"/etc/shadow".to_vec(), content }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_logs_are_told_by_their_names() {
        for old in ["syslog.1", "dpkg.log.2.gz", "auth.log.old", "x.zst"] {
            assert!(is_rotated(old), "{old}");
        }
        for current in ["syslog", "dpkg.log", "wtmp", "lastlog", "1", "a."] {
            assert!(!is_rotated(current), "{current}");
        }
    }

    #[test]
    fn every_trait_has_its_own_name() {
        let names: BTreeSet<_> = Trait::ALL.map(Trait::name).into();
        assert_eq!(names.len(), Trait::ALL.len());
    }
}
