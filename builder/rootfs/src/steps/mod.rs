//! What a profile wants, turned into edits.
//!
//! Each step reads the tree as the steps before it left it and gives a list of edits; it
//! changes nothing itself. The order is the pipeline's business.

pub mod agent;
pub mod cmdline;
pub mod generalise;
pub mod overlay;
mod passwd;
pub mod units;
pub mod users;

use crate::tree::Tree;
use crate::{Error, Result};

/// Reads a text file of the image; empty if it is not there.
fn read_text(tree: &mut Tree, path: &str) -> Result<String> {
    let bytes = tree.read(path.as_bytes())?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Names in a directory of the image that are text.
fn names(tree: &mut Tree, dir: &str) -> Result<Vec<String>> {
    let names = tree.list(dir.as_bytes())?;
    Ok(names.into_iter().filter_map(|name| String::from_utf8(name).ok()).collect())
}

fn refuse<T>(path: &str, problem: impl Into<String>) -> Result<T> {
    Err(Error::Edit { path: path.to_owned(), problem: problem.into() })
}
