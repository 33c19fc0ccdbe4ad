//! systemd units: enabled, disabled and masked by symlinks, as `systemctl --root` would.

mod install;
mod preset;

use std::collections::BTreeSet;

use self::install::{Found, KINDS, expand, find, install_of, mask_of};
use super::{names, refuse};
use crate::Result;
use crate::edit::Edit;
use crate::tree::Tree;

/// Where the administrator's units and all links are.
const ETC: &str = "/etc/systemd/system";
/// Where units are looked for, first match first (systemd.unit(5)).
const UNIT_DIRS: [&str; 4] =
    [ETC, "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

/// What a profile wants of units. A name without a suffix is that of a service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Units {
    /// To be started as their `[Install]` section says.
    pub enable: Vec<String>,
    /// Not to be started by themselves.
    pub disable: Vec<String>,
    /// Not to be started at all.
    pub mask: Vec<String>,
}

/// The edits that bring units into the wanted state. Units of `new` (those an overlay
/// brought) that are not named otherwise follow the image's presets, where one names them.
///
/// # Errors
/// A unit that is not in the image, cannot be enabled or is wanted in two states, and what
/// reading the image says.
pub fn edits(tree: &mut Tree, wanted: &Units, new: &[String]) -> Result<Vec<Edit>> {
    let wanted = Units {
        enable: full_names(&wanted.enable),
        disable: full_names(&wanted.disable),
        mask: full_names(&wanted.mask),
    };
    let named = [&wanted.enable, &wanted.disable, &wanted.mask];
    for unit in named.into_iter().flatten() {
        if named.iter().filter(|list| list.contains(unit)).count() > 1 {
            return refuse(unit, "the profile wants this unit in two states; keep one of them");
        }
    }
    let mut edits = Vec::new();
    let presets = if new.is_empty() { Vec::new() } else { preset::rules(tree)? };
    for unit in new.iter().filter(|unit| !named.iter().any(|list| list.contains(unit))) {
        match preset::wanted(&presets, unit) {
            Some(preset::Wanted::Enabled(instances)) => {
                for unit in instances {
                    enable(tree, &unit, false, &mut BTreeSet::new(), &mut edits)?;
                }
            }
            Some(preset::Wanted::Disabled) => disable(tree, unit, &mut edits)?,
            None => {}
        }
    }
    for unit in &wanted.disable {
        disable(tree, unit, &mut edits)?;
    }
    for unit in &wanted.mask {
        mask(tree, unit, &mut edits)?;
    }
    for unit in &wanted.enable {
        enable(tree, unit, true, &mut BTreeSet::new(), &mut edits)?;
    }
    Ok(edits)
}

fn full_names(units: &[String]) -> Vec<String> {
    let has_kind = |unit: &str| KINDS.iter().any(|kind| unit.ends_with(kind));
    units
        .iter()
        .map(|unit| if has_kind(unit) { unit.clone() } else { format!("{unit}.service") })
        .collect()
}

fn link(path: &str) -> String {
    format!("{ETC}/{path}")
}

/// Adds the links that start a unit, and those of the units that go with it. One that the
/// profile `asked` for must have some, and is no longer masked.
fn enable(
    tree: &mut Tree,
    unit: &str,
    asked: bool,
    seen: &mut BTreeSet<String>,
    edits: &mut Vec<Edit>,
) -> Result<()> {
    if !seen.insert(unit.to_owned()) {
        return Ok(());
    }
    let Some(Found { name, path }) = find(tree, unit)? else {
        return match (asked, mask_of(tree, unit)?) {
            (true, Some(mask)) => refuse(unit, format!("{mask} masks this unit; remove it first")),
            (true, None) => refuse(unit, "the image has no such unit to enable"),
            (false, _) => Ok(()),
        };
    };
    let install = install_of(tree, &name, &path)?;
    if asked && install.is_empty() {
        return refuse(
            unit,
            format!(
                "{path} has no [Install] section, so it cannot be enabled; another unit pulls it in"
            ),
        );
    }
    let instance = match (name.split_once("@."), &install.default_instance) {
        (Some((name, kind)), Some(instance)) => format!("{name}@{instance}.{kind}"),
        (Some(_), None) if asked => {
            return refuse(
                unit,
                "this is a template; name an instance, such as getty@tty1.service",
            );
        }
        _ => name.clone(),
    };
    let own_mask = link(&instance);
    if asked && tree.readlink(own_mask.as_bytes())?.is_some_and(|to| to == b"/dev/null") {
        edits.push(Edit::remove(&own_mask));
    }
    for alias in &install.alias {
        let alias = expand(alias, &name)?;
        // A template's other name, asked for with an instance, gets that instance.
        let alias = match (alias.split_once("@."), name.split_once('@')) {
            (Some((front, kind)), Some((_, rest))) if !rest.starts_with('.') => {
                let instance = rest.rsplit_once('.').map_or(rest, |(instance, _)| instance);
                format!("{front}@{instance}.{kind}")
            }
            _ => alias,
        };
        check_alias(tree, &alias, &path, edits)?;
        edits.push(Edit::symlink(&link(&alias), &path));
    }
    for (kind, target) in install.links() {
        let target = expand(target, &instance)?;
        edits.push(Edit::symlink(&link(&format!("{target}.{kind}/{instance}")), &path));
    }
    for also in &install.also {
        enable(tree, &expand(also, &name)?, false, seen, edits)?;
    }
    Ok(())
}

/// Refuses another name for a unit that is one of another unit already.
fn check_alias(tree: &mut Tree, alias: &str, path: &str, edits: &[Edit]) -> Result<()> {
    let at = link(alias);
    let made = edits.iter().rev().find_map(|edit| match edit {
        Edit::Symlink { path, target, .. } if *path == at.as_bytes() => Some(target.clone()),
        _ => None,
    });
    let present = match made {
        Some(target) => Some(target),
        None => tree.readlink(at.as_bytes())?,
    };
    let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let present = present.map(|target| last(&String::from_utf8_lossy(&target)));
    match present {
        Some(other) if other != last(path) && other != "null" => {
            refuse(&at, format!("this is another name of {other} already; disable that unit first"))
        }
        _ => Ok(()),
    }
}

/// Removes all links to a unit and to the units that go with it, by whatever name.
fn disable(tree: &mut Tree, unit: &str, edits: &mut Vec<Edit>) -> Result<()> {
    if find(tree, unit)?.is_none() {
        return match mask_of(tree, unit)? {
            Some(_) => Ok(()),
            None => refuse(unit, "the image has no such unit to disable"),
        };
    }
    let mut gone = BTreeSet::new();
    let mut todo = vec![unit.to_owned()];
    while let Some(unit) = todo.pop() {
        let Some(Found { name, path }) = find(tree, &unit)? else {
            continue;
        };
        if gone.insert(name.clone()) {
            todo.extend(install_of(tree, &name, &path)?.also);
        }
    }
    let mut links = links_in(tree, ETC)?;
    for name in names(tree, ETC)? {
        if [".wants", ".requires", ".upholds"].iter().any(|kind| name.ends_with(kind)) {
            links.extend(links_in(tree, &link(&name))?);
        }
    }
    // The name of a link that goes takes the links of that name with it.
    while let Some(at) = links.iter().position(|link| link.is_one_of(&gone)) {
        let link = links.swap_remove(at);
        edits.push(Edit::remove(&link.path));
        gone.insert(link.name);
    }
    Ok(())
}

/// A symlink of the administrator's.
struct Link {
    path: String,
    name: String,
    /// Last part of what it points to.
    target: String,
}

impl Link {
    fn is_one_of(&self, units: &BTreeSet<String>) -> bool {
        units.contains(&self.name) || units.contains(&self.target)
    }
}

fn links_in(tree: &mut Tree, dir: &str) -> Result<Vec<Link>> {
    let mut links = Vec::new();
    for name in names(tree, dir)? {
        let path = format!("{dir}/{name}");
        let Some(target) = tree.readlink(path.as_bytes())? else {
            continue;
        };
        let target = String::from_utf8_lossy(&target).into_owned();
        if target != "/dev/null" {
            let target = target.rsplit('/').next().unwrap_or_default().to_owned();
            links.push(Link { path, name, target });
        }
    }
    Ok(links)
}

fn mask(tree: &mut Tree, unit: &str, edits: &mut Vec<Edit>) -> Result<()> {
    let path = link(unit);
    if tree.attr(path.as_bytes())?.is_some() && tree.readlink(path.as_bytes())?.is_none() {
        return refuse(&path, "the unit's own file is here; remove it instead of masking it");
    }
    edits.push(Edit::symlink(&path, "/dev/null"));
    Ok(())
}

/// Names of the units among the files an overlay brings.
#[must_use]
pub fn brought<'a>(paths: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let units = paths.filter_map(|path| std::str::from_utf8(path).ok()).filter_map(|path| {
        let (dir, name) = path.rsplit_once('/')?;
        let is_unit = UNIT_DIRS.contains(&dir) && KINDS.iter().any(|kind| name.ends_with(kind));
        is_unit.then(|| name.to_owned())
    });
    units.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlay_units_are_told_by_their_place() {
        let paths: [&[u8]; 5] = [
            b"/etc/systemd/system/app.service",
            b"/etc/systemd/system/app.service.d/x.conf",
            b"/etc/systemd/system/multi-user.target.wants/app.service",
            b"/usr/lib/systemd/system/app.timer",
            b"/etc/app.service",
        ];
        assert_eq!(brought(paths.into_iter()), ["app.service", "app.timer"]);
    }

    #[test]
    fn a_service_needs_no_suffix() {
        let names = ["ssh", "apt-daily.timer", "getty@tty1", "x.slice"].map(str::to_owned);
        let expected = ["ssh.service", "apt-daily.timer", "getty@tty1.service", "x.slice"];
        assert_eq!(full_names(&names), expected);
    }
}
