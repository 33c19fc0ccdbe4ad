//! What the configuration says about seeds that change, secrets that stay, and pages.

use std::path::PathBuf;

use serde::Deserialize;

/// Which seed may change the env of a machine that has one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reseed {
    /// Any: the machine is what its medium says, as with cloud-init.
    #[default]
    Any,
    /// None: the first seed binds the machine.
    First,
    /// One that a known key has signed and whose serial is higher.
    NewerSigned,
}

/// Where the env is kept for a boot without its source, and for `recover`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Nowhere.
    None,
    /// In memory: until the machine is switched off.
    #[default]
    Run,
    /// On the disk, encrypted: as the seed was, or by systemd-creds.
    Encrypted,
    /// On the disk, readable by root.
    Plain,
}

impl Keep {
    /// Whether it outlives a boot.
    pub fn is_lasting(self) -> bool {
        matches!(self, Self::Encrypted | Self::Plain)
    }
}

/// What happens to the medium once its env is in place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AfterUse {
    /// Nothing: cloud-init and the next boot read it as well.
    #[default]
    Keep,
    /// The disc is ejected; any other medium is unbound.
    Eject,
    /// The guest loses the device until it is started again or the device is attached anew.
    Unbind,
    /// It is overwritten; where that is impossible it is ejected.
    Wipe,
}

/// The page that shows people the state.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StatusPage {
    /// The HTML page.
    pub html: Option<PathBuf>,
    /// The same as JSON.
    pub json: Option<PathBuf>,
    /// Permissions, in octal digits.
    mode: String,
    /// Owner, `user` or `user:group`, by name or number.
    pub owner: Option<String>,
    /// Seconds after which a browser loads the page again.
    pub refresh_seconds: u32,
    /// Whether both files go away while the machine is active.
    pub remove_when_active: bool,
}

impl Default for StatusPage {
    fn default() -> Self {
        Self {
            html: None,
            json: None,
            mode: "0644".to_owned(),
            owner: None,
            refresh_seconds: 30,
            remove_when_active: false,
        }
    }
}

impl StatusPage {
    /// The permissions; `None` if they are no octal number of permission bits.
    pub fn mode(&self) -> Option<u32> {
        u32::from_str_radix(&self.mode, 8).ok().filter(|mode| *mode <= 0o777)
    }
}

/// How metadata servers are asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metadata {
    /// Whether a server is asked only if the firmware names its cloud.
    pub detect: bool,
    /// How long a server that does not answer is asked again, all servers together.
    pub wait_seconds: u64,
    /// Where the servers are, without the path.
    pub base: Bases,
}

impl Default for Metadata {
    fn default() -> Self {
        Self { detect: true, wait_seconds: 30, base: Bases::default() }
    }
}

/// The address of each metadata server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bases {
    /// EC2.
    pub ec2: String,
    /// Google.
    pub gce: String,
    /// OpenStack.
    pub openstack: String,
    /// Azure.
    pub azure: String,
}

impl Default for Bases {
    /// All four clouds use the one link-local address, which needs no name resolution.
    fn default() -> Self {
        let link_local = || "http://169.254.169.254".to_owned();
        Self { ec2: link_local(), gce: link_local(), openstack: link_local(), azure: link_local() }
    }
}
