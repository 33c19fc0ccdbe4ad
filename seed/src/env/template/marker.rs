//! Markers: what stands in the place of a secret when a template is rendered for the first time.

use super::super::generate::{Call, Made};

const START: &str = "bwsecret";
const END: &str = "terces";

/// The place of a secret, or of one of its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Marker {
    /// Number of the secret.
    pub(in super::super) index: usize,
    /// The part; empty for a secret that is one text.
    pub(in super::super) part: String,
}

impl Marker {
    fn text(index: usize, part: &str) -> String {
        format!("{START}{index}{part}{END}")
    }

    /// What a call gives while markers are wanted.
    pub(super) fn made(index: usize, call: &Call) -> Made {
        match call.parts() {
            [] => Made::Text(Self::text(index, "")),
            parts => {
                Made::Parts(parts.iter().map(|part| (*part, Self::text(index, part))).collect())
            }
        }
    }
}

/// A marker in a text with what stands before and behind it.
pub(in super::super) struct Found<'a> {
    pub(in super::super) before: &'a str,
    pub(in super::super) marker: Marker,
    pub(in super::super) after: &'a str,
}

/// The first marker in a text.
pub(in super::super) fn first(text: &str) -> Option<Found<'_>> {
    let (before, rest) = text.split_once(START)?;
    let (inner, after) = rest.split_once(END)?;
    let digits = inner.find(|c: char| !c.is_ascii_digit()).unwrap_or(inner.len());
    let (index, part) = inner.split_at(digits);
    let marker = Marker { index: index.parse().ok()?, part: part.to_owned() };
    Some(Found { before, marker, after })
}

/// All markers in a text.
pub(in super::super) fn all(text: &str) -> Vec<Marker> {
    let mut rest = text;
    let mut markers = Vec::new();
    while let Some(found) = first(rest) {
        markers.push(found.marker);
        rest = found.after;
    }
    markers
}

/// The marker that a text is, but for blanks and line breaks around it.
pub(in super::super) fn exact(text: &str) -> Option<Marker> {
    let found = first(text.trim())?;
    (found.before.is_empty() && found.after.is_empty()).then_some(found.marker)
}

/// Whether a call's arguments hold a secret.
pub(super) fn in_call(call: &Call) -> bool {
    match call {
        Call::Crypt { password } => first(&password.0).is_some(),
        Call::Openpgp { uid, .. } => first(uid).is_some(),
        Call::Ssh { comment, .. } => first(comment).is_some(),
        Call::Tls { subject, sans, .. } => {
            first(subject).is_some() || sans.iter().any(|san| first(san).is_some())
        }
        _ => false,
    }
}
