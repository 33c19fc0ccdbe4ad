//! `bootwright seed create`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bootwright_seed::create::{Network, PublicKey, Seed, StaticAddress, addition, presets};
use bootwright_seed::medium::{Kind, write};

use super::{medium, read_text, recipients};
use crate::cli::{Content, Format, Medium, SeedCreate};
use crate::exit::{Unreadable, Usage};
use crate::report;

/// Makes the medium, or with `--all-vagrant` the four of them.
///
/// # Errors
/// Inputs that cannot be used, and what the system says.
pub fn create(arguments: &SeedCreate) -> Result<()> {
    let content = &arguments.content;
    if !content.all_vagrant {
        let env = arguments.env.as_deref().or(content.custom.as_deref());
        let source = Source::of(env, content)?;
        return one(arguments, &source, content.grow_root, &arguments.out);
    }
    std::fs::create_dir_all(&arguments.out)
        .with_context(|| format!("making the folder {}", arguments.out.display()))?;
    for (name, with_password) in [("publickey", false), ("password", true)] {
        for (suffix, grow_root) in [("", false), ("-growroot", true)] {
            let ending = match arguments.medium.format {
                None | Some(Format::Raw) => "iso",
                Some(Format::Qcow2) => "qcow2",
                Some(Format::Vmdk) => "vmdk",
                Some(Format::Vhdx) => "vhdx",
            };
            let out = arguments.out.join(format!("vagrant-{name}{suffix}.{ending}"));
            one(arguments, &Source::Vagrant { with_password }, grow_root, &out)?;
        }
    }
    Ok(())
}

/// Where the user-data comes from.
enum Source {
    Env(PathBuf),
    Access(Vec<PublicKey>),
    Vagrant { with_password: bool },
}

impl Source {
    fn of(env: Option<&Path>, content: &Content) -> Result<Self> {
        match env {
            Some(path) => Ok(Self::Env(path.to_owned())),
            None if content.vagrant || content.vagrant_password => {
                Ok(Self::Vagrant { with_password: content.vagrant_password })
            }
            None if !content.keys.is_empty() => Ok(Self::Access(public_keys(&content.keys)?)),
            None => {
                let what = "give an ENV, or --key or --vagrant to do without; the last argument is the medium to write";
                Err(Usage(what.to_owned()).into())
            }
        }
    }
}

/// Makes one medium.
fn one(arguments: &SeedCreate, source: &Source, grow_root: bool, out: &Path) -> Result<()> {
    let content = &arguments.content;
    let mut additions = Vec::new();
    let mut salt = vec![u8::from(grow_root)];
    for path in &content.add_user_data {
        let (name, text) = read_text("user-data to add", path)?;
        salt.extend(text.as_bytes());
        additions.push(addition(&name, &text)?);
    }
    if grow_root {
        additions.push(presets::grow_root());
    }
    let seed = match source {
        Source::Env(path) => {
            let env = Unreadable::read("env", path)?;
            Seed::merged(&path.display().to_string(), &env, additions)?
                .with_public_keys(public_keys(&content.keys)?)
        }
        Source::Access(keys) => Seed::merged("--key", presets::access(keys).as_bytes(), additions)?,
        Source::Vagrant { with_password } => {
            report::message(
                "warning: everybody can log in to a machine with this seed; for tests only",
            );
            for text in content.hostname.iter().chain(&content.instance_id) {
                salt.extend(text.as_bytes());
            }
            let text = presets::vagrant(*with_password, &salt)?;
            Seed::merged("--vagrant", text.as_bytes(), additions)?
        }
    };
    let seed = options(seed, content, arguments.medium.kind.into())?;
    finish(&seed, &arguments.medium, arguments.force, out)
}

/// Everything but the user-data.
pub fn options(mut seed: Seed, content: &Content, kind: Kind) -> Result<Seed> {
    for path in &content.add_meta_data {
        let (name, text) = read_text("meta-data to add", path)?;
        seed = seed.with_meta_data(&name, &text)?;
    }
    if let Some(name) = &content.hostname {
        seed = seed.with_hostname(name)?;
    }
    if let Some(id) = &content.instance_id {
        seed = seed.with_instance_id(id)?;
    }
    if let Some(path) = &content.network_config {
        let (name, text) = read_text("network configuration", path)?;
        seed = seed.with_network(&Network::parse(&name, &text)?, kind)?;
    }
    if !content.addresses.is_empty() {
        let parsed: Result<Vec<_>, _> =
            content.addresses.iter().map(|text| StaticAddress::parse(text)).collect();
        seed = seed.with_network(&Network::of_static(&parsed?)?, kind)?;
    }
    if let Some(path) = &content.vendor_data {
        let bytes = Unreadable::read("vendor-data", path)?;
        seed = seed.with_vendor_data(&path.display().to_string(), bytes)?;
    }
    match content.encrypt_to.is_empty() {
        true => Ok(seed),
        false => Ok(seed.sealed_to(&recipients(&content.encrypt_to)?)?),
    }
}

/// Writes the medium and says what it is.
fn finish(seed: &Seed, what: &Medium, force: bool, out: &Path) -> Result<()> {
    let files = seed.files(what.kind.into());
    let image = write::medium(&files, what.container.into(), medium::time()?)
        .context("making the medium")?;
    let format = what.format.unwrap_or_else(|| medium::format_of(out));
    medium::write(out, image, format, force)?;
    report::message(format_args!("instance-id: {}", seed.instance_id()));
    report::data(out.display());
    Ok(())
}

fn public_keys(files: &[impl AsRef<Path>]) -> Result<Vec<PublicKey>> {
    let mut keys = Vec::new();
    for file in files {
        let (name, text) = read_text("public key", file.as_ref())?;
        keys.extend(PublicKey::parse_file(&name, &text)?);
    }
    Ok(keys)
}
