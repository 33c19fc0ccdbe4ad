//! What an unknown key was meant to be: a sibling's name mistyped, or a key of another place.

use super::key_path::KeyPath;
use super::schema::{Key, Keys, Schema};
use crate::yaml::decode::unknown;

/// The message for a key at `parent` that the schema does not know there.
pub(super) fn explain(schema: &Schema, parent: &KeyPath, name: &str, siblings: &Keys) -> String {
    let mut known: Vec<&str> = siblings.iter().map(|(name, _)| name.as_str()).collect();
    if parent.0.is_empty() && schema.cloud_init {
        known.extend(super::cloud_init::KEYS);
    }
    let mut places = Vec::new();
    for (top, key) in schema.keys.iter() {
        find(&KeyPath::default().key(top), key, name, &mut places);
    }
    let message = match known.len() {
        0 => format!("unknown key `{name}`; no key is known here"),
        // So many cannot be read; a near one is still worth its line.
        len if len > 24 && !unknown("key", name, &known).contains("did you mean") => {
            format!("unknown key `{name}`")
        }
        _ => unknown("key", name, &known),
    };
    match places.iter().min_by_key(|place| distance(place, parent)) {
        Some(place) if !message.contains("did you mean") => {
            let place = place.split_last().map(|(parent, _)| parent).unwrap_or_default();
            match place.0.is_empty() {
                true => format!("`{name}` belongs to the top level, not here"),
                false => format!("`{name}` belongs under `{place}`, not here"),
            }
        }
        _ => message,
    }
}

/// Collects the paths at which the schema knows `name`.
fn find(path: &KeyPath, key: &Key, name: &str, places: &mut Vec<KeyPath>) {
    if path.last_key() == Some(name) {
        places.push(path.clone());
    }
    for (child, key) in key.keys.iter() {
        find(&path.key(child), key, name, places);
    }
}

/// How far a place is from where the key stands: steps that are not shared.
fn distance(place: &KeyPath, parent: &KeyPath) -> usize {
    let shared = place.0.iter().zip(&parent.0).take_while(|(a, b)| a == b).count();
    place.0.len() + parent.0.len() - 2 * shared
}
