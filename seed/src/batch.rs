//! Many sites at once: an inventory of them, and the template that their envs are made from.

pub mod inventory;
mod template;

pub use inventory::{Inventory, InventoryError, InventoryFormat, Item};
pub use template::Template;

/// The fields of a site, by name.
pub type Row = serde_json::Map<String, serde_json::Value>;

/// The field that names a site, and its folder.
pub const SITE: &str = "site";

/// Longest name of a site, in bytes: file systems allow 255, and a suffix has to fit.
const MAX_NAME: usize = 200;

/// The name of a row's site.
///
/// # Errors
/// What is wrong with it, in words.
pub fn site_of(row: &Row) -> Result<&str, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let Some(value) = row.get(SITE) else {
        return Err(format!("no field `{SITE}`, which names the site and its folder"));
    };
    match value.as_str() {
        Some(name)
            if (1..=MAX_NAME).contains(&name.len())
                && !name.starts_with(['.', '-'])
                && name.chars().all(allowed) =>
        {
            Ok(name)
        }
        _ => Err(format!(
            "{value} is no name for a site; use at most {MAX_NAME} letters, digits, `.`, `_` and `-`, a letter or digit first"
        )),
    }
}

/// A text field of a row. Empty counts as not there.
///
/// # Errors
/// A value that is no text.
pub fn text_of<'a>(row: &'a Row, name: &str) -> Result<Option<&'a str>, String> {
    match row.get(name) {
        None | Some(serde_json::Value::Null) => Ok(None),
        Some(serde_json::Value::String(text)) if text.is_empty() => Ok(None),
        Some(serde_json::Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("the field `{name}` has to be text")),
    }
}
