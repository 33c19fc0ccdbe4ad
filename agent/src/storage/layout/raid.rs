//! Section `mdadm`: RAID arrays.

use bootwright_seed::yaml::tree::Node;

use super::{Layout, State, is_word};
use crate::tasks::env;
use crate::tasks::machine::TaskError;

/// Keys that are our own; others become options of mdadm.
const OWN: [&str; 3] = ["level", "devices", "wipe"];

/// Plans all arrays of the section.
pub fn plan(layout: &mut Layout<'_>, tree: &Node) -> Result<(), TaskError> {
    for (name, node) in env::entries(tree, "mdadm")? {
        one(layout, name, node)?;
    }
    Ok(())
}

fn one(layout: &mut Layout<'_>, name: &str, node: &Node) -> Result<(), TaskError> {
    let array = if name.starts_with('/') { name.to_owned() } else { format!("/dev/{name}") };
    if layout.machine.exists(&array) {
        return Ok(());
    }
    let level = env::text(node, "level")?.filter(|level| is_word(level));
    let level = level.ok_or_else(|| layout.refuse(node, "`level` is missing".into()))?;
    let devices = layout.devices(node, "devices")?;
    let wipe = env::flag(node, "wipe", false)?;
    let mut members = 0;
    for device in &devices {
        if layout.claim(node, device, &["linux_raid_member"], wipe)? == State::Done {
            members += 1;
        }
    }
    if devices.is_empty() {
        return Err(layout.refuse(node, "`devices` is missing".into()));
    }
    if members == devices.len() {
        // It was made before and is not running.
        let mut words = vec!["--assemble".to_owned(), array];
        words.extend(devices);
        layout.run("mdadm", words);
        return Ok(());
    }
    if members > 0 {
        let problem = format!(
            "some devices of {array} belong to an array already; add the others to it with mdadm \
             --add, or wipe all of them"
        );
        return Err(layout.refuse(node, problem));
    }
    let mut words = vec!["--create".to_owned(), array.clone(), "--run".into()];
    // The array keeps its name on whatever machine the disks are.
    words.extend(["--homehost=any".to_owned(), format!("--level={level}")]);
    words.push(format!("--raid-devices={}", devices.len()));
    for (key, value) in env::mapping(node, layout.key)? {
        if OWN.contains(&key) {
            continue;
        }
        let value = value.text().filter(|value| is_word(value) && is_word(key));
        let value = value.ok_or_else(|| layout.refuse(node, format!("`{key}` is no option")))?;
        words.push(format!("--{key}={value}"));
    }
    words.extend(devices);
    layout.run("mdadm", words);
    layout.made.insert(array);
    Ok(())
}
