//! What the commands around envs share: schemas, vault passwords, reading and writing.

use std::path::Path;

use anyhow::{Context, Result};
use bootwright_export::sink::{SinkOptions, write_file};
use bootwright_seed::env::vault::{Keyring, Password};
use bootwright_seed::env::{Env, Finding, Level, Schema};

use crate::cli::{SchemaArgs, VaultArgs};
use crate::exit::{Unreadable, Unusable, Usage};
use crate::profile::{self, EnvFiles};
use crate::report;

/// The profile's files, if a profile is given.
pub fn files(arguments: &SchemaArgs) -> Result<EnvFiles> {
    match &arguments.profile {
        Some(path) => profile::env_files(path),
        None => Ok(EnvFiles::default()),
    }
}

/// The schema: the one given, or the profile's.
pub fn schema(arguments: &SchemaArgs, files: &EnvFiles) -> Result<Option<Schema>> {
    let Some(path) = arguments.schema.as_deref().or(files.schema.as_deref()) else {
        return Ok(None);
    };
    let bytes = Unreadable::read("schema", path)?;
    Ok(Some(Schema::parse(&path.display().to_string(), &bytes)?))
}

/// The passwords that the command line names.
pub fn keyring(arguments: &VaultArgs) -> Result<Keyring> {
    let read = |id: Option<&str>, path: &Path| -> Result<Password> {
        let bytes = Unreadable::read("vault password", path)?;
        let password = Password::of_file(id.map(str::to_owned), &bytes);
        if password.secret.is_empty() {
            return Err(
                Unusable(format!("the vault password file {} is empty", path.display())).into()
            );
        }
        Ok(password)
    };
    let mut passwords = Vec::new();
    for text in &arguments.ids {
        let (id, file) = text.split_once('@').unwrap_or(("", text));
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if !id.chars().all(known) || file.is_empty() || file == "prompt" {
            let problem = format!(
                "--vault-id {text}: expected ID@FILE, an id of letters, digits, `_`, `-` and `.`"
            );
            return Err(Usage(problem).into());
        }
        passwords.push(read(Some(id).filter(|id| !id.is_empty()), Path::new(file))?);
    }
    for path in &arguments.password_files {
        passwords.push(read(None, path)?);
    }
    Ok(Keyring::new(passwords))
}

/// Reads an env.
pub fn read(path: &Path) -> Result<Env> {
    let bytes = Unreadable::read("env", path)?;
    Ok(Env::parse(&path.display().to_string(), &bytes)?)
}

/// Writes an env: complete, readable by its owner only.
pub fn write(path: &Path, text: &str, replace: bool) -> Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        create_folder(folder).with_context(|| format!("making the folder {}", folder.display()))?;
    }
    let options = SinkOptions { mode: 0o600, replace, patched: false };
    write_file(path, text.as_bytes(), options)?;
    Ok(())
}

/// Makes a folder that only its owner may enter, unless it is there.
fn create_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path)
}

/// Shows findings on stderr; an error among them ends the command.
pub fn refuse_errors(what: &str, findings: &[Finding]) -> Result<()> {
    findings.iter().for_each(report::message);
    let errors = findings.iter().filter(|finding| finding.level == Level::Error).count();
    match errors {
        0 => Ok(()),
        _ => Err(Unusable(format!(
            "{what}: {} to correct; nothing was written",
            counted(errors, "finding")
        ))
        .into()),
    }
}

/// `1 finding`, `2 findings`.
pub fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
