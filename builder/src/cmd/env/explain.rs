//! `bootwright env explain`.

use anyhow::Result;
use bootwright_seed::env::layers::{Origin, explain};
use bootwright_seed::env::secret::{MASK, is_secret};
use bootwright_seed::env::{KeyPath, Schema};
use bootwright_seed::yaml::emit;
use bootwright_seed::yaml::tree::{Node, Value};
use serde::Serialize;

use super::{common, layers};
use crate::cli::EnvExplain;
use crate::exit::Unusable;
use crate::report;

/// A layer's word on a key, as it is printed.
#[derive(Serialize)]
struct Said {
    layer: String,
    file: String,
    line: u64,
    column: u64,
    value: String,
    counts: bool,
}

/// Prints what every layer says of a key.
///
/// # Errors
/// Layers that are not there, and a key that is in none of them.
pub fn run(arguments: &EnvExplain) -> Result<()> {
    let files = common::files(&arguments.schema)?;
    let schema = common::schema(&arguments.schema, &files)?;
    let path: KeyPath = arguments.key.parse()?;
    let (layers, how) = layers::find(&arguments.layers, &files)?;
    let origins = explain(&layers, how, &path).map_err(Unusable)?;
    let said: Vec<Said> =
        origins.iter().map(|origin| say(&path, origin, schema.as_ref())).collect();
    if arguments.json {
        return report::json(&said);
    }
    for Said { layer, file, line, column, value, counts } in said {
        let mark = if counts { '*' } else { ' ' };
        report::data(format_args!("{mark} {layer}: {value} ({file}:{line}:{column})"));
    }
    Ok(())
}

fn say(path: &KeyPath, origin: &Origin<'_>, schema: Option<&Schema>) -> Said {
    let at = &origin.node.at;
    Said {
        layer: origin.layer.to_owned(),
        file: at.file.to_string(),
        line: at.line,
        column: at.column,
        value: emit::flow(&masked(path, origin.node, schema)),
        counts: origin.counts,
    }
}

/// A value with every secret in it masked.
fn masked(path: &KeyPath, node: &Node, schema: Option<&Schema>) -> Node {
    let value = match &node.value {
        Value::Null => Value::Null,
        Value::Scalar { text, .. } if is_secret(path, text, schema) => {
            Value::Scalar { text: MASK.to_owned(), plain: true }
        }
        Value::Scalar { .. } => node.value.clone(),
        Value::List(items) => {
            let items = items.iter().enumerate();
            Value::List(items.map(|(i, item)| masked(&path.index(i), item, schema)).collect())
        }
        Value::Map(entries) => {
            let entries = entries.iter();
            let mask = |(key, node): &(bootwright_seed::yaml::tree::Key, Node)| {
                (key.clone(), masked(&path.key(&key.name), node, schema))
            };
            Value::Map(entries.map(mask).collect())
        }
    };
    Node { value, at: node.at.clone() }
}
