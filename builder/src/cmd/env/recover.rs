//! `bootwright env recover`.

use anyhow::Result;
use bootwright_export::sink::{SinkOptions, write_file};
use bootwright_seed::env::recover::{Input, SecretKey, recover};

use crate::cli::EnvRecover;
use crate::exit::Unreadable;
use crate::report;

/// Writes the env that pages or an archive hold.
///
/// # Errors
/// Inputs that do not give an env, with what is missing.
pub fn run(arguments: &EnvRecover) -> Result<()> {
    let mut inputs = Vec::new();
    for path in &arguments.inputs {
        let bytes = Unreadable::read("page or archive", path)?;
        inputs.push(Input { file: path.display().to_string(), bytes });
    }
    let env = recover(&inputs, key(arguments)?.as_ref())?;
    let options = SinkOptions { mode: 0o600, replace: arguments.force, patched: false };
    let done = write_file(&arguments.out, &env, options)?;
    report::message(format_args!("{} bytes, SHA-256 {}", done.size, done.sha256));
    report::data(arguments.out.display());
    Ok(())
}

fn key(arguments: &EnvRecover) -> Result<Option<SecretKey>> {
    let Some(path) = &arguments.key else {
        return Ok(None);
    };
    let passphrase = match &arguments.passphrase_file {
        Some(path) => {
            let bytes = Unreadable::read("passphrase", path)?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            text.lines().next().unwrap_or_default().to_owned()
        }
        None => String::new(),
    };
    let bytes = Unreadable::read("secret key", path)?;
    Ok(Some(SecretKey { file: path.display().to_string(), bytes, passphrase }))
}
