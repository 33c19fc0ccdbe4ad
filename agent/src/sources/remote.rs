//! Metadata servers: which of them this machine has, and what they say.

use std::time::{Duration, Instant};

use super::{Dmi, Looked, Offer, azure, ec2, gce, openstack};
use crate::config::{Config, SourceKind};

/// What a server said.
pub enum Asked {
    /// The user-data and perhaps an id.
    Answer {
        /// The user-data. Secret.
        user_data: Vec<u8>,
        /// The machine's id.
        instance_id: Option<String>,
    },
    /// It has none.
    Nothing(String),
}

/// What a status other than 200 means: 404 is how all four say that there is no user-data.
pub fn missing(url: &str, status: u16) -> Result<Asked, String> {
    match status {
        204 | 404 => Ok(Asked::Nothing("the server has no user-data for this machine".to_owned())),
        other => Err(format!("{url} answers {other}")),
    }
}

/// Why a server is not asked: the firmware names another cloud, or none.
pub fn reason_against(config: &Config, dmi: &Dmi, kind: SourceKind) -> Option<String> {
    let here = match kind {
        SourceKind::Ec2 => ec2::is_here(dmi),
        SourceKind::Gce => gce::is_here(dmi),
        SourceKind::Openstack => openstack::is_here(dmi),
        SourceKind::Azure => azure::is_here(dmi),
        _ => true,
    };
    (config.metadata.detect && !here).then(|| format!("not asked, this is {}", dmi.describe()))
}

/// The servers that are to be asked, in order.
pub fn wanted(config: &Config, dmi: &Dmi) -> Vec<SourceKind> {
    let remote = config.sources.iter().copied().filter(|kind| kind.is_remote());
    remote.filter(|kind| reason_against(config, dmi, *kind).is_none()).collect()
}

/// The time by which the servers have to have answered.
pub fn deadline(config: &Config, started: Instant) -> Instant {
    started + Duration::from_secs(config.metadata.wait_seconds)
}

/// How one kind of server is asked: where it is, and until when.
type Asking = fn(&str, Instant) -> Result<Asked, String>;

/// Asks a server.
pub fn ask(config: &Config, kind: SourceKind, deadline: Instant) -> Looked {
    let base = &config.metadata.base;
    let (base, asked): (&str, Asking) = match kind {
        SourceKind::Ec2 => (&base.ec2, ec2::ask),
        SourceKind::Gce => (&base.gce, gce::ask),
        SourceKind::Openstack => (&base.openstack, openstack::ask),
        SourceKind::Azure => (&base.azure, azure::ask),
        _ => return Looked::Nothing("not a metadata server".to_owned()),
    };
    let base = base.trim_end_matches('/');
    match asked(base, deadline) {
        Ok(Asked::Nothing(reason)) => Looked::Nothing(reason),
        Ok(Asked::Answer { user_data, .. }) if user_data.is_empty() => {
            Looked::Nothing("the server's user-data is empty".to_owned())
        }
        Ok(Asked::Answer { user_data, instance_id }) => {
            let mut offer = Offer::plain(kind, base, user_data);
            offer.file = "user-data".to_owned();
            offer.instance_id = instance_id;
            Looked::offers(offer)
        }
        // Where the firmware names the cloud its server has to answer; elsewhere there is none.
        Err(reason) if config.metadata.detect => Looked::Broken(format!(
            "the {} metadata server at {base} gives no user-data: {reason}; check the machine's network and restart bootwright-agent-network",
            kind.name()
        )),
        Err(reason) => Looked::Nothing(reason),
    }
}
