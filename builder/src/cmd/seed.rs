//! `bootwright seed`.

use std::path::Path;

use anyhow::{Context, Result};
use bootwright_export::sink::{SinkOptions, write_file};
use bootwright_seed::create::{PublicKey, Seed};
use bootwright_seed::medium::{Kind, write};

use crate::cli::{Seed as SeedArgs, SeedCommand, SeedCreate};
use crate::exit::{Unreadable, Usage};
use crate::report;

/// Runs a command around seeds.
///
/// # Errors
/// Whatever it fails with.
pub fn run(arguments: &SeedArgs) -> Result<()> {
    match &arguments.command {
        SeedCommand::Create(arguments) => create(arguments),
    }
}

fn create(arguments: &SeedCreate) -> Result<()> {
    let env = Unreadable::read("env", &arguments.env)?;
    let mut seed = Seed::new(&arguments.env.display().to_string(), env)?
        .with_public_keys(public_keys(&arguments.keys)?);
    if let Some(name) = &arguments.hostname {
        seed = seed.with_hostname(name)?;
    }
    if let Some(id) = &arguments.instance_id {
        seed = seed.with_instance_id(id)?;
    }
    let medium = write::iso(&seed.files(Kind::Cidata), time()?).context("making the medium")?;
    let options = SinkOptions { mode: 0o600, replace: arguments.force, patched: false };
    write_file(&arguments.out, &medium, options)?;
    report::message(format_args!("instance-id: {}", seed.instance_id()));
    report::data(arguments.out.display());
    Ok(())
}

fn public_keys(files: &[impl AsRef<Path>]) -> Result<Vec<PublicKey>> {
    let mut keys = Vec::new();
    for file in files {
        let path = file.as_ref();
        let bytes = Unreadable::read("public key", path)?;
        let name = path.display().to_string();
        keys.extend(PublicKey::parse_file(&name, &String::from_utf8_lossy(&bytes))?);
    }
    Ok(keys)
}

/// The time in the medium's file system: the environment's, or none at all.
fn time() -> Result<u64> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text.parse().map_err(|_| {
            Usage(format!("SOURCE_DATE_EPOCH is {text:?}, expected seconds since 1970")).into()
        }),
        Err(_) => Ok(0),
    }
}
