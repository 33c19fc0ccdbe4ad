//! systemd units: enabled, disabled and masked by symlinks, as `systemctl --root` would.

use std::collections::BTreeSet;

use super::{names, read_text, refuse};
use crate::Result;
use crate::edit::Edit;
use crate::tree::Tree;

/// Where the administrator's units and all links are.
const ETC: &str = "/etc/systemd/system";
/// Where units are looked for, first match first (systemd.unit(5)).
const UNIT_DIRS: [&str; 4] =
    [ETC, "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
/// Where presets are, first match first (systemd.preset(5)).
const PRESET_DIRS: [&str; 4] = [
    "/etc/systemd/system-preset",
    "/usr/local/lib/systemd/system-preset",
    "/usr/lib/systemd/system-preset",
    "/lib/systemd/system-preset",
];

/// What a profile wants of units.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Units {
    /// To be started as their [Install] section says.
    pub enable: Vec<String>,
    /// Not to be started by themselves.
    pub disable: Vec<String>,
    /// Not to be started at all.
    pub mask: Vec<String>,
}

/// The [Install] section.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Install {
    wanted_by: Vec<String>,
    required_by: Vec<String>,
    upheld_by: Vec<String>,
    alias: Vec<String>,
    also: Vec<String>,
    default_instance: Option<String>,
}

impl Install {
    fn parse(text: &str) -> Self {
        let mut install = Self::default();
        let mut inside = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with('[') {
                inside = line == "[Install]";
            }
            let Some((key, value)) = line.split_once('=').filter(|_| inside) else {
                continue;
            };
            let list = match key.trim() {
                "WantedBy" => &mut install.wanted_by,
                "RequiredBy" => &mut install.required_by,
                "UpheldBy" => &mut install.upheld_by,
                "Alias" => &mut install.alias,
                "Also" => &mut install.also,
                "DefaultInstance" => {
                    install.default_instance = Some(value.trim().to_owned());
                    continue;
                }
                _ => continue,
            };
            // An empty assignment resets the list.
            match value.trim() {
                "" => list.clear(),
                value => list.extend(value.split_whitespace().map(str::to_owned)),
            }
        }
        install
    }

    /// Folders of links and the units whose folders they are.
    fn links(&self) -> impl Iterator<Item = (&str, &String)> {
        let wants = self.wanted_by.iter().map(|unit| ("wants", unit));
        let requires = self.required_by.iter().map(|unit| ("requires", unit));
        wants.chain(requires).chain(self.upheld_by.iter().map(|unit| ("upholds", unit)))
    }
}

/// The template of an instance: `getty@.service` of `getty@tty1.service`.
fn template_of(unit: &str) -> Option<String> {
    let (name, rest) = unit.split_once('@')?;
    let (_, kind) = rest.rsplit_once('.')?;
    Some(format!("{name}@.{kind}"))
}

/// Path of a unit's file.
fn find(tree: &mut Tree, unit: &str) -> Result<Option<String>> {
    for name in [Some(unit.to_owned()), template_of(unit)].into_iter().flatten() {
        for dir in UNIT_DIRS {
            let path = format!("{dir}/{name}");
            let is_mask = tree.readlink(path.as_bytes())?.is_some_and(|to| to == b"/dev/null");
            if !is_mask && tree.exists(path.as_bytes())? {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

/// The edits that bring units into the wanted state. Units of `new` (those an overlay
/// brought) that are not named otherwise follow the image's presets, where one names them.
///
/// # Errors
/// A unit that is not in the image or cannot be enabled, and what reading the image says.
pub fn edits(tree: &mut Tree, wanted: &Units, new: &[String]) -> Result<Vec<Edit>> {
    let mut edits = Vec::new();
    let named = [&wanted.enable, &wanted.disable, &wanted.mask];
    let presets = if new.is_empty() { Vec::new() } else { presets(tree)? };
    for unit in new.iter().filter(|unit| !named.iter().any(|list| list.contains(unit))) {
        match presets.iter().find(|(_, pattern)| matches(pattern, unit)) {
            Some((true, _)) => enable(tree, unit, &mut BTreeSet::new(), &mut edits)?,
            Some((false, _)) => disable(tree, unit, &mut edits)?,
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
        enable(tree, unit, &mut BTreeSet::new(), &mut edits)?;
    }
    Ok(edits)
}

fn enable(
    tree: &mut Tree,
    unit: &str,
    seen: &mut BTreeSet<String>,
    edits: &mut Vec<Edit>,
) -> Result<()> {
    if !seen.insert(unit.to_owned()) {
        return Ok(());
    }
    let Some(path) = find(tree, unit)? else {
        return refuse(unit, "the image has no such unit to enable");
    };
    let install = Install::parse(&read_text(tree, &path)?);
    if install.links().next().is_none() && install.alias.is_empty() && install.also.is_empty() {
        return refuse(
            unit,
            format!(
                "{path} has no [Install] section, so it cannot be enabled; another unit pulls it in"
            ),
        );
    }
    let instance = match (unit.split_once("@."), &install.default_instance) {
        (Some((name, kind)), Some(instance)) => format!("{name}@{instance}.{kind}"),
        (Some(_), None) => {
            return refuse(
                unit,
                "this is a template; name an instance, such as getty@tty1.service",
            );
        }
        (None, _) => unit.to_owned(),
    };
    let own_mask = format!("{ETC}/{instance}");
    if tree.readlink(own_mask.as_bytes())?.is_some_and(|to| to == b"/dev/null") {
        edits.push(Edit::remove(&own_mask));
    }
    for (kind, target) in install.links() {
        edits.push(Edit::symlink(&format!("{ETC}/{target}.{kind}/{instance}"), &path));
    }
    for alias in &install.alias {
        edits.push(Edit::symlink(&format!("{ETC}/{alias}"), &path));
    }
    install.also.iter().try_for_each(|also| enable(tree, also, seen, edits))
}

/// Removes the links to a unit in all folders of links, and its aliases.
fn disable(tree: &mut Tree, unit: &str, edits: &mut Vec<Edit>) -> Result<()> {
    let Some(path) = find(tree, unit)? else {
        return refuse(unit, "the image has no such unit to disable");
    };
    let install = Install::parse(&read_text(tree, &path)?);
    for name in names(tree, ETC)? {
        let is_folder = [".wants", ".requires", ".upholds"].iter().any(|kind| name.ends_with(kind));
        let link = format!("{ETC}/{name}/{unit}");
        if is_folder && tree.readlink(link.as_bytes())?.is_some() {
            edits.push(Edit::remove(&link));
        }
        let is_alias = install.alias.contains(&name);
        if is_alias && tree.readlink(format!("{ETC}/{name}").as_bytes())?.is_some() {
            edits.push(Edit::remove(&format!("{ETC}/{name}")));
        }
    }
    Ok(())
}

fn mask(tree: &mut Tree, unit: &str, edits: &mut Vec<Edit>) -> Result<()> {
    let path = format!("{ETC}/{unit}");
    if tree.attr(path.as_bytes())?.is_some() && tree.readlink(path.as_bytes())?.is_none() {
        return refuse(&path, "the unit's own file is here; remove it instead of masking it");
    }
    edits.push(Edit::symlink(&path, "/dev/null"));
    Ok(())
}

/// All preset rules in force: whether to enable, and a pattern of names.
fn presets(tree: &mut Tree) -> Result<Vec<(bool, String)>> {
    // A file of an earlier folder hides one of the same name in a later folder.
    let mut files: Vec<(String, String)> = Vec::new();
    for dir in PRESET_DIRS {
        for name in names(tree, dir)? {
            if name.ends_with(".preset") && !files.iter().any(|(seen, _)| *seen == name) {
                files.push((name.clone(), format!("{dir}/{name}")));
            }
        }
    }
    files.sort();
    let mut rules = Vec::new();
    for (_, path) in files {
        for line in read_text(tree, &path)?.lines() {
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("enable"), Some(pattern)) => rules.push((true, pattern.to_owned())),
                (Some("disable"), Some(pattern)) => rules.push((false, pattern.to_owned())),
                _ => {}
            }
        }
    }
    Ok(rules)
}

/// Whether a name fits a pattern with `*` and `?` (fnmatch(3), as far as presets use it).
fn matches(pattern: &str, name: &str) -> bool {
    match (pattern.chars().next(), name.chars().next()) {
        (None, None) => true,
        (Some('*'), _) => {
            matches(&pattern[1..], name)
                || name.chars().next().is_some_and(|c| matches(pattern, &name[c.len_utf8()..]))
        }
        (Some(p), Some(c)) if p == '?' || p == c => {
            matches(&pattern[p.len_utf8()..], &name[c.len_utf8()..])
        }
        _ => false,
    }
}

/// Names of the units among the files an overlay brings.
#[must_use]
pub fn brought<'a>(paths: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let kinds = [".service", ".socket", ".timer", ".path", ".target", ".mount"];
    let units = paths.filter_map(|path| std::str::from_utf8(path).ok()).filter_map(|path| {
        let (dir, name) = path.rsplit_once('/')?;
        let is_unit = UNIT_DIRS.contains(&dir) && kinds.iter().any(|kind| name.ends_with(kind));
        is_unit.then(|| name.to_owned())
    });
    units.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn install_sections_are_read_as_systemd_does() {
        let text = "[Unit]\nWantedBy=no.target\n[Install]\nWantedBy=a.target b.target\n\
                    RequiredBy=c.target\nRequiredBy=\n# Alias=x\nAlias=d.service\nDefaultInstance=tty1\n";
        let install = Install::parse(text);
        assert_eq!(install.wanted_by, ["a.target", "b.target"]);
        assert!(install.required_by.is_empty());
        assert_eq!(
            (install.alias, install.default_instance),
            (vec!["d.service".into()], Some("tty1".into()))
        );
    }

    #[test]
    fn patterns_match_whole_names() {
        assert!(matches("*", "x.service"));
        assert!(matches("ssh*.service", "ssh.service"));
        assert!(matches("getty@tty?.service", "getty@tty1.service"));
        assert!(!matches("ssh", "ssh.service"));
        assert!(!matches("a*b", "acd"));
    }

    #[test]
    fn templates_and_overlay_units_are_told_apart() {
        assert_eq!(template_of("getty@tty1.service").as_deref(), Some("getty@.service"));
        assert_eq!(template_of("ssh.service"), None);
        let paths: [&[u8]; 4] = [
            b"/etc/systemd/system/app.service",
            b"/etc/systemd/system/app.service.d/x.conf",
            b"/usr/lib/systemd/system/app.timer",
            b"/etc/app.service",
        ];
        assert_eq!(brought(paths.into_iter()), ["app.service", "app.timer"]);
    }
}
