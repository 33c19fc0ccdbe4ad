//! The search for the env: through the sources in their order, until one is used or fails.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bootwright_seed::report::Tried;

use crate::config::{Config, SourceKind};
use crate::discover::{Drives, Place};
use crate::judge::{Env, Judge, Verdict};
use crate::media::{self, Decided};
use crate::root::Root;
use crate::sources::{self, Dmi, Looked, Offer, remote};
use crate::uevent::Listener;

/// Longest pause between two looks: a disc may be put into a drive that sends no event, and
/// files appear in silence.
const PAUSE: Duration = Duration::from_secs(1);

/// What a search came to.
#[derive(Debug)]
pub struct Found {
    /// The seed that is used, or why the one that has to be used cannot be. `None`: no source
    /// offered anything that may be used.
    pub result: Option<Result<(Offer, Env), String>>,
    /// Seeds that the policy does not allow on this machine.
    pub refused: Vec<String>,
    /// Everything looked at, with what came of it.
    pub tried: Vec<Tried>,
}

/// A search on one machine.
pub struct Search<'a> {
    root: &'a Root,
    config: &'a Config,
    judge: &'a Judge<'a>,
    drives: Drives,
    /// Sources that cannot change while the machine runs, and what they said.
    settled: BTreeMap<SourceKind, String>,
}

/// What one round of looking has noted so far.
#[derive(Default)]
struct Notes {
    /// The media that were passed over.
    media: Vec<Tried>,
    /// The other sources.
    others: Vec<Tried>,
    /// Seeds that are not allowed.
    refused: Vec<String>,
}

/// A source that ends the search.
struct End {
    kind: SourceKind,
    place: String,
    result: Result<(Offer, Env), String>,
}

impl<'a> Search<'a> {
    /// Prepares a search.
    pub fn new(root: &'a Root, config: &'a Config, judge: &'a Judge<'a>) -> Self {
        Self { root, config, judge, drives: Drives::default(), settled: BTreeMap::new() }
    }

    /// Looks at the local sources until one decides or `deadline` has passed.
    pub fn until(&mut self, deadline: Instant, listener: &Listener) -> Found {
        loop {
            let found = self.once();
            let left = deadline.saturating_duration_since(Instant::now());
            if found.result.is_some() || left.is_zero() {
                return found;
            }
            listener.wait(left.min(PAUSE));
        }
    }

    /// Looks at the local sources once.
    pub fn once(&mut self) -> Found {
        if self
            .config
            .sources
            .iter()
            .any(|kind| kind.medium().is_some() || *kind == SourceKind::Ovf)
        {
            self.drives.look(self.root);
        }
        let places = self.drives.places();
        let mut notes = Notes::default();
        let local = self.config.sources.iter().copied().filter(|kind| !kind.is_remote());
        let mut end = None;
        for kind in local {
            end = self.source(kind, &places, &mut notes);
            if end.is_some() {
                break;
            }
        }
        self.report(end, &places, notes)
    }

    /// Asks the metadata servers.
    pub fn remote(&mut self, dmi: &Dmi, deadline: Instant) -> Found {
        let mut notes = Notes::default();
        let mut end = None;
        for kind in self.config.sources.iter().copied().filter(|kind| kind.is_remote()) {
            if let Some(reason) = remote::reason_against(self.config, dmi, kind) {
                notes.others.push(tried(kind, reason));
                continue;
            }
            let looked = remote::ask(self.config, kind, deadline);
            end = self.weigh(kind, kind.name(), looked, &mut notes);
            if end.is_some() {
                break;
            }
        }
        self.report(end, &[], notes)
    }

    fn source(&mut self, kind: SourceKind, places: &[Place], notes: &mut Notes) -> Option<End> {
        if kind.medium().is_some() || kind == SourceKind::Ovf {
            let of_kind = media::of_kind(places, kind);
            if of_kind.is_empty() && kind.medium().is_none() {
                return None;
            }
            return of_kind.into_iter().find_map(|place| {
                let looked = media::offer(self.root, place, kind);
                self.weigh(kind, &place.node, looked, notes)
            });
        }
        if let Some(reason) = self.settled.get(&kind) {
            notes.others.push(tried(kind, reason.clone()));
            return None;
        }
        let looked = sources::look(self.root, self.config, kind);
        if let (Looked::Nothing(reason), true) = (&looked, is_settled(kind)) {
            self.settled.insert(kind, reason.clone());
        }
        self.weigh(kind, kind.name(), looked, notes)
    }

    /// Decides about what a source offers.
    fn weigh(
        &self,
        kind: SourceKind,
        place: &str,
        looked: Looked,
        notes: &mut Notes,
    ) -> Option<End> {
        let end = |place: &str, result| Some(End { kind, place: place.to_owned(), result });
        let mut note = |reason: String| {
            let list = if place.starts_with('/') { &mut notes.media } else { &mut notes.others };
            list.push(Tried { place: place.to_owned(), outcome: reason });
        };
        let broken = match looked {
            Looked::Nothing(reason) => {
                note(reason);
                return None;
            }
            Looked::Broken(reason) => reason,
            Looked::Offers(offer) => match self.judge.judge(&offer) {
                Verdict::Use(env) => return end(&offer.place.clone(), Ok((*offer, *env))),
                Verdict::Refuse(reason) => {
                    note(format!("refused, {reason}"));
                    notes.refused.push(format!("{place}: {reason}"));
                    return None;
                }
                Verdict::Broken(reason) => reason,
            },
        };
        if self.judge.is_bound() && !kind.is_own() {
            // The machine knows which seed is its own, so it can do without a broken other one.
            note(format!("not used, {broken}"));
            return None;
        }
        end(place, Err(broken))
    }

    fn report(&self, end: Option<End>, places: &[Place], notes: Notes) -> Found {
        let decided = end.as_ref().map(|end| Decided {
            kind: end.kind,
            place: &end.place,
            used: end.result.as_ref().ok().map(|(offer, _)| offer),
        });
        let configured = &self.config.sources;
        let mut list =
            media::explain(self.root, places, configured, &notes.media, decided.as_ref());
        let others = notes.others.into_iter();
        list.extend(others);
        if let Some(decided) = &decided
            && !places.iter().any(|place| place.node == decided.place)
        {
            let outcome = if decided.used.is_some() { "used" } else { "refused" };
            list.push(tried(decided.kind, outcome.to_owned()));
        }
        Found { result: end.map(|end| end.result), refused: notes.refused, tried: list }
    }
}

fn tried(kind: SourceKind, outcome: String) -> Tried {
    Tried { place: kind.name().to_owned(), outcome }
}

/// Whether a source that has nothing now will not have anything later.
fn is_settled(kind: SourceKind) -> bool {
    matches!(kind, SourceKind::EnvYml | SourceKind::Smbios | SourceKind::FwCfg | SourceKind::Vmware)
}
