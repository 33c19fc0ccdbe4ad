//! What is left of the machine that an image was made on.

use std::collections::BTreeSet;

use bootwright_rootfs::steps::generalise::{self, Trait};
use bootwright_rootfs::{Content, Edit, Kind, Tree};

use crate::common::{NOW, base, layer};

fn all() -> BTreeSet<Trait> {
    Trait::ALL.into()
}

/// What lies around after a machine has run for a while, and what becomes of it.
const TRACES: [(&str, State); 57] = [
    ("/etc/machine-id", State::Empty),
    ("/var/lib/dbus/machine-id", State::Gone),
    ("/etc/ssh/ssh_host_rsa_key", State::Gone),
    ("/etc/ssh/ssh_host_ed25519_key.pub", State::Gone),
    ("/etc/ssh/ssh_host_ed25519_key-cert.pub", State::Gone),
    ("/etc/ssh/sshd_config", State::Kept),
    ("/etc/ssh/ssh_host_notes.txt", State::Kept),
    ("/var/lib/cloud/instance/user-data.txt", State::Gone),
    ("/var/lib/cloud/data/instance-id", State::Gone),
    ("/var/lib/cloud/seed/nocloud/user-data", State::Kept),
    ("/etc/netplan/50-cloud-init.yaml", State::Gone),
    ("/etc/netplan/99-own.yaml", State::Kept),
    ("/etc/ssh/sshd_config.d/50-cloud-init.conf", State::Gone),
    ("/etc/ssh/sshd_config.d/60-own.conf", State::Kept),
    ("/etc/sudoers.d/90-cloud-init-users", State::Gone),
    ("/etc/systemd/network/10-cloud-init-eth0.network", State::Gone),
    ("/etc/NetworkManager/system-connections/cloud-init-eth0.nmconnection", State::Gone),
    ("/var/lib/dhcp/dhclient.eth0.leases", State::Gone),
    ("/var/lib/NetworkManager/internal-1-eth0.lease", State::Gone),
    ("/var/lib/NetworkManager/secret_key", State::Gone),
    ("/var/lib/dhcpcd/duid", State::Gone),
    ("/var/lib/systemd/random-seed", State::Gone),
    ("/var/lib/systemd/credential.secret", State::Gone),
    ("/var/log/syslog", State::Empty),
    ("/var/log/syslog.1", State::Gone),
    ("/var/log/apt/history.log", State::Empty),
    ("/var/log/apt/history.log.1.gz", State::Gone),
    ("/var/log/journal/0123456789abcdef/system.journal", State::Gone),
    ("/var/log/installer/autoinstall-user-data", State::Empty),
    ("/var/log/wtmp", State::Empty),
    ("/var/lib/apt/lists/deb.debian.org_dists_InRelease", State::Gone),
    ("/var/lib/apt/lists/partial/half", State::Gone),
    ("/var/cache/apt/archives/x_1_amd64.deb", State::Gone),
    ("/var/cache/apt/pkgcache.bin", State::Gone),
    ("/root/.bash_history", State::Gone),
    ("/root/.bashrc", State::Kept),
    ("/home/builder/.python_history", State::Gone),
    ("/home/builder/.ssh/authorized_keys", State::Gone),
    ("/home/builder/work.txt", State::Kept),
    ("/srv/app/.ssh/id_ed25519", State::Gone),
    ("/root/.ssh/known_hosts", State::Gone),
    ("/etc/udev/rules.d/70-persistent-net.rules", State::Gone),
    ("/etc/udev/rules.d/99-own.rules", State::Kept),
    ("/tmp/.hidden/file", State::Gone),
    ("/var/tmp/file", State::Gone),
    ("/etc/passwd-", State::Gone),
    ("/etc/shadow-", State::Gone),
    ("/var/lib/dpkg/status-old", State::Gone),
    ("/var/backups/dpkg.status.0", State::Gone),
    ("/var/backups/database.dump", State::Kept),
    ("/var/crash/_usr_bin_x.0.crash", State::Gone),
    ("/var/lib/systemd/coredump/core.x.zst", State::Gone),
    ("/var/mail/root", State::Gone),
    ("/var/lib/systemd/timers/stamp-apt-daily.timer", State::Gone),
    ("/etc/nvme/hostnqn", State::Gone),
    ("/var/spool/cron/crontabs/app", State::Kept),
    ("/etc/hostname", State::Kept),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Gone,
    Empty,
    Kept,
}

fn state(tree: &mut Tree, path: &str) -> State {
    match tree.attr(path.as_bytes()).unwrap() {
        None => State::Gone,
        Some(attr) if attr.size == 0 => State::Empty,
        Some(_) => State::Kept,
    }
}

fn generalised(tree: &mut Tree, traits: &BTreeSet<Trait>) {
    let edits = generalise::edits(tree, traits).unwrap();
    tree.apply(&edits).unwrap();
}

fn text(tree: &mut Tree, path: &str) -> String {
    String::from_utf8(tree.read(path.as_bytes()).unwrap().unwrap()).unwrap()
}

#[test]
fn traces_go_and_settings_stay() {
    let disk = layer(&base("debian"));
    let mut tree = Tree::open(&disk, NOW).unwrap();
    let mut edits: Vec<_> =
        TRACES.iter().map(|(path, _)| Edit::text(path, format!("{path}\n"), 0o644)).collect();
    let iscsi = "## comment\nInitiatorName=iqn.1993-08.org.debian:01:abc\n";
    edits.push(Edit::text("/etc/iscsi/initiatorname.iscsi", iscsi, 0o600));
    let passwd = b"app:x:1500:1500::/srv/app:/bin/sh\n";
    edits.push(Edit::Append { path: b"/etc/passwd".to_vec(), text: passwd.to_vec() });
    let shadow = text(&mut tree, "/etc/shadow");
    let shadow = shadow.replace("root:!*:", "root:$6$salt$hash:");
    assert!(shadow.contains("root:$6$"), "{shadow}");
    let content = Content::Bytes(shadow.into_bytes());
    edits.push(Edit::Rewrite { path: b"/etc/shadow".to_vec(), content });
    tree.apply(&edits).unwrap();
    generalised(&mut tree, &all());
    let wrong: Vec<_> = TRACES
        .iter()
        .filter_map(|&(path, expected)| {
            let found = state(&mut tree, path);
            (found != expected).then_some((path, expected, found))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let iscsi = text(&mut tree, "/etc/iscsi/initiatorname.iscsi");
    assert_eq!(iscsi, "GenerateName=yes\n");
    let shadow = text(&mut tree, "/etc/shadow");
    assert!(shadow.contains("\nroot:*:"), "{shadow}");
    // The folders stay, with their modes: /tmp is everyone's.
    assert_eq!(tree.attr(b"/tmp").unwrap().unwrap().mode, 0o1777);
    assert_eq!(tree.attr(b"/var/log/journal").unwrap().unwrap().kind, Kind::Dir);
    // A second time there is nothing left to do but what is always made sure of.
    let again = generalise::edits(&mut tree, &all()).unwrap();
    let paths: Vec<_> = again.iter().map(|edit| String::from_utf8_lossy(edit.path())).collect();
    assert_eq!(
        paths,
        [
            "/etc/machine-id",
            "/etc/systemd/system/bootwright-ssh-host-keys.service",
            "/etc/systemd/system/multi-user.target.wants/bootwright-ssh-host-keys.service"
        ]
    );
    tree.finish().unwrap();
}

#[test]
fn only_what_is_asked_for() {
    for part in Trait::ALL {
        let disk = layer(&base("debian"));
        let mut tree = Tree::open(&disk, NOW).unwrap();
        let edits: Vec<_> = TRACES.iter().map(|(path, _)| Edit::text(path, "x", 0o644)).collect();
        tree.apply(&edits).unwrap();
        generalised(&mut tree, &[part].into());
        let changed: Vec<_> =
            TRACES.iter().filter(|&&(path, _)| state(&mut tree, path) != State::Kept).collect();
        let all_of = TRACES.iter().filter(|(_, expected)| *expected != State::Kept).count();
        assert!(changed.len() < all_of / 3, "{part:?} took {changed:?}");
        assert!(changed.iter().all(|(_, expected)| *expected != State::Kept), "{part:?}");
    }
}

/// A published image has next to nothing to lose.
#[test]
fn bases_are_general_already() {
    for name in ["debian", "mbr", "xboot"] {
        let disk = layer(&base(name));
        let mut tree = Tree::open(&disk, NOW).unwrap();
        let edits = generalise::edits(&mut tree, &all()).unwrap();
        let removed: Vec<_> = edits
            .iter()
            .filter(|edit| matches!(edit, Edit::Remove { .. }))
            .map(|edit| String::from_utf8_lossy(edit.path()).into_owned())
            .collect();
        let harmless = ["/etc/subgid-", "/etc/subuid-", "/var/lib/dpkg/", "/var/backups/"];
        let more: Vec<_> = removed
            .iter()
            .filter(|path| !harmless.iter().any(|known| path.starts_with(known)))
            .collect();
        assert!(more.is_empty(), "{name}: {more:?}");
        let has_sshd = tree.exists(b"/usr/sbin/sshd").unwrap();
        let makes_keys = edits.iter().any(|edit| edit.path().ends_with(b"ssh-host-keys.service"));
        assert_eq!(makes_keys, has_sshd, "{name}");
        tree.apply(&edits).unwrap();
        assert_eq!(tree.attr(b"/etc/machine-id").unwrap().map(|attr| attr.size), Some(0), "{name}");
    }
}
