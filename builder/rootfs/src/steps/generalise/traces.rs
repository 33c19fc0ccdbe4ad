//! What those who made the image have left in it.

use std::collections::BTreeSet;

use super::{below, empty};
use crate::Result;
use crate::content::Content;
use crate::edit::Edit;
use crate::node::Kind;
use crate::steps::passwd::{homes_of, lock};
use crate::steps::{names, read_text};
use crate::tree::Tree;

/// How deep logs may nest.
const MAX_DEPTH: usize = 16;
/// Records of logins that are no text.
const LOGIN_DIRS: [&str; 2] = ["/var/lib/wtmpdb", "/var/lib/lastlog"];
pub(super) const CRASH_DIRS: [&str; 4] = [
    "/var/crash",
    "/var/lib/systemd/coredump",
    "/var/lib/systemd/pstore",
    "/var/lib/apport/coredump",
];
pub(super) const STATE_DIRS: [&str; 5] = [
    "/var/lib/systemd/timers",
    "/var/lib/systemd/timesync",
    "/var/lib/private/systemd/timesync",
    "/var/lib/systemd/rfkill",
    "/var/lib/systemd/backlight",
];
const ACCOUNT_BACKUPS: [&str; 6] =
    ["passwd-", "shadow-", "group-", "gshadow-", "subuid-", "subgid-"];
const HISTORIES: [&str; 13] = [
    ".bash_history",
    ".zsh_history",
    ".ash_history",
    ".sh_history",
    ".python_history",
    ".node_repl_history",
    ".mysql_history",
    ".psql_history",
    ".sqlite_history",
    ".lesshst",
    ".viminfo",
    ".wget-hsts",
    ".sudo_as_admin_successful",
];

pub(super) fn logs(tree: &mut Tree) -> Result<Vec<Edit>> {
    let mut edits = logs_in(tree, "/var/log", 0)?;
    edits.extend(below(tree, &LOGIN_DIRS, |_| true)?);
    Ok(edits)
}

/// Empties current logs and removes rotated ones and journals.
fn logs_in(tree: &mut Tree, dir: &str, depth: usize) -> Result<Vec<Edit>> {
    let mut edits = Vec::new();
    for name in names(tree, dir)? {
        let path = format!("{dir}/{name}");
        match tree.attr(path.as_bytes())? {
            Some(attr) if attr.kind == Kind::Dir && name == "journal" => {
                edits.extend(below(tree, &[&path], |_| true)?);
            }
            Some(attr) if attr.kind == Kind::Dir && depth < MAX_DEPTH => {
                edits.extend(logs_in(tree, &path, depth + 1)?);
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

pub(super) fn apt(tree: &mut Tree) -> Result<Vec<Edit>> {
    let lists = below(tree, &["/var/lib/apt/lists"], |name| {
        !matches!(name, "partial" | "lock" | "auxfiles")
    })?;
    let partial = ["/var/lib/apt/lists/partial", "/var/cache/apt/archives/partial"];
    let partial = below(tree, &partial, |_| true)?;
    let packages = below(tree, &["/var/cache/apt/archives"], |name| name.ends_with(".deb"))?;
    let caches = below(tree, &["/var/cache/apt"], |name| name.ends_with(".bin"))?;
    Ok([lists, partial, packages, caches].concat())
}

/// Home directories of people: root's, those in /home and those of accounts with the ids of
/// users.
fn homes(tree: &mut Tree) -> Result<BTreeSet<String>> {
    let mut homes = homes_of(&read_text(tree, "/etc/passwd")?);
    homes.insert("/root".to_owned());
    homes.extend(names(tree, "/home")?.into_iter().map(|name| format!("/home/{name}")));
    Ok(homes)
}

pub(super) fn histories(tree: &mut Tree) -> Result<Vec<Edit>> {
    let mut edits = Vec::new();
    for home in homes(tree)? {
        edits.extend(below(tree, &[&home], |name| HISTORIES.contains(&name))?);
    }
    Ok(edits)
}

pub(super) fn builder_keys(tree: &mut Tree) -> Result<Vec<Edit>> {
    let mut edits = Vec::new();
    for home in homes(tree)? {
        edits.extend(below(tree, &[&format!("{home}/.ssh")], |_| true)?);
    }
    Ok(edits)
}

pub(super) fn root_password(tree: &mut Tree) -> Result<Vec<Edit>> {
    let shadow = read_text(tree, "/etc/shadow")?;
    let locked = lock(&shadow, "root");
    if locked == shadow {
        return Ok(Vec::new());
    }
    let content = Content::Bytes(locked.into_bytes());
    Ok(vec![Edit::Rewrite { path: b"/etc/shadow".to_vec(), content }])
}

pub(super) fn backups(tree: &mut Tree) -> Result<Vec<Edit>> {
    let accounts = below(tree, &["/etc"], |name| ACCOUNT_BACKUPS.contains(&name))?;
    let packages =
        below(tree, &["/var/lib/dpkg", "/var/cache/debconf"], |name| name.ends_with("-old"))?;
    // What Debian's daily job keeps; others keep there what they mean to keep.
    let daily = below(tree, &["/var/backups"], |name| {
        ["dpkg.", "apt.", "alternatives."].iter().any(|start| name.starts_with(start))
            || matches!(name, "passwd.bak" | "shadow.bak" | "group.bak" | "gshadow.bak")
    })?;
    Ok([accounts, packages, daily].concat())
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
}
