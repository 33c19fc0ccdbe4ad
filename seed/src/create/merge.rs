//! Adds YAML documents to one another: what upstream did by pasting text together, where a
//! key that stood in both was lost without a word (domain.md B02).
//!
//! Mappings merge key by key, lists grow by the items they do not have yet, `~` removes a key,
//! and any other value takes the place of the one before.

use crate::yaml::decode::DecodeError;
use crate::yaml::emit::document;
use crate::yaml::tree::{Key, Node, Value};

/// Adds `more` to `base`.
pub(crate) fn merge(base: &mut Node, more: Node) {
    match (&mut base.value, more.value) {
        (Value::Map(entries), Value::Map(additions)) => {
            for (key, node) in additions {
                merge_key(entries, key, node);
            }
        }
        (Value::List(items), Value::List(additions)) => {
            for item in additions {
                if !items.iter().any(|known| same(known, &item)) {
                    items.push(item);
                }
            }
        }
        (_, value) => *base = Node { value, at: more.at },
    }
}

fn merge_key(entries: &mut Vec<(Key, Node)>, key: Key, node: Node) {
    let index = entries.iter().position(|(known, _)| known.name == key.name);
    match (index, &node.value) {
        (Some(index), Value::Null) => {
            entries.remove(index);
        }
        (None, Value::Null) => {}
        (Some(index), _) => merge(&mut entries[index].1, node),
        (None, _) => entries.push((key, node)),
    }
}

/// Whether two trees say the same, wherever they stand.
pub(crate) fn same(a: &Node, b: &Node) -> bool {
    match (&a.value, &b.value) {
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len()
                && a.iter().zip(b).all(|((k, a), (l, b))| k.name == l.name && same(a, b))
        }
        (a, b) => a == b,
    }
}

/// Adds documents to a user-data text. Top-level keys that no addition names keep the text
/// they were written with, comments included; the others are written anew.
///
/// # Errors
/// A document that is no mapping, or a tag in what is merged, which would get lost.
pub(super) fn into_text(
    file: &str,
    text: &str,
    additions: Vec<Node>,
) -> Result<String, DecodeError> {
    let parse = |text: &str| {
        Node::parse(file, text)
            .map_err(|(file, error)| DecodeError { at: None, problem: format!("{file}: {error}") })
    };
    let base = parse(text)?;
    let mut merged = base.clone();
    let mut touched: Vec<String> = Vec::new();
    for addition in additions {
        let Value::Map(entries) = &addition.value else {
            let problem = format!("{}, expected a mapping to add", addition.value.describe());
            return Err(DecodeError::new(&addition.at, problem));
        };
        touched.extend(entries.iter().map(|(key, _)| key.name.clone()));
        merge(&mut merged, addition);
    }
    if let Some(kept) = patch(text, &base, &merged, &touched) {
        refuse_tags(&base, text, &touched)?;
        if parse(&kept).is_ok_and(|again| same(&again, &merged)) {
            return Ok(kept);
        }
    }
    // Anchors, or a mapping in one line: no text can be kept.
    let all: Vec<String> = entries(&base).iter().map(|(key, _)| key.name.clone()).collect();
    refuse_tags(&base, text, &all)?;
    Ok(format!("{}\n{}", crate::userdata::HEADER, document(&merged)))
}

fn entries(node: &Node) -> &[(Key, Node)] {
    match &node.value {
        Value::Map(entries) => entries,
        _ => &[],
    }
}

/// The lines of each top-level key, counted from 0; `None` unless each starts a line.
fn sections(text: &str, base: &Node) -> Option<Vec<(String, std::ops::Range<usize>)>> {
    let total = text.lines().count();
    let keys = entries(base);
    let starts: Vec<usize> = keys
        .iter()
        .map(|(key, _)| {
            let first = usize::try_from(key.at.line).ok()?.checked_sub(1)?;
            (key.at.column == 1).then_some(first)
        })
        .collect::<Option<_>>()?;
    let ends = starts.iter().skip(1).copied().chain([total]);
    let names = keys.iter().map(|(key, _)| key.name.clone());
    Some(names.zip(starts.iter().zip(ends).map(|(start, end)| *start..end)).collect())
}

/// The text with the sections of `touched` keys replaced and new keys put at its end.
fn patch(text: &str, base: &Node, merged: &Node, touched: &[String]) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let sections = sections(text, base)?;
    let mut out: Vec<String> = Vec::new();
    let first = sections.first().map_or(lines.len(), |(_, range)| range.start);
    out.extend(lines.get(..first)?.iter().map(ToString::to_string));
    let section = |name: &str| {
        let (key, node) = entries(merged).iter().find(|(key, _)| key.name == name)?;
        let alone =
            Node { value: Value::Map(vec![(key.clone(), node.clone())]), at: node.at.clone() };
        Some(document(&alone).trim_end().to_owned())
    };
    for (name, range) in &sections {
        let own = lines.get(range.clone())?;
        if !touched.contains(name) {
            out.extend(own.iter().map(ToString::to_string));
            continue;
        }
        out.extend(section(name));
        // The comments and blank lines before the next key belong to that one.
        let content = own.iter().rposition(|line| {
            let line = line.trim_start();
            !line.is_empty() && !line.starts_with('#')
        });
        out.extend(own.get(content.map_or(0, |last| last + 1)..)?.iter().map(ToString::to_string));
    }
    let known = |name: &str| sections.iter().any(|(known, _)| known == name);
    let new = entries(merged).iter().filter(|(key, _)| !known(&key.name));
    out.extend(new.filter_map(|(key, _)| section(&key.name)));
    Some(out.join("\n") + "\n")
}

/// A tag such as `!!binary` says how a value is read, and trees do not keep it.
fn refuse_tags(base: &Node, text: &str, touched: &[String]) -> Result<(), DecodeError> {
    let Some(sections) = sections(text, base) else {
        return Ok(());
    };
    let lines: Vec<&str> = text.lines().collect();
    for (name, range) in sections.iter().filter(|(name, _)| touched.contains(name)) {
        for (line, number) in lines.iter().zip(1_u64..).skip(range.start).take(range.len()) {
            if is_tagged(line) {
                let mut at = base.at.clone();
                (at.line, at.column) = (number, 1);
                let problem = format!(
                    "a tag under `{name}`, to which something is to be added; write the additions into the document itself"
                );
                return Err(DecodeError::new(&at, problem));
            }
        }
    }
    Ok(())
}

/// Whether a line has a tag where a value starts.
pub(super) fn is_tagged(line: &str) -> bool {
    let code = line.trim_start();
    !code.starts_with('#')
        && (code.starts_with('!')
            || [": !", "- !", "[!", ", !"].iter().any(|start| {
                code.split_once(start).is_some_and(|(_, rest)| {
                    rest.starts_with(|c: char| c == '!' || c == '<' || c.is_alphabetic())
                })
            }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> Node {
        Node::parse("add.yml", text).unwrap()
    }

    fn merged(base: &str, more: &str) -> String {
        into_text("env.yml", base, vec![node(more)]).unwrap()
    }

    /// Upstream pasted the texts together and the second `packages` won.
    #[test]
    fn b02_a_key_in_both_documents_is_merged() {
        let base = "#cloud-config\n# about packages\npackages: [qrcode]\n# about users\nusers:\n  - default # yes\n";
        let text = merged(base, "packages: [curl, qrcode]\nusers: [{name: x}]\nnew: 0600\n");
        assert_eq!(
            text,
            "#cloud-config\n# about packages\npackages:\n  - qrcode\n  - curl\n# about users\nusers:\n  - default\n  - name: x\nnew: 0600\n"
        );
        crate::userdata::check("env.yml", text.as_bytes()).unwrap();
    }

    #[test]
    fn untouched_keys_keep_their_text() {
        let base = "#cloud-config\na:  'x'   # why\nb: !!binary |\n  aGk=\nc: {d: 1, e: [2]}\n";
        let text = merged(base, "c: {d: ~, f: 06:30}\n");
        assert_eq!(
            text,
            "#cloud-config\na:  'x'   # why\nb: !!binary |\n  aGk=\nc:\n  e:\n    - 2\n  f: 06:30\n"
        );
        assert_eq!(merged("#cloud-config\na: 1\nb: 2\n", "a: ~\n"), "#cloud-config\nb: 2\n");
    }

    #[test]
    fn anchors_and_flow_mappings_are_written_anew() {
        let text = merged("#cloud-config\na: &x [1]\nb: *x\n", "a: [2]\n");
        assert_eq!(text, "#cloud-config\na:\n  - 1\n  - 2\nb:\n  - 1\n");
        assert_eq!(merged("#cloud-config\n{a: 1}\n", "b: 2\n"), "#cloud-config\na: 1\nb: 2\n");
    }

    #[test]
    fn what_would_get_lost_is_refused() {
        let base = "#cloud-config\nwrite_files:\n  - content: !!binary aGk=\n";
        let error = into_text("env.yml", base, vec![node("write_files: [{path: /x}]\n")]);
        assert!(
            error.unwrap_err().to_string().starts_with("env.yml:3:1: a tag under `write_files`")
        );
        let error = into_text("env.yml", base, vec![node("- a\n")]).unwrap_err().to_string();
        assert_eq!(error, "add.yml:1:1: a list, expected a mapping to add");
    }
}
