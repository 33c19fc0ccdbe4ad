//! How a profile is merged over the one it extends: mappings merge deeply, lists and single
//! values replace, nothing (`~`) deletes, and `+key` adds to the end of the list `key`.

use bootwright_seed::yaml::decode::DecodeError;
use bootwright_seed::yaml::tree::{Key, Node, Value};

/// Merges `over` over `base`.
///
/// # Errors
/// A `+key` that is no list, or whose counterpart is none.
pub fn merge(base: Node, over: Node) -> Result<Node, DecodeError> {
    let at = over.at;
    let value = match (base.value, over.value) {
        (Value::Map(base), Value::Map(over)) => Value::Map(merge_maps(base, over)?),
        (_, value) => settle_value(value)?,
    };
    Ok(Node { value, at })
}

/// A tree that is merged over nothing: `+key` becomes `key`, and `~` goes.
///
/// # Errors
/// As [`merge`].
pub fn settle(node: Node) -> Result<Node, DecodeError> {
    Ok(Node { value: settle_value(node.value)?, at: node.at })
}

fn settle_value(value: Value) -> Result<Value, DecodeError> {
    match value {
        Value::Map(entries) => merge_maps(Vec::new(), entries).map(Value::Map),
        other => Ok(other),
    }
}

fn merge_maps(
    base: Vec<(Key, Node)>,
    over: Vec<(Key, Node)>,
) -> Result<Vec<(Key, Node)>, DecodeError> {
    let mut merged = base;
    for (key, node) in over {
        let (name, appends) = match key.name.strip_prefix('+') {
            Some(name) => (name.to_owned(), true),
            None => (key.name.clone(), false),
        };
        let index = merged.iter().position(|(known, _)| known.name == name);
        let old = index.map(|index| merged[index].1.clone());
        let new = match (appends, old) {
            (true, old) => Some(append(old, node, &name)?),
            // `outputs: {qcow2: }` asks for an output with nothing said of it: only over
            // something does nothing delete.
            (false, Some(_)) if node.value == Value::Null => None,
            (false, Some(old)) => Some(merge(old, node)?),
            (false, None) => Some(settle(node)?),
        };
        match (index, new) {
            (Some(index), Some(new)) => merged[index].1 = new,
            (Some(index), None) => drop(merged.remove(index)),
            (None, Some(new)) => merged.push((Key { name, at: key.at }, new)),
            (None, None) => {}
        }
    }
    Ok(merged)
}

fn append(old: Option<Node>, more: Node, name: &str) -> Result<Node, DecodeError> {
    let no_list = |node: &Node| {
        let found = node.value.describe();
        DecodeError::new(&node.at, format!("{found}, expected a list: `+{name}` adds to one"))
    };
    let Value::List(added) = &more.value else {
        return Err(no_list(&more));
    };
    match old {
        None => Ok(more),
        Some(mut old) => match &mut old.value {
            Value::List(items) => {
                items.extend(added.iter().cloned());
                Ok(old)
            }
            _ => Err(no_list(&old)),
        },
    }
}
