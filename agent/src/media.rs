//! Seed media among the block devices: what each offers, and how it relates to the one used.

use bootwright_seed::medium::Kind;
use bootwright_seed::medium::ReadError;
use bootwright_seed::medium::read::{self, Contents, Identity};
use bootwright_seed::report::Tried;

use crate::boot::chain;
use crate::config::SourceKind;
use crate::discover::{self, Outcome, Place};
use crate::root::Root;
use crate::sources::{self, Looked, Offer};

/// Largest signature, in bytes; real ones have 300.
const MAX_SIGNATURE: u64 = 16 * 1024;

/// The places of one kind of medium, those that come first first.
pub fn of_kind(places: &[Place], kind: SourceKind) -> Vec<&Place> {
    places.iter().filter(|place| kind_of(place) == Some(kind)).collect()
}

/// The kind of source that a place promises to be.
fn kind_of(place: &Place) -> Option<SourceKind> {
    match &place.outcome {
        Outcome::Volume(Identity { kind: Some(kind), .. }) => Some((*kind).into()),
        Outcome::Volume(identity)
            if identity.labels.iter().any(|label| sources::is_ovf_label(label)) =>
        {
            Some(SourceKind::Ovf)
        }
        _ => None,
    }
}

/// Reads the seed at a place.
pub fn offer(root: &Root, place: &Place, kind: SourceKind) -> Looked {
    let node = &place.node;
    match kind.medium() {
        Some(kind) => match contents(root, node, kind) {
            Ok(contents) => {
                let mut offer = from_contents(node, contents);
                offer.signature = signature(root, node, &offer.file);
                Looked::offers(offer)
            }
            Err(error) => Looked::Broken(format!(
                "the {kind} seed on {node} cannot be used: {}",
                chain(&error)
            )),
        },
        None => match discover::open(root, node) {
            Ok(device) => sources::read_ovf(node, device),
            Err(error) => Looked::Broken(format!("{node} cannot be read: {error}")),
        },
    }
}

fn contents(root: &Root, node: &str, kind: Kind) -> Result<Contents, ReadError> {
    let device = discover::open(root, node).map_err(ReadError::Device)?;
    read::read(device, kind)
}

/// The signature beside the user-data. One that cannot be read counts as missing: whoever
/// demands one refuses the seed then.
fn signature(root: &Root, node: &str, user_data: &str) -> Option<Vec<u8>> {
    let device = discover::open(root, node).ok()?;
    read::file(device, &format!("{user_data}.sig"), MAX_SIGNATURE).ok().flatten()
}

fn from_contents(node: &str, contents: Contents) -> Offer {
    let mut offer = Offer::plain(contents.kind.into(), node, contents.user_data);
    offer.filesystem = Some(contents.filesystem.name().to_owned());
    offer.file = contents.user_data_file;
    offer.instance_id = contents.instance_id;
    offer
}

/// The source that decided the search, for saying how the others relate to it.
pub struct Decided<'a> {
    /// Its kind.
    pub kind: SourceKind,
    /// Where it is.
    pub place: &'a str,
    /// What it offered, if it is used.
    pub used: Option<&'a Offer>,
}

/// What is to be said about each place. `notes` are the places that were read and passed over.
pub fn explain(
    root: &Root,
    places: &[Place],
    configured: &[SourceKind],
    notes: &[Tried],
    decided: Option<&Decided<'_>>,
) -> Vec<Tried> {
    let explain = |place: &Place| Tried {
        place: place.node.clone(),
        outcome: match &place.outcome {
            Outcome::Volume(identity) => {
                let noted = notes.iter().find(|note| note.place == place.node);
                let relation = match (noted, kind_of(place)) {
                    (Some(note), _) => note.outcome.clone(),
                    (None, Some(kind)) => relation(root, place, kind, (configured, decided)),
                    (None, None) => "not a seed".to_owned(),
                };
                format!("{identity}: {relation}")
            }
            Outcome::Nothing => "no ISO 9660 or FAT file system".to_owned(),
            Outcome::Absent => "no medium".to_owned(),
            Outcome::Unreadable(reason) => reason.clone(),
        },
    };
    places.iter().map(explain).collect()
}

/// What became of a seed that was not passed over for its own sake.
fn relation(
    root: &Root,
    place: &Place,
    kind: SourceKind,
    (configured, decided): (&[SourceKind], Option<&Decided<'_>>),
) -> String {
    if !configured.contains(&kind) {
        return format!("not used, {} is not among the configured sources", kind.name());
    }
    let Some(decided) = decided else {
        return "not used".to_owned();
    };
    if decided.place == place.node {
        return if decided.used.is_some() { "used" } else { "refused" }.to_owned();
    }
    if decided.kind != kind {
        return format!("not used, {} on {} comes first", decided.kind.name(), decided.place);
    }
    let Some(used) = decided.used else {
        return format!("not used, {} comes first", decided.place);
    };
    match offer(root, place, kind) {
        Looked::Offers(other)
            if other.user_data == used.user_data && other.instance_id == used.instance_id =>
        {
            format!("not used, the same seed as {}", decided.place)
        }
        Looked::Offers(_) => {
            format!("not used, another seed than {}, which comes first", decided.place)
        }
        Looked::Nothing(reason) | Looked::Broken(reason) => format!("not used, {reason}"),
    }
}
