//! The flow of a build: edit the layer, then write every output from one pass over it.

mod appliance;

use std::path::Path;

use anyhow::{Context, Result};
use bootwright_disk::partition::{self, Kind, types};
use bootwright_disk::view::{View, Window};
use bootwright_disk::{Sha256, gpt};
use bootwright_export::manifest::{self, Artefact, Esp, Manifest};
use bootwright_export::pass::Pass;
use bootwright_rootfs::Edit;
use bootwright_rootfs::steps::{agent, cmdline, generalise, overlay, units, users};

use crate::editor::Editor;
use crate::plan::{Inputs, Plan};
use crate::profile;
use crate::progress::Progress;
use crate::{drivers, interrupt, timings};

use appliance::Appliance;

/// Where and how the outputs of a build are written.
#[derive(Debug)]
pub struct Target<'a> {
    /// The folder.
    pub folder: &'a Path,
    /// Whether files that are there are replaced.
    pub replace: bool,
    /// Threads that read and compress.
    pub jobs: usize,
    /// How progress is shown.
    pub progress: Progress,
}

/// Carries out a plan. Gives the manifest, which lies beside the outputs.
///
/// # Errors
/// Whatever stops the build. No output has its name then.
pub fn build<'a>(
    plan: &'a Plan,
    inputs: &Inputs,
    target: &Target<'_>,
) -> Result<Manifest<'a, Plan>> {
    let stage = target.progress.stage("editing the image");
    let before = esp_digest(inputs)?;
    gpt::move_backup(&inputs.disk).context("moving the partition table's backup")?;
    edit(plan, inputs, target.progress).context("editing the image")?;
    let after = esp_digest(inputs)?;
    drop(stage);
    let outputs = write(plan, inputs, target)?;
    let manifest = Manifest {
        schema: manifest::SCHEMA,
        plan,
        esp: before.zip(after).map(|(before, after)| Esp { before, after }),
        outputs,
    };
    manifest::write(target.folder, &manifest, target.replace)?;
    Ok(manifest)
}

/// Applies every step of the plan, each on what the ones before it left.
fn edit(plan: &Plan, inputs: &Inputs, progress: Progress) -> Result<()> {
    let now = plan.timestamp;
    let mut span = timings::span("  opening");
    let mut editor = Editor::open(plan, inputs, progress)?;

    span.next("  generalising");
    // First, so that what the profile itself brings stays.
    let traits = generalise::Trait::ALL.into_iter();
    let traits = traits.filter(|part| plan.generalise.contains(&part.name())).collect();
    let edits = generalise::edits(&mut editor.tree, &traits)?;
    editor.apply(edits)?;

    span.next("  users");
    let users: Vec<users::User> = plan.users.iter().cloned().map(profile::User::into).collect();
    let edits = users::edits(&mut editor.tree, &users, now)?;
    editor.apply(edits)?;

    span.next("  overlays");
    let mut brought = Vec::new();
    for overlay in &inputs.overlays {
        let render = |_: &str, text: &str| inputs.vars.render(text);
        let edits = overlay.edits(&mut editor.tree, &render as &overlay::Render<'_>)?;
        brought.extend(units::brought(edits.iter().map(Edit::path)));
        editor.apply(edits)?;
    }

    span.next("  agent");
    if let Some((binary, config)) = &inputs.agent {
        let (units, scripts) = (crate::agent::UNITS, crate::agent::SCRIPTS);
        let agent = agent::Agent { binary, units, scripts, config };
        let edits = agent::edits(&mut editor.tree, agent)?;
        editor.apply(edits)?;
        let edits = inputs.env_schema.iter().map(|text| agent::env_schema(text));
        editor.apply(edits.collect())?;
    }

    span.next("  units and kernel arguments");
    let edits = units::edits(&mut editor.tree, &plan.units.clone().into(), &brought)?;
    editor.apply(edits)?;
    let edits = cmdline::edits(&mut editor.tree, &plan.kernel_cmdline)?;
    editor.apply(edits)?;
    span.next("  checking drivers");
    drivers::check(plan, &mut editor.tree, progress)?;
    span.next("  giving free space back");
    Ok(editor.tree.finish()?)
}

/// Digest of the EFI system partition as it is now, if there is one.
fn esp_digest(inputs: &Inputs) -> Result<Option<String>> {
    let is_esp = |kind: &Kind| match kind {
        Kind::Gpt { type_guid, .. } => *type_guid == types::ESP,
        Kind::Mbr { id, .. } => *id == 0xef,
    };
    let table = partition::read(&inputs.disk).context("reading the partition table")?;
    let partitions = table.map(|table| table.partitions).unwrap_or_default();
    let Some(esp) = partitions.into_iter().find(|partition| is_esp(&partition.kind)) else {
        return Ok(None);
    };
    let window = Window::new(&*inputs.disk as &dyn View, esp.start, esp.len)?;
    let context = "reading the EFI system partition";
    Ok(Some(Sha256::of_view(&window).context(context)?.to_string()))
}

/// Writes all outputs in one pass, and the descriptors beside them.
fn write(plan: &Plan, inputs: &Inputs, target: &Target<'_>) -> Result<Vec<Artefact>> {
    let disk: &dyn View = &inputs.disk;
    let appliance = Appliance::new(plan, disk.size());
    let outputs = plan.outputs.iter().map(|part| appliance.output(part, target));
    let outputs = outputs.collect::<Result<Vec<_>>>()?;
    let descriptors = plan.descriptors.iter().map(|part| appliance.descriptor(part, target));
    let descriptors = descriptors.collect::<Result<Vec<_>>>()?;
    let bar = target.progress.bytes("writing the outputs", disk.size());
    let pass =
        Pass { disk, jobs: target.jobs, progress: &|done| bar.at(done), cancel: interrupt::flag() };
    let finished = pass.run(outputs)?;
    let named = plan.outputs.iter().map(|part| (&part.file, part.kind.name()));
    let mut artefacts: Vec<Artefact> = finished
        .iter()
        .zip(named)
        .map(|(file, (name, kind))| Artefact::new(file, name, kind))
        .collect();
    for (complete, part) in descriptors.into_iter().zip(&plan.descriptors) {
        artefacts.push(Artefact::new(&complete.publish()?, &part.file, part.kind.name()));
    }
    Ok(artefacts)
}
