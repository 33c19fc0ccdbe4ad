//! By what others know the machine.

use super::{below, empty, present};
use crate::Result;
use crate::edit::Edit;
use crate::node::Kind;
use crate::steps::read_text;
use crate::tree::Tree;

const DHCP_DIRS: [&str; 6] = [
    "/var/lib/dhcp",
    "/var/lib/dhclient",
    "/var/lib/NetworkManager",
    "/var/lib/dhcpcd",
    "/var/lib/dhcpcd5",
    "/var/lib/systemd/network",
];
const SECRETS: [&str; 10] = [
    "/var/lib/systemd/random-seed",
    "/var/lib/urandom/random-seed",
    "/var/lib/random-seed",
    "/var/lib/systemd/credential.secret",
    "/var/lib/NetworkManager/secret_key",
    "/var/lib/NetworkManager/seen-bssids",
    "/var/lib/dhcpcd/secret",
    "/etc/dhcpcd.secret",
    // The subscription of one machine.
    "/var/lib/ubuntu-advantage/private/machine-token.json",
    "/var/lib/ubuntu-advantage/machine-token.json",
];
/// Where cloud-init writes what it makes of the metadata of a machine.
const RENDERED_DIRS: [&str; 7] = [
    "/etc/netplan",
    "/etc/network/interfaces.d",
    "/etc/systemd/network",
    "/etc/NetworkManager/conf.d",
    "/etc/NetworkManager/system-connections",
    "/etc/ssh/sshd_config.d",
    "/etc/sudoers.d",
];
const ISCSI_NAME: &str = "/etc/iscsi/initiatorname.iscsi";
/// Makes open-iscsi give itself a name when it starts.
const ISCSI_GENERATE: &str = "GenerateName=yes\n";

/// Makes the host keys that openssh's package makes only when it is installed.
const HOST_KEY_UNIT: &str = "/etc/systemd/system/bootwright-ssh-host-keys.service";
const HOST_KEY_UNIT_TEXT: &str = "\
# Installed by bootwright, which removed the image's own SSH host keys.
[Unit]
Description=Make the SSH host keys of this machine
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
Before=ssh.service ssh.socket sshd.service
After=local-fs.target systemd-random-seed.service
# cloud-init makes them, too, under the older of these names and the newer one.
After=cloud-init.service cloud-init-network.service

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A

[Install]
WantedBy=multi-user.target
";
const HOST_KEY_UNIT_LINK: &str =
    "/etc/systemd/system/multi-user.target.wants/bootwright-ssh-host-keys.service";

fn kind(tree: &mut Tree, path: &str) -> Result<Option<Kind>> {
    Ok(tree.attr(path.as_bytes())?.map(|attr| attr.kind))
}

pub(super) fn machine_id(tree: &mut Tree) -> Result<Vec<Edit>> {
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

pub(super) fn ssh_host_keys(tree: &mut Tree) -> Result<Vec<Edit>> {
    // Certificates of keys go with them.
    let mut edits =
        below(tree, &["/etc/ssh"], |name| name.starts_with("ssh_host_") && name.contains("_key"))?;
    let has_sshd = tree.exists(b"/usr/sbin/sshd")?;
    let has_systemd = tree.exists(b"/etc/systemd/system")?;
    if has_sshd && has_systemd {
        edits.push(Edit::text(HOST_KEY_UNIT, HOST_KEY_UNIT_TEXT, 0o644));
        edits.push(Edit::symlink(HOST_KEY_UNIT_LINK, HOST_KEY_UNIT));
    }
    Ok(edits)
}

pub(super) fn cloud_init(tree: &mut Tree) -> Result<Vec<Edit>> {
    // Seeds that an image maker put there on purpose stay, as with `cloud-init clean`.
    let mut edits = below(tree, &["/var/lib/cloud"], |name| name != "seed")?;
    edits.extend(below(tree, &RENDERED_DIRS, |name| name.contains("cloud-init"))?);
    Ok(edits)
}

pub(super) fn dhcp_leases(tree: &mut Tree) -> Result<Vec<Edit>> {
    let mut edits = below(tree, &DHCP_DIRS, |name| name.contains("lease") || name == "duid")?;
    edits.extend(present(tree, &["/etc/dhcpcd.duid"])?);
    Ok(edits)
}

pub(super) fn secrets(tree: &mut Tree) -> Result<Vec<Edit>> {
    present(tree, &SECRETS)
}

pub(super) fn udev_rules(tree: &mut Tree) -> Result<Vec<Edit>> {
    below(tree, &["/etc/udev/rules.d"], |name| {
        name.ends_with(".rules") && name.contains("-persistent-")
    })
}

pub(super) fn storage_names(tree: &mut Tree) -> Result<Vec<Edit>> {
    let mut edits = present(tree, &["/etc/nvme/hostnqn", "/etc/nvme/hostid"])?;
    let iscsi = read_text(tree, ISCSI_NAME)?;
    if iscsi.lines().any(|line| line.trim_start().starts_with("InitiatorName=")) {
        edits.push(Edit::text(ISCSI_NAME, ISCSI_GENERATE, 0o600));
    }
    Ok(edits)
}
