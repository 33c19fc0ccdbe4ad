//! Section `lvm`: physical volumes, volume groups and logical volumes.

use bootwright_seed::yaml::tree::{Node, Value};

use super::{Layout, State, is_word, size};
use crate::tasks::env;
use crate::tasks::machine::TaskError;
use crate::tasks::program::Call;

/// Plans the section.
pub fn plan(layout: &mut Layout<'_>, tree: &Node) -> Result<(), TaskError> {
    let Some(node) = env::find(tree, "lvm") else {
        return Ok(());
    };
    env::only(node, layout.key, &["pv", "vg", "lv"])?;
    for item in env::list(node, "pv")? {
        physical(layout, item)?;
    }
    for (name, entry) in env::entries(node, "vg")? {
        group(layout, name, entry)?;
    }
    for (name, entry) in env::entries(node, "lv")? {
        logical(layout, name, entry)?;
    }
    Ok(())
}

/// A device, or `{device: …, wipe: true}`.
fn physical(layout: &mut Layout<'_>, item: &Node) -> Result<(), TaskError> {
    let (device, wipe) = match &item.value {
        Value::Map(_) => {
            env::only(item, layout.key, &["device", "wipe"])?;
            (env::text(item, "device")?, env::flag(item, "wipe", false)?)
        }
        _ => (item.text(), false),
    };
    let device = device.ok_or_else(|| layout.refuse(item, "expected a device".into()))?;
    if layout.claim(item, device, &["LVM2_member"], wipe)? == State::Empty {
        layout.run("pvcreate", ["--yes", device]);
    }
    Ok(())
}

fn group(layout: &mut Layout<'_>, name: &str, entry: &Node) -> Result<(), TaskError> {
    if !is_word(name) {
        return Err(layout.refuse(entry, "a volume group needs one word as its name".into()));
    }
    let ask = Call::new("vgs", ["--noheadings", "-o", "vg_name", name]);
    if layout.machine.programs.ask(&ask)?.code == Some(0) {
        return Ok(());
    }
    let hidden = env::texts(entry, "devices")?.iter().any(|d| layout.opened.contains(*d));
    if hidden {
        layout
            .plan
            .note(format!("the volume group {name} is looked for when its devices are open"));
        layout.groups.insert(name.to_owned());
        return Ok(());
    }
    let devices = layout.devices(entry, "devices")?;
    if devices.is_empty() {
        return Err(layout.refuse(entry, "`devices` is missing".into()));
    }
    let mut words = vec!["--yes".to_owned()];
    options(layout, entry, &["devices"], &mut words)?;
    words.push(name.to_owned());
    words.extend(devices);
    layout.run("vgcreate", words);
    layout.groups.insert(name.to_owned());
    Ok(())
}

/// Keys that are not ours become options of the tool.
fn options(
    layout: &Layout<'_>,
    entry: &Node,
    own: &[&str],
    words: &mut Vec<String>,
) -> Result<(), TaskError> {
    for (key, value) in env::mapping(entry, layout.key)? {
        if own.contains(&key) {
            continue;
        }
        let value = value.text().filter(|value| is_word(value) && is_word(key));
        let value = value.ok_or_else(|| layout.refuse(entry, format!("`{key}` is no option")))?;
        words.extend([format!("--{key}"), value.to_owned()]);
    }
    Ok(())
}

fn logical(layout: &mut Layout<'_>, name: &str, entry: &Node) -> Result<(), TaskError> {
    let group = env::text(entry, "vgname")?.filter(|group| is_word(group) && is_word(name));
    let Some(group) = group else {
        return Err(layout.refuse(entry, "a logical volume needs a name and `vgname`".into()));
    };
    let text = env::text(entry, "size")?;
    let share = text.filter(|text| {
        let number = text.split_once('%').map(|(number, _)| number);
        let of = ["%FREE", "%VG"].iter().any(|of| text.ends_with(of));
        of && number.is_some_and(|number| number.parse::<u8>().is_ok_and(|n| n <= 100))
    });
    let bytes = text.and_then(size::bytes);
    if share.is_none() && bytes.is_none() {
        let problem = "`size` has to be like 2g (GiB), 2G (10^9) or 100%FREE".to_owned();
        return Err(layout.refuse(entry, problem));
    }
    let device = format!("/dev/{group}/{name}");
    let full = format!("{group}/{name}");
    let old = if layout.groups.contains(group) { None } else { size_of(layout, &full)? };
    let expand = env::flag(entry, "expand", false)?;
    match (old, bytes) {
        (Some(old), Some(bytes)) if expand && bytes > old => {
            layout.run("lvextend", ["-L".to_owned(), format!("{bytes}b"), full]);
            return grow(layout, &device);
        }
        (Some(_), _) => {
            if !layout.machine.exists(&device) {
                layout.run("lvchange", ["--activate", "y", &full]);
                layout.opened.insert(device);
            }
            return Ok(());
        }
        (None, _) => {}
    }
    let mut words = vec!["--yes".to_owned(), "--name".into(), name.to_owned()];
    match (share, bytes) {
        (Some(share), _) => words.extend(["-l".to_owned(), share.to_owned()]),
        (None, Some(bytes)) => words.extend(["-L".to_owned(), format!("{bytes}b")]),
        (None, None) => {}
    }
    options(layout, entry, &["vgname", "size", "expand"], &mut words)?;
    words.push(group.to_owned());
    layout.run("lvcreate", words);
    layout.made.insert(device);
    Ok(())
}

/// The size of a logical volume that is there.
fn size_of(layout: &Layout<'_>, full: &str) -> Result<Option<u64>, TaskError> {
    let words = ["--noheadings", "--nosuffix", "--units", "b", "-o", "lv_size", full];
    let ended = layout.machine.programs.ask(&Call::new("lvs", words))?;
    Ok(ended.out.trim().parse().ok().filter(|_| ended.code == Some(0)))
}

/// Has the file system take the room.
fn grow(layout: &mut Layout<'_>, device: &str) -> Result<(), TaskError> {
    let found = crate::storage::probe::probe(layout.machine, device)?;
    match found.fstype.as_deref() {
        Some("ext2" | "ext3" | "ext4") => layout.run("resize2fs", [device]),
        Some(other) => layout.plan.note(format!("{device} grew; its {other} is not grown")),
        None => {}
    }
    Ok(())
}
