//! Writes YAML that readers of 1.1 and 1.2 agree on: what could be taken for a number, a
//! truth or a date is quoted unless it was written plain.

use std::fmt::Write;

use super::tree::{Key, Node, Value};
use crate::env::trap;

/// First bytes of a text that is encrypted by ansible-vault; its tag is written with it.
const VAULT: &str = "$ANSIBLE_VAULT;";

/// The document of a tree, without a header.
#[must_use]
pub fn document(node: &Node) -> String {
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => mapping(entries, 0),
        Value::List(items) if !items.is_empty() => list(items, 0),
        _ => format!("{}\n", flow(node)),
    }
}

/// What follows `key:` in a block mapping whose keys are indented by `indent`, with the
/// blank or line break before it and a line break at its end.
#[must_use]
pub fn value(node: &Node, indent: usize) -> String {
    let inner = indent + 2;
    match &node.value {
        Value::Null => "\n".to_owned(),
        Value::Map(entries) if !entries.is_empty() => format!("\n{}", mapping(entries, inner)),
        Value::List(items) if !items.is_empty() => format!("\n{}", list(items, inner)),
        Value::Scalar { text, plain: false } if is_block(text) => literal(text, inner),
        _ => format!(" {}\n", flow(node)),
    }
}

/// A value on one line, as it may stand in a flow mapping. JSON, but for plain scalars.
#[must_use]
pub fn flow(node: &Node) -> String {
    match &node.value {
        Value::Null => "~".to_owned(),
        Value::Scalar { text, plain: true } => text.clone(),
        Value::Scalar { text, .. } if text.starts_with(VAULT) => format!("!vault {}", quoted(text)),
        Value::Scalar { text, .. } => scalar(text),
        Value::List(items) => {
            format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Value::Map(entries) => {
            let entry =
                |(key, node): &(Key, Node)| format!("{}: {}", scalar(&key.name), flow(node));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}

/// A text on one line, quoted where that is needed.
#[must_use]
pub fn scalar(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "_/.@%+=:-".contains(c);
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/');
    let typed = trap::of_plain(text).is_some()
        || trap::typed(text).is_some()
        || text.eq_ignore_ascii_case("null")
        || matches!(text, "y" | "Y" | "n" | "N");
    let plain = starts && text.chars().all(safe) && !text.ends_with(':') && !typed;
    if plain { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out += "\\\"",
            '\\' => out += "\\\\",
            '\n' => out += "\\n",
            '\t' => out += "\\t",
            c if needs_escape(c) => {
                let _ = match c as u32 {
                    code @ 0..=0xffff => write!(out, "\\u{code:04x}"),
                    code => write!(out, "\\U{code:08x}"),
                };
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Characters that YAML does not take as they are, or takes for line breaks.
fn needs_escape(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Whether a text can and should be a literal block.
fn is_block(text: &str) -> bool {
    let lines = text.contains('\n') && !text.starts_with(['\n', ' ']) && !text.ends_with(' ');
    lines && !text.chars().any(|c| c != '\n' && needs_escape(c) || c == '\t')
}

fn literal(text: &str, indent: usize) -> String {
    let body = text.trim_end_matches('\n');
    let chomp = match text.len() - body.len() {
        0 => "-",
        1 => "",
        _ => "+",
    };
    let tag = if text.starts_with(VAULT) { "!vault " } else { "" };
    let mut out = format!(" {tag}|{chomp}\n");
    let keep = if chomp == "+" { text.strip_suffix('\n').unwrap_or(text) } else { body };
    for line in keep.split('\n') {
        if !line.is_empty() {
            let _ = write!(out, "{:indent$}{line}", "");
        }
        out.push('\n');
    }
    out
}

fn mapping(entries: &[(Key, Node)], indent: usize) -> String {
    let entry = |(key, node): &(Key, Node)| {
        format!("{:indent$}{}:{}", "", scalar(&key.name), value(node, indent))
    };
    entries.iter().map(entry).collect()
}

fn list(items: &[Node], indent: usize) -> String {
    let item = |item: &Node| match &item.value {
        Value::Map(entries) if !entries.is_empty() => {
            // The first key goes onto the line of the dash.
            let text = mapping(entries, indent + 2);
            let rest = text.get(indent + 2..).unwrap_or_default();
            format!("{:indent$}- {rest}", "")
        }
        Value::List(items) if !items.is_empty() => format!("{:indent$}- {}\n", "", flow(item)),
        Value::Null => format!("{:indent$}- ~\n", ""),
        _ => format!("{:indent$}-{}", "", value(item, indent)),
    };
    items.iter().map(item).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Texts and shapes, without places.
    fn bare(node: &Node) -> String {
        match &node.value {
            Value::Null => "~".to_owned(),
            Value::Scalar { text, .. } => format!("{text:?}"),
            Value::List(items) => format!("{:?}", items.iter().map(bare).collect::<Vec<_>>()),
            Value::Map(entries) => {
                let entries = entries.iter().map(|(key, node)| (key.name.clone(), bare(node)));
                format!("{:?}", entries.collect::<Vec<_>>())
            }
        }
    }

    fn same_again(text: &str) {
        let node = Node::parse("t", text).unwrap();
        let out = document(&node);
        let again = Node::parse("t", &out).unwrap_or_else(|error| panic!("{error:?}: {out}"));
        assert_eq!(bare(&again), bare(&node), "{out}");
        assert_eq!(document(&again), out);
    }

    #[test]
    fn trees_come_back() {
        for text in [
            "a: 1\nb: {c: [1, '0600', [x, {y: z}], []], d: {}, e: , f: ''}\n",
            "a: |\n  x\n\n   y\nb: |-\n  x\n  y\nc: |+\n  x\n\n\nd: \"\\n x\"\n",
            "- a\n- b: c\n  d: |\n    e\n    f\n-\n- [1]\n",
            "k: \"a\\tb\\u0007\\u2028\"\n'0600': x\nyes no: 'yes'\nn: 'null'\n",
            "v: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\nl:\n  - |\n    a\n    b\n",
            "x\n",
            "[]\n",
        ] {
            same_again(text);
        }
        let node = Node::parse("t", "v: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n").unwrap();
        assert_eq!(document(&node), "v: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n");
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "\\PC*|[ -~\n\t]*|[0-9:._e+-]{1,6}") {
            let at = Node::parse("t", "x").unwrap().at;
            let node = Node { value: Value::Scalar { text: text.clone(), plain: false }, at: at.clone() };
            let map = Value::Map(vec![(Key { name: "k".into(), at: at.clone() }, node)]);
            let out = document(&Node { value: map, at });
            let again = Node::parse("t", &out).unwrap();
            let found = again.get("k").and_then(Node::text);
            prop_assert_eq!(found, Some(text.as_str()), "{}", out);
            let plain = matches!(&again.get("k").unwrap().value, Value::Scalar { plain: true, .. });
            prop_assert!(!plain || trap::of_plain(&text).is_none() && trap::typed(&text).is_none());
        }
    }
}
