//! Secrets inside of longer texts, such as `SECRET_KEY = '…'` in a settings file. A secret is
//! found by what stands before and behind it on its line of the template.

use super::super::template::marker::{self, Marker};

/// The secrets that `old` has where `dry`, the template's text, has markers.
pub(super) fn values(dry: &str, old: &str) -> Vec<(Marker, String)> {
    if let Some(marker) = marker::exact(dry) {
        return vec![(marker, old.to_owned())];
    }
    let lines = dry.lines().filter_map(marker::first);
    lines
        .filter_map(|found| {
            let (_, range) = place(old, found.before, found.after)?;
            Some((found.marker, old.get(range)?.to_owned()))
        })
        .collect()
}

/// `old` with the chosen secrets replaced by those of `new`, the template with new secrets.
/// None if one of them is not found.
pub(super) fn replace(dry: &str, old: &str, new: &str, chosen: &[usize]) -> Option<String> {
    if marker::exact(dry).is_some() {
        return Some(new.to_owned());
    }
    let mut out = old.to_owned();
    for line in dry.lines() {
        let Some(found) = marker::first(line).filter(|found| chosen.contains(&found.marker.index))
        else {
            continue;
        };
        let (_, from) = place(new, found.before, found.after)?;
        let secret = new.get(from)?;
        let (_, to) = place(&out, found.before, found.after)?;
        out.replace_range(to, secret);
    }
    Some(out)
}

/// The one line that has a secret between these texts, and where the secret is in the whole.
fn place(text: &str, before: &str, after: &str) -> Option<(usize, std::ops::Range<usize>)> {
    // Another marker behind this one: what stands between them is too little to go by.
    if marker::first(after).is_some() {
        return None;
    }
    // A comment behind it may have been changed.
    let after = after.split_once(" #").map_or(after, |(after, _)| after).trim_end();
    let mut found = None;
    let mut offset = 0;
    for (number, line) in text.split('\n').enumerate() {
        if let Some(rest) = line.strip_prefix(before) {
            let length = if after.is_empty() { Some(rest.len()) } else { rest.find(after) };
            if let Some(length) = length {
                let start = offset + before.len();
                if found.replace((number, start..start + length)).is_some() {
                    return None;
                }
            }
        }
        offset += line.len() + 1;
    }
    found
}
