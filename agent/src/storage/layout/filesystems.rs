//! Sections `format`, `mount` and `swap`.

use bootwright_seed::yaml::tree::Node;

use super::{Layout, State, is_word};
use crate::storage::fstab::{self, Line};
use crate::storage::{is_mounted, probe};
use crate::tasks::env;
use crate::tasks::machine::TaskError;
use crate::tasks::program::Call;

/// Making a file system on a large disk takes its time.
const SECONDS: u64 = 1800;

/// Plans the section `format`.
pub fn format(layout: &mut Layout<'_>, tree: &Node) -> Result<(), TaskError> {
    for (device, node) in env::entries(tree, "format")? {
        env::only(node, layout.key, &["fstype", "options", "wipe"])?;
        let fstype = fstype(layout, node)?;
        let wipe = env::flag(node, "wipe", false)?;
        if layout.claim(node, device, &[fstype], wipe)? == State::Done {
            continue;
        }
        let program = if fstype == "swap" { "mkswap".into() } else { format!("mkfs.{fstype}") };
        let mut words = Vec::new();
        for option in env::texts(node, "options")? {
            // `-L label` may stand in one item.
            words.extend(option.split_whitespace().map(str::to_owned));
        }
        words.push(device.to_owned());
        layout.plan.run(Call::new(&program, words).limit(SECONDS));
        layout.formatted.insert(device.to_owned(), fstype.to_owned());
    }
    Ok(())
}

fn fstype<'a>(layout: &Layout<'_>, node: &'a Node) -> Result<&'a str, TaskError> {
    let fstype = env::text(node, "fstype")?.filter(|fstype| is_word(fstype));
    fstype.ok_or_else(|| layout.refuse(node, "`fstype` is missing".into()))
}

/// Plans the sections `mount` and `swap`, which share /etc/fstab.
pub fn mount(layout: &mut Layout<'_>, tree: &Node) -> Result<(), TaskError> {
    let mut lines = Vec::new();
    let mut calls = Vec::new();
    for (target, node) in env::entries(tree, "mount")? {
        env::only(node, layout.key, &["device", "fstype", "mkmnt", "options"])?;
        let fstype = fstype(layout, node)?;
        let device = env::text(node, "device")?.unwrap_or_default();
        if !target.starts_with('/') || target.contains("..") {
            return Err(layout.refuse(node, "a mount point has to be an absolute path".into()));
        }
        let options = env::text(node, "options")?.unwrap_or("defaults,nofail");
        let call = Call::new("mount", ["-t", fstype, "-o", options, device, target]);
        let (device, target) = (device.to_owned(), target.to_owned());
        if !is_mounted(layout.machine, &target)? {
            holds(layout, node, &device, fstype)?;
            if env::flag(node, "mkmnt", true)? {
                let machine = layout.machine;
                layout.plan.folder(machine, &target, None, None)?;
            }
            calls.push(call);
        }
        let (fstype, options) = (fstype.to_owned(), options.to_owned());
        lines.push(Line { device, target, fstype, options });
    }
    for item in env::list(tree, "swap")? {
        let device = item.text().ok_or_else(|| layout.refuse(item, "expected a device".into()))?;
        if !is_swapping(layout, device)? {
            holds(layout, item, device, "swap")?;
            calls.push(Call::new("swapon", [device]));
        }
        let text = str::to_owned;
        lines.push(Line {
            device: text(device),
            target: text("none"),
            fstype: text("swap"),
            options: text("sw,nofail"),
        });
    }
    let machine = layout.machine;
    fstab::plan(machine, &mut layout.plan, "storage_plan", &lines)?;
    calls.into_iter().for_each(|call| layout.plan.run(call));
    Ok(())
}

/// Refuses a device that does not hold, and will not hold, what is to be mounted.
fn holds(layout: &Layout<'_>, node: &Node, device: &str, fstype: &str) -> Result<(), TaskError> {
    layout.need(node, device)?;
    let found = match layout.formatted.get(device) {
        Some(made) => Some(made.clone()),
        // What a container holds shows when it is open.
        None if layout.opened.contains(device) || layout.made.contains(device) => return Ok(()),
        None => probe::probe(layout.machine, device)?.fstype,
    };
    if found.as_deref() == Some(fstype) {
        return Ok(());
    }
    let found = found.unwrap_or_else(|| "nothing".into());
    Err(layout.refuse(node, format!("{device} holds {found}, not {fstype}")))
}

/// Whether a device is in use as swap; /proc/swaps has the names that links lead to.
fn is_swapping(layout: &Layout<'_>, device: &str) -> Result<bool, TaskError> {
    let swaps = layout.machine.read("/proc/swaps")?.unwrap_or_default();
    let real = layout.machine.root.at(device).canonicalize().ok();
    let real = real.and_then(|path| Some(format!("/{}", path.file_name()?.to_string_lossy())));
    Ok(swaps.lines().skip(1).any(|line| {
        let name = line.split_whitespace().next().unwrap_or_default();
        name == device || real.as_ref().is_some_and(|real| name.ends_with(real.as_str()))
    }))
}
