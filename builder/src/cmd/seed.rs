//! `bootwright seed`.

mod batch;
mod create;
mod device;
mod keygen;
mod look;
mod medium;
mod reseed;

use std::path::Path;

use anyhow::Result;
use bootwright_seed::create::CreateError;
use bootwright_seed::sealed::Recipient;

use crate::cli::{Seed as SeedArgs, SeedCommand};
use crate::exit::Unreadable;
use crate::progress::Progress;

/// Runs a command around seeds.
///
/// # Errors
/// Whatever it fails with.
pub fn run(arguments: &SeedArgs, progress: Progress) -> Result<()> {
    match &arguments.command {
        SeedCommand::Create(arguments) => create::create(arguments),
        SeedCommand::Batch(arguments) => batch::batch(arguments, progress),
        SeedCommand::Inspect(arguments) => look::inspect(arguments),
        SeedCommand::Verify(arguments) => look::verdicts(arguments),
        SeedCommand::Reseed(arguments) => reseed::reseed(arguments),
        SeedCommand::Keygen(arguments) => keygen::keygen(arguments),
    }
}

/// A text file, and its name for errors.
fn read_text(what: &'static str, path: &Path) -> Result<(String, String)> {
    let name = path.display().to_string();
    match String::from_utf8(Unreadable::read(what, path)?) {
        Ok(text) => Ok((name, text)),
        Err(_) => Err(CreateError::File { file: name, what: "not UTF-8 text" }.into()),
    }
}

/// The recipients that `--encrypt-to` names, by themselves or in files.
fn recipients(given: &[String]) -> Result<Vec<Recipient>> {
    let mut all = Vec::new();
    for text in given {
        match Recipient::parse(text) {
            Some(recipient) => all.push(recipient),
            None => {
                let (name, text) = read_text("file of recipients", Path::new(text))?;
                all.extend(Recipient::parse_file(&name, &text)?);
            }
        }
    }
    Ok(all)
}
