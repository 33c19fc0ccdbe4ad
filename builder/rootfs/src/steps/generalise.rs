//! Takes out of an image what belongs to one machine: names, keys, leases, logs, traces.
//!
//! What goes is what virt-sysprep takes out by default and `cloud-init clean` knows of its
//! own, as far as Debian and Ubuntu have it. What an administrator may have put there on
//! purpose stays: crontabs, host names, certificates.

mod identity;
mod traces;

use std::collections::BTreeSet;

use super::names;
use crate::Result;
use crate::content::Content;
use crate::edit::Edit;
use crate::tree::Tree;

/// One thing that is taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trait {
    /// The machine id: the file stays, empty, so that systemd makes a new one.
    MachineId,
    /// SSH host keys; a unit makes new ones where cloud-init does not.
    SshHostKeys,
    /// What cloud-init remembers and has written, so that the next boot is the first.
    CloudInit,
    /// DHCP leases, and the id by which a DHCP server knows the machine.
    DhcpLeases,
    /// Saved random seeds and the secrets of this host alone.
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
    /// What lies in /tmp and /var/tmp.
    TemporaryFiles,
    /// Older versions of account files and package lists.
    Backups,
    /// Dumps of programs and kernels that crashed.
    CrashDumps,
    /// Mail that was delivered.
    Mail,
    /// When timers last ran and the clock was last right.
    ServiceState,
    /// Names by which iSCSI and NVMe targets know the machine.
    StorageNames,
}

impl Trait {
    /// All of them, in the order they are taken out.
    pub const ALL: [Self; 17] = [
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
        Self::TemporaryFiles,
        Self::Backups,
        Self::CrashDumps,
        Self::Mail,
        Self::ServiceState,
        Self::StorageNames,
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
            Self::TemporaryFiles => "temporary-files",
            Self::Backups => "backups",
            Self::CrashDumps => "crash-dumps",
            Self::Mail => "mail",
            Self::ServiceState => "service-state",
            Self::StorageNames => "storage-names",
        }
    }

    fn edits(self, tree: &mut Tree) -> Result<Vec<Edit>> {
        match self {
            Self::MachineId => identity::machine_id(tree),
            Self::SshHostKeys => identity::ssh_host_keys(tree),
            Self::CloudInit => identity::cloud_init(tree),
            Self::DhcpLeases => identity::dhcp_leases(tree),
            Self::RandomSeed => identity::secrets(tree),
            Self::UdevRules => identity::udev_rules(tree),
            Self::StorageNames => identity::storage_names(tree),
            Self::Logs => traces::logs(tree),
            Self::AptLists => traces::apt(tree),
            Self::Histories => traces::histories(tree),
            Self::BuilderKeys => traces::builder_keys(tree),
            Self::RootPassword => traces::root_password(tree),
            Self::TemporaryFiles => all_below(tree, &["/tmp", "/var/tmp"]),
            Self::Backups => traces::backups(tree),
            Self::CrashDumps => all_below(tree, &traces::CRASH_DIRS),
            Self::Mail => all_below(tree, &["/var/mail", "/var/spool/mail"]),
            Self::ServiceState => all_below(tree, &traces::STATE_DIRS),
        }
    }
}

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

/// Removals of everything in some directories, which may be file systems of their own.
fn all_below(tree: &mut Tree, dirs: &[&str]) -> Result<Vec<Edit>> {
    below(tree, dirs, |name| name != "lost+found")
}

/// Removals of those paths that are there.
fn present(tree: &mut Tree, paths: &[&str]) -> Result<Vec<Edit>> {
    let mut edits = Vec::new();
    for path in paths {
        if tree.attr(path.as_bytes())?.is_some() {
            edits.push(Edit::remove(path));
        }
    }
    Ok(edits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trait_has_its_own_name() {
        let names: BTreeSet<_> = Trait::ALL.map(Trait::name).into();
        assert_eq!(names.len(), Trait::ALL.len());
    }
}
