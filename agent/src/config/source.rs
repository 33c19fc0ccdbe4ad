//! The kinds of sources an env can come from.

use bootwright_seed::medium::Kind;
use serde::Deserialize;

/// Where to look for a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// The file that the variable ENV_YML of the agent's environment names.
    EnvYml,
    /// The file `env_file`.
    File,
    /// OEM strings of the firmware.
    Smbios,
    /// A file QEMU hands to the guest.
    FwCfg,
    /// A credential of the service manager.
    Credential,
    /// A medium of cloud-init's NoCloud.
    Cidata,
    /// OpenStack's config drive.
    #[serde(rename = "config-2")]
    Config2,
    /// VMware's guestinfo variables.
    Vmware,
    /// A medium with the environment of an OVF package.
    Ovf,
    /// The metadata server of EC2 and of what speaks like it.
    Ec2,
    /// Google's metadata server.
    Gce,
    /// OpenStack's metadata server.
    Openstack,
    /// Azure's metadata server.
    Azure,
    /// The env kept from an earlier boot; used after all others, never configured.
    #[serde(skip)]
    Kept,
}

impl SourceKind {
    /// All of them, in the order they are tried unless the configuration says otherwise: what
    /// an administrator put on the machine, what its host gave it, what the network says.
    pub const ALL: [Self; 13] = [
        Self::EnvYml,
        Self::File,
        Self::Smbios,
        Self::FwCfg,
        Self::Credential,
        Self::Cidata,
        Self::Config2,
        Self::Vmware,
        Self::Ovf,
        Self::Ec2,
        Self::Gce,
        Self::Openstack,
        Self::Azure,
    ];

    /// Its name in the configuration and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::EnvYml => "env-yml",
            Self::File => "file",
            Self::Smbios => "smbios",
            Self::FwCfg => "fw-cfg",
            Self::Credential => "credential",
            Self::Cidata => "cidata",
            Self::Config2 => "config-2",
            Self::Vmware => "vmware",
            Self::Ovf => "ovf",
            Self::Ec2 => "ec2",
            Self::Gce => "gce",
            Self::Openstack => "openstack",
            Self::Azure => "azure",
            Self::Kept => "kept",
        }
    }

    /// Whether it is asked over the network.
    pub fn is_remote(self) -> bool {
        matches!(self, Self::Ec2 | Self::Gce | Self::Openstack | Self::Azure)
    }

    /// The kind of seed medium this is.
    pub fn medium(self) -> Option<Kind> {
        match self {
            Self::Cidata => Some(Kind::Cidata),
            Self::Config2 => Some(Kind::Config2),
            _ => None,
        }
    }

    /// Whether only somebody who is root on this machine already could have put it there. Such
    /// a source may change the env of a machine that is bound to its first seed.
    pub fn is_own(self) -> bool {
        matches!(self, Self::EnvYml | Self::File | Self::Kept)
    }
}

impl From<Kind> for SourceKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Cidata => Self::Cidata,
            Kind::Config2 => Self::Config2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_configured_ones() {
        for kind in SourceKind::ALL {
            let parsed: SourceKind = bootwright_seed::yaml::parse(kind.name()).unwrap();
            assert_eq!(parsed, kind);
        }
    }
}
