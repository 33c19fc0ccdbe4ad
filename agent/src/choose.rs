//! Decides which of the media found is used, reads it, and says why the others are not.

use bootwright_seed::medium::read::{Contents, read};
use bootwright_seed::medium::{Kind, ReadError};
use bootwright_seed::report::Tried;
use bootwright_seed::userdata::{self, UserDataError};

use crate::boot::chain;
use crate::discover::{self, Outcome, Place};
use crate::root::Root;

/// The medium that is used, read and checked.
#[derive(Debug)]
pub struct Chosen {
    /// Its node.
    pub node: String,
    /// What is on it; the user-data is a valid env.
    pub contents: Contents,
}

/// Why the medium that has to be used cannot be.
#[derive(Debug, thiserror::Error)]
pub enum ChooseError {
    /// It cannot be read.
    #[error("the {kind} seed on {node} cannot be used")]
    Read {
        node: String,
        kind: Kind,
        #[source]
        cause: ReadError,
    },
    /// Its user-data is no env.
    #[error("the user-data on {node} cannot be used; correct it and make the seed anew")]
    UserData {
        node: String,
        #[source]
        cause: UserDataError,
    },
}

/// What came of the choice.
pub struct Choice {
    /// The medium to use, nothing, or the reason why the one to use is unusable.
    pub result: Result<Option<Chosen>, ChooseError>,
    /// Every place with what came of it.
    pub tried: Vec<Tried>,
}

/// Chooses among `places`: the kinds as `sources` lists them, within a kind the place that
/// comes first. A bad medium is not passed over for the next one, so that a machine never
/// starts with another env than the one it was meant to have.
pub fn choose(root: &Root, sources: &[Kind], places: Vec<Place>) -> Choice {
    let seeds =
        places.iter().enumerate().filter_map(|(at, place)| Some((rank(sources, place)?, at)));
    let best = seeds.min();
    let result = match best {
        Some((rank, at)) => take(root, &places[at], sources[rank]).map(Some),
        None => Ok(None),
    };
    let winner = best.map(|(rank, at)| Winner {
        at,
        kind: sources[rank],
        node: &places[at].node,
        result: &result,
    });
    let tried = places.iter().enumerate();
    let tried = tried.map(|(at, place)| explain(root, at, place, winner.as_ref())).collect();
    Choice { result, tried }
}

/// How early in `sources` the kind of seed at this place is listed.
fn rank(sources: &[Kind], place: &Place) -> Option<usize> {
    let kind = place.outcome.kind()?;
    sources.iter().position(|source| *source == kind)
}

fn take(root: &Root, place: &Place, kind: Kind) -> Result<Chosen, ChooseError> {
    let node = place.node.clone();
    match contents(root, &node, kind) {
        Ok(contents) => match userdata::check(&contents.user_data_file, &contents.user_data) {
            Ok(_) => Ok(Chosen { node, contents }),
            Err(cause) => Err(ChooseError::UserData { node, cause }),
        },
        Err(cause) => Err(ChooseError::Read { node, kind, cause }),
    }
}

fn contents(root: &Root, node: &str, kind: Kind) -> Result<Contents, ReadError> {
    discover::open(root, node).map_err(ReadError::Device).and_then(|device| read(device, kind))
}

/// The place that was chosen, for saying how another one relates to it.
struct Winner<'a> {
    at: usize,
    kind: Kind,
    node: &'a str,
    result: &'a Result<Option<Chosen>, ChooseError>,
}

fn explain(root: &Root, at: usize, place: &Place, winner: Option<&Winner<'_>>) -> Tried {
    let outcome = match (&place.outcome, winner) {
        (Outcome::Volume(identity), Some(winner)) if winner.at == at => match winner.result {
            Ok(_) => format!("{identity}: used"),
            Err(_) => format!("{identity}: refused"),
        },
        (Outcome::Volume(identity), winner) => match identity.kind {
            Some(kind) => format!("{identity}: {}", relation(root, place, kind, winner)),
            None => format!("{identity}: not a seed"),
        },
        (Outcome::Nothing, _) => "no ISO 9660 or FAT file system".to_owned(),
        (Outcome::Absent, _) => "no medium".to_owned(),
        (Outcome::Unreadable(reason), _) => reason.clone(),
    };
    Tried { place: place.node.clone(), outcome }
}

/// Why a seed that was not chosen was not.
fn relation(root: &Root, place: &Place, kind: Kind, winner: Option<&Winner<'_>>) -> String {
    let Some(winner) = winner else {
        return format!("not used, {kind} is not among the configured sources");
    };
    if kind != winner.kind {
        return format!("not used, {} on {} comes first", winner.kind, winner.node);
    }
    let Ok(Some(chosen)) = winner.result else {
        return format!("not used, {} comes first", winner.node);
    };
    match contents(root, &place.node, kind) {
        Ok(other) if is_same_seed(&other, &chosen.contents) => {
            format!("not used, the same seed as {}", winner.node)
        }
        Ok(_) => format!("not used, another seed than {}, which comes first", winner.node),
        Err(error) => format!("not used, {}", chain(&error)),
    }
}

fn is_same_seed(one: &Contents, other: &Contents) -> bool {
    one.user_data == other.user_data && one.instance_id == other.instance_id
}
