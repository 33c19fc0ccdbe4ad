//! From a profile to its plan: opens what the profile names and decides what it leaves open.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use bootwright_disk::view::{Cow, CowOptions, Grown, View, WriteView};
use bootwright_disk::{Format, Sha256};
use bootwright_rootfs::steps::agent::Arch;
use bootwright_rootfs::{Contents, Tree};
use bootwright_seed::env::Schema;
use bootwright_seed::yaml::decode::{DecodeError, Located};
use bootwright_source::{Base, Details, Location};
use uuid::Uuid;

use super::{AgentPart, BasePart, DiskPart, Inputs, Plan, SCHEMA, outputs, overlay};
use crate::agent;
use crate::bases::Bases;
use crate::exit::{Unreadable, Usage};
use crate::profile::{self, AgentSpec, BaseFormat, BaseSpec, Loaded, Profile, RootRoom, Size};
use crate::scratch;

/// The disk of a build: the base, grown, under the layer for edits.
pub type Disk = Arc<Cow<Grown<Arc<dyn View>>>>;

/// What the command line says about a plan.
#[derive(Debug, Default)]
pub struct Options<'a> {
    /// Formats to write; all of the profile's if empty.
    pub only: &'a [String],
    /// Agent to install instead of the one inside the tool.
    pub agent: Option<&'a Path>,
}

/// Resolves a profile.
///
/// # Errors
/// A base that is not there, not the right one or not readable, and anything else that the
/// profile names and this machine or the base cannot give.
pub fn resolve(loaded: Loaded, options: &Options<'_>, bases: &mut Bases) -> Result<(Plan, Inputs)> {
    let Loaded { profile, vars } = loaded;
    let (fetched, base, view) = open_base(&profile.base, bases)?;
    let size = disk_size(&profile, view.size())?;
    let disk: Disk = Arc::new(Cow::new(Grown::new(view, size.0), layer_options()));
    let (root, written, arch) = look(&disk).context("looking into the base image")?;
    let opened = profile.overlay.iter().map(overlay::open).collect::<Result<Vec<_>>>()?;
    let (overlays, overlay) = opened.into_iter().unzip();
    let agent = agent_of(&profile, options.agent)?;
    let env_schema = env_schema(&profile)?.filter(|_| agent.is_some());
    let name = &profile.name.value;
    let version = &profile.version.value;
    let mut plan = Plan {
        schema: SCHEMA,
        tool: format!("bootwright {}", env!("CARGO_PKG_VERSION")),
        name: name.clone(),
        version: version.clone(),
        description: profile.description,
        id: Uuid::nil(),
        timestamp: timestamp(profile.timestamp, written)?,
        arch: arch.name(),
        base,
        disk: DiskPart { size, root, grow: profile.disk.root == RootRoom::Grow },
        generalise: profile.generalise.0.iter().map(|part| part.name()).collect(),
        users: profile.users,
        overlay,
        agent: agent.as_ref().map(|(binary, config)| AgentPart {
            size: binary.len(),
            sha256: Sha256::of(binary).to_string(),
            config_sha256: Sha256::of(config.as_bytes()).to_string(),
            env_schema_sha256: env_schema
                .as_ref()
                .map(|text| Sha256::of(text.as_bytes()).to_string()),
        }),
        units: profile.units,
        kernel_cmdline: profile.kernel_cmdline,
        machine: profile.machine,
        drivers: profile.drivers,
        outputs: Vec::new(),
        descriptors: Vec::new(),
    };
    plan.id = identity(&plan)?;
    (plan.outputs, plan.descriptors) =
        outputs::resolve(&profile.outputs, &plan.stem(), options.only)?;
    let vars = vars.with(&[("name", &plan.name), ("version", &plan.version)]);
    Ok((plan, Inputs { _base: fetched, disk, overlays, agent, env_schema, vars }))
}

/// The identity of what a plan makes (UUIDv5, RFC 9562), of a plan without outputs.
fn identity(plan: &Plan) -> Result<Uuid> {
    /// Makes the ids of this tool differ from all others that derive from the same bytes.
    const NAMESPACE: Uuid = Uuid::from_u128(0x6a5f_0c1e_2b1d_5f6c_9d43_b007_0001_0001);
    Ok(Uuid::new_v5(&NAMESPACE, &serde_json::to_vec(plan)?))
}

/// Where a base comes from.
///
/// # Errors
/// What is no place a base can come from, with its place in the profile.
pub fn location(spec: &Located<BaseSpec>) -> Result<Location> {
    let BaseSpec { location, sha256, arch, variant, .. } = &spec.value;
    let expected = sha256.as_ref().map(|text| {
        Sha256::parse(&text.value).ok_or_else(|| {
            DecodeError::new(
                &text.at,
                format!("`{}` is no sha256: 64 hexadecimal digits", text.value),
            )
        })
    });
    let folder = Path::new(&*spec.at.file).parent().unwrap_or(Path::new(""));
    let details = Details {
        sha256: expected.transpose()?,
        arch: arch.as_deref(),
        variant: variant.as_deref(),
    };
    Ok(Location::parse(location, &details, folder)
        .map_err(|error| DecodeError::new(&spec.at, error.to_string()))?)
}

/// Proves and opens the base.
fn open_base(
    spec: &Located<BaseSpec>,
    bases: &mut Bases,
) -> Result<(Base, BasePart, Arc<dyn View>)> {
    let base = bases.fetch(&location(spec)?)?;
    let BaseSpec { location, format, .. } = &spec.value;
    let format = format.map(|format| match format {
        BaseFormat::Raw => Format::Raw,
        BaseFormat::Qcow2 => Format::Qcow2,
    });
    let image = bootwright_disk::open(&base.path, format)
        .with_context(|| format!("opening the base image {}", base.path.display()))?;
    let part = BasePart {
        location: base.name.clone().unwrap_or_else(|| location.clone()),
        format: image.format.name(),
        size: base.size,
        sha256: base.sha256.to_string(),
    };
    Ok((base, part, image.view))
}

fn disk_size(profile: &Profile, base: u64) -> Result<Size> {
    let Some(size) = &profile.disk.size else {
        return Ok(Size(base));
    };
    if size.value.0 < base {
        let problem = format!(
            "the disk cannot be smaller than the base: {} is less than {}",
            size.value,
            Size(base)
        );
        return Err(DecodeError::new(&size.at, problem).into());
    }
    if !size.value.0.is_multiple_of(512) {
        let problem = format!("{} is not a whole number of sectors of 512 bytes", size.value);
        return Err(DecodeError::new(&size.at, problem).into());
    }
    Ok(size.value)
}

/// Edits up to the limit stay in memory.
fn layer_options() -> CowOptions {
    CowOptions { spill_dir: scratch::dir(), ..CowOptions::default() }
}

/// What the base says about itself: its root, when that was last written, the architecture.
fn look(disk: &Disk) -> Result<(String, i64, Arch)> {
    let disk: Arc<dyn WriteView> = Arc::clone(disk) as Arc<dyn WriteView>;
    let mut tree = Tree::open(&disk, 0)?;
    let arch = Arch::of_image(&mut tree)?;
    let root = tree.root_volume();
    let written = match root.contents {
        Contents::Ext4 { written, .. } => written,
        Contents::Fat { .. } | Contents::Other => 0,
    };
    Ok((root.place.clone(), written, arch))
}

/// The time of every change: the environment's, the profile's, or that of the base.
fn timestamp(profile: Option<i64>, base: i64) -> Result<i64> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text.parse().map_err(|_| {
            Usage(format!("SOURCE_DATE_EPOCH is {text:?}, expected seconds since 1970")).into()
        }),
        Err(_) => Ok(profile.unwrap_or(base)),
    }
}

/// The agent and its configuration, which names the appliance.
fn agent_of(profile: &Profile, given: Option<&Path>) -> Result<Option<(Vec<u8>, String)>> {
    let AgentSpec { install: true, config } = &profile.agent else {
        return Ok(None);
    };
    let mut text = match config {
        None => agent::CONFIG.to_owned(),
        Some(file) => {
            let path = profile::resolve(file);
            let name = path.display().to_string();
            let bytes = Unreadable::read("agent's configuration", &path)?;
            let tree = profile::parse(&name, &bytes)?;
            if let Some(node) = tree.get("profile") {
                let problem = "`profile` is filled in from the profile; leave it out";
                return Err(DecodeError::new(&node.at, problem).into());
            }
            String::from_utf8_lossy(&bytes).into_owned()
        }
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    // Name and version are checked to hold no character that means something to YAML.
    let (name, version) = (&profile.name.value, &profile.version.value);
    text += &format!("profile: {{name: \"{name}\", version: \"{version}\"}}\n");
    Ok(Some((agent::binary(given)?, text)))
}

/// The schema of the appliance's envs; one that is none stops the build here.
fn env_schema(profile: &Profile) -> Result<Option<String>> {
    let Some(file) = &profile.env.schema else {
        return Ok(None);
    };
    let path = profile::resolve(file);
    let bytes = Unreadable::read("schema", &path)?;
    Schema::parse(&path.display().to_string(), &bytes)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}
