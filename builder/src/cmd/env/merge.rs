//! `bootwright env merge`.

use anyhow::Result;
use bootwright_seed::env::layers::merge;
use bootwright_seed::env::{self, Env};
use bootwright_seed::userdata::HEADER;
use bootwright_seed::yaml::emit;

use super::{common, layers};
use crate::cli::EnvMerge;
use crate::exit::{Unusable, Usage};
use crate::report;

/// Puts an env together from its layers and writes it.
///
/// # Errors
/// Layers that are not there or no YAML, and a result that is not usable.
pub fn run(arguments: &EnvMerge) -> Result<()> {
    let files = common::files(&arguments.schema)?;
    let schema = common::schema(&arguments.schema, &files)?;
    let vault = common::keyring(&arguments.vault)?;
    if arguments.decrypt && vault.is_empty() {
        return Err(Usage("--decrypt needs --vault-password-file or --vault-id".into()).into());
    }
    let (layers, how) = layers::find(&arguments.layers, &files)?;
    let mut tree = merge(&layers, how).ok_or_else(|| Unusable("no layers".into()))?;
    if arguments.decrypt {
        vault.open_all(&mut tree)?;
    }
    let names: Vec<&str> = layers.iter().map(|layer| layer.name.as_str()).collect();
    let head = format!("{HEADER}\n# merged from: {}\n", names.join(", "));
    let text = head + &emit::document(&tree);
    let out = arguments.out.display().to_string();
    // Findings name the layers' files and lines, where they have to be corrected.
    let mut env = Env::parse(&out, text.as_bytes())?;
    env.tree = tree;
    common::refuse_errors(&out, &env::check(&env, schema.as_ref()))?;
    common::write(&arguments.out, &text, arguments.force)?;
    report::data(out);
    Ok(())
}
