//! From a tree back to YAML that every parser reads alike.
//!
//! Plain scalars keep their text, so whatever a reader took them for it takes them for again.
//! Everything else is quoted as JSON quotes it, or a block where it has several lines.

use std::fmt::Write;

use super::tree::{Node, Value};

/// The YAML text of a tree, block style, with a line end after the last line.
#[must_use]
pub fn emit(node: &Node) -> String {
    let mut text = String::new();
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => block(node, 0, &mut text),
        Value::List(items) if !items.is_empty() => block(node, 0, &mut text),
        _ => {
            inline(node, 0, &mut text);
            text.push('\n');
        }
    }
    text
}

/// The entries of a mapping or the items of a list, each on its lines at `indent`.
fn block(node: &Node, indent: usize, text: &mut String) {
    let pad = " ".repeat(indent);
    match &node.value {
        Value::Map(entries) => {
            for (key, value) in entries {
                text.push_str(&pad);
                scalar_key(&key.name, text);
                text.push(':');
                below(value, indent, text);
            }
        }
        Value::List(items) => {
            for item in items {
                text.push_str(&pad);
                text.push('-');
                match &item.value {
                    // A mapping in a list starts on the line of its dash.
                    Value::Map(entries) if !entries.is_empty() => {
                        let mut inner = String::new();
                        block(item, indent + 2, &mut inner);
                        text.push(' ');
                        text.push_str(&inner[indent + 2..]);
                    }
                    _ => below(item, indent, text),
                }
            }
        }
        Value::Null | Value::Scalar { .. } => {}
    }
}

/// What stands after a key or a dash at `indent`, line end included.
fn below(value: &Node, indent: usize, text: &mut String) {
    match &value.value {
        Value::Map(entries) if !entries.is_empty() => {
            text.push('\n');
            block(value, indent + 2, text);
        }
        Value::List(items) if !items.is_empty() => {
            text.push('\n');
            block(value, indent + 2, text);
        }
        _ => {
            text.push(' ');
            inline(value, indent + 2, text);
            text.push('\n');
        }
    }
}

/// A value that needs no lines of its own, or a block scalar whose lines stand at `indent`.
fn inline(node: &Node, indent: usize, text: &mut String) {
    match &node.value {
        Value::Null => text.push('~'),
        Value::Map(_) => text.push_str("{}"),
        Value::List(_) => text.push_str("[]"),
        Value::Scalar { text: plain, plain: true } => text.push_str(plain),
        Value::Scalar { text: content, .. } if fits_block(content) => {
            let body = content.strip_suffix('\n');
            text.push_str(if body.is_some() { "|" } else { "|-" });
            for line in body.unwrap_or(content).split('\n') {
                text.push('\n');
                if !line.is_empty() {
                    text.push_str(&" ".repeat(indent));
                    text.push_str(line);
                }
            }
        }
        Value::Scalar { text: content, .. } => quoted(content, text),
    }
}

/// Whether a text of several lines may be written as a block without indentation indicator.
fn fits_block(content: &str) -> bool {
    let body = content.strip_suffix('\n').unwrap_or(content);
    let odd = |c: char| {
        c != '\n'
            && (c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}'))
    };
    body.contains('\n')
        && !body.starts_with([' ', '\n', '\t'])
        && !body.ends_with('\n')
        && !body.contains(odd)
}

fn scalar_key(name: &str, text: &mut String) {
    let simple = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let words = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let is_simple = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(simple)
        && !words.contains(&name.to_ascii_lowercase().as_str());
    if is_simple { text.push_str(name) } else { quoted(name, text) }
}

/// A double-quoted scalar.
pub(crate) fn quoted(content: &str, text: &mut String) {
    text.push('"');
    for c in content.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            // What YAML calls not printable, and what it would take for a line end.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                // Writing to a string cannot fail.
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree without places, to compare by.
    fn shape(node: &Node) -> String {
        match &node.value {
            Value::Null => "~".into(),
            Value::Scalar { text, plain } => format!("{text:?}/{plain}"),
            Value::List(items) => format!("{:?}", items.iter().map(shape).collect::<Vec<_>>()),
            Value::Map(entries) => {
                let parts = entries.iter().map(|(key, node)| (key.name.clone(), shape(node)));
                format!("{:?}", parts.collect::<Vec<_>>())
            }
        }
    }

    fn round(text: &str) -> String {
        let node = Node::parse("p.yml", text).unwrap();
        let emitted = emit(&node);
        let again = Node::parse("q.yml", &emitted).unwrap();
        // Quoted stays quoted and plain stays plain.
        assert_eq!(shape(&again), shape(&node), "{emitted}");
        emitted
    }

    #[test]
    fn what_is_emitted_reads_the_same() {
        round(
            "a: 0600\nb: '0600'\nc: yes\nd: \"yes\"\ne: ~\nf: []\ng: {}\nh: [[1, [2]], {a: {b: []}}]\n",
        );
        round(
            "key: |\n  -----BEGIN X-----\n  abc\n\n  def\n  -----END X-----\nnext: |-\n  a\n  b\n",
        );
        round(
            "odd: \"\\u0001\\x7f\\u2028 # : 'q' \\\\ \\\"\"\n\"a: b\": 1\n\"yes\": 2\n\"1\": 3\n",
        );
        round("lead: \" x\\n  y\"\ntail: \"a\\n\\n\"\ntabs: \"a\\tb\\nc\"\numlaut: Österreich\n");
        round("- a\n- - b\n  - c: d\n    e: f\n- {}\n");
        round("multi: word\n  folded\nurl: http://x/y#z\n");
        assert_eq!(round("[]\n"), "[]\n");
        assert_eq!(
            round("users: [default, {name: x, groups: [a]}]\n"),
            "users:\n  - default\n  - name: x\n    groups:\n      - a\n"
        );
    }
}
