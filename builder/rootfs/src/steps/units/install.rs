//! The [Install] section of a unit (systemd.unit(5)): read with its drop-ins, and its
//! specifiers filled in.

use super::UNIT_DIRS;
use crate::Result;
use crate::steps::{names, read_text, refuse};
use crate::tree::Tree;

/// The suffixes of units.
pub(super) const KINDS: [&str; 10] = [
    ".service",
    ".socket",
    ".timer",
    ".path",
    ".target",
    ".mount",
    ".automount",
    ".swap",
    ".slice",
    ".device",
];
/// How many other names may lead to one unit.
const MAX_ALIASES: usize = 8;

/// The [Install] section.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Install {
    wanted_by: Vec<String>,
    required_by: Vec<String>,
    upheld_by: Vec<String>,
    pub(super) alias: Vec<String>,
    pub(super) also: Vec<String>,
    pub(super) default_instance: Option<String>,
}

impl Install {
    /// Adds what a unit file or a drop-in says.
    fn read(&mut self, text: &str) {
        // A backslash at the end of a line continues it on the next one.
        let text = text.replace("\\\n", " ");
        let mut inside = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with('[') {
                inside = line == "[Install]";
            }
            let Some((key, value)) = line.split_once('=').filter(|_| inside) else {
                continue;
            };
            let list = match key.trim() {
                "WantedBy" => &mut self.wanted_by,
                "RequiredBy" => &mut self.required_by,
                "UpheldBy" => &mut self.upheld_by,
                "Alias" => &mut self.alias,
                "Also" => &mut self.also,
                "DefaultInstance" => {
                    self.default_instance = Some(value.trim().to_owned());
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
    }

    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.links().next().is_none() && self.alias.is_empty() && self.also.is_empty()
    }

    /// Folders of links and the units whose folders they are.
    pub(super) fn links(&self) -> impl Iterator<Item = (&str, &String)> {
        let wants = self.wanted_by.iter().map(|unit| ("wants", unit));
        let requires = self.required_by.iter().map(|unit| ("requires", unit));
        wants.chain(requires).chain(self.upheld_by.iter().map(|unit| ("upholds", unit)))
    }
}

/// The template of an instance: `getty@.service` of `getty@tty1.service`.
pub(super) fn template_of(unit: &str) -> Option<String> {
    let (name, rest) = unit.split_once('@')?;
    let (_, kind) = rest.rsplit_once('.')?;
    Some(format!("{name}@.{kind}"))
}

/// A unit's file.
pub(super) struct Found {
    /// The unit's own name, where another one was asked for.
    pub(super) name: String,
    pub(super) path: String,
}

/// Finds a unit's file, by the unit's own name or by another one of it.
pub(super) fn find(tree: &mut Tree, unit: &str) -> Result<Option<Found>> {
    let mut name = unit.to_owned();
    for _ in 0..MAX_ALIASES {
        let Some(path) = file_of(tree, &name)? else {
            return Ok(None);
        };
        let target = tree.readlink(path.as_bytes())?.unwrap_or_default();
        let target = String::from_utf8_lossy(&target).into_owned();
        let own = target.rsplit('/').next().unwrap_or_default();
        let is_unit = KINDS.iter().any(|kind| own.ends_with(kind));
        if !is_unit || own == name || template_of(&name).is_some_and(|template| own == template) {
            return Ok(Some(Found { name, path }));
        }
        name = with_instance(own, &name);
    }
    refuse(unit, format!("more than {MAX_ALIASES} names lead from this unit to the next"))
}

/// `template`, if it is one, with the instance of `unit`.
fn with_instance(template: &str, unit: &str) -> String {
    let instance = unit.split_once('@').and_then(|(_, rest)| rest.rsplit_once('.'));
    match (template.split_once("@."), instance) {
        (Some((name, kind)), Some((instance, _))) => format!("{name}@{instance}.{kind}"),
        _ => template.to_owned(),
    }
}

/// Path of the file of that name, or of its template's.
fn file_of(tree: &mut Tree, unit: &str) -> Result<Option<String>> {
    for name in [Some(unit.to_owned()), template_of(unit)].into_iter().flatten() {
        for dir in UNIT_DIRS {
            let path = format!("{dir}/{name}");
            if !is_mask(tree, &path)? && tree.exists(path.as_bytes())? {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

fn is_mask(tree: &mut Tree, path: &str) -> Result<bool> {
    Ok(tree.readlink(path.as_bytes())?.is_some_and(|target| target == b"/dev/null"))
}

/// The link that masks a unit, if there is one.
pub(super) fn mask_of(tree: &mut Tree, unit: &str) -> Result<Option<String>> {
    for dir in UNIT_DIRS {
        let path = format!("{dir}/{unit}");
        if is_mask(tree, &path)? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The [Install] section of a unit and of its drop-ins.
pub(super) fn install_of(tree: &mut Tree, unit: &str, path: &str) -> Result<Install> {
    let mut install = Install::default();
    install.read(&read_text(tree, path)?);
    // A file of an earlier folder hides one of the same name in a later folder.
    let mut drop_ins: Vec<(String, String)> = Vec::new();
    let owners = [template_of(unit), Some(unit.to_owned())];
    for dir in UNIT_DIRS {
        for owner in owners.iter().flatten() {
            let dir = format!("{dir}/{owner}.d");
            for name in names(tree, &dir)?.into_iter().filter(|name| name.ends_with(".conf")) {
                if !drop_ins.iter().any(|(seen, _)| *seen == name) {
                    let path = format!("{dir}/{name}");
                    drop_ins.push((name, path));
                }
            }
        }
    }
    drop_ins.sort();
    for (_, path) in drop_ins {
        install.read(&read_text(tree, &path)?);
    }
    Ok(install)
}

/// Fills in the specifiers that depend on a unit's name alone (systemd.unit(5)).
pub(super) fn expand(text: &str, unit: &str) -> Result<String> {
    let stem = unit.rsplit_once('.').map_or(unit, |(stem, _)| stem);
    let (prefix, instance) = stem.split_once('@').unwrap_or((stem, ""));
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '%' { chars.next() } else { None }) {
            ('%', Some('%')) => out.push('%'),
            ('%', Some('n')) => out.push_str(unit),
            ('%', Some('N')) => out.push_str(stem),
            ('%', Some('p')) => out.push_str(prefix),
            ('%', Some('i')) => out.push_str(instance),
            ('%', Some('j')) => out.push_str(prefix.rsplit('-').next().unwrap_or(prefix)),
            ('%', _) => {
                return refuse(
                    unit,
                    format!("{text:?} depends on the machine; enable this unit in the guest"),
                );
            }
            _ => out.push(c),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_read_as_systemd_does() {
        let text = "[Unit]\nWantedBy=no.target\n[Install]\nWantedBy=a.target \\\n b.target\n\
                    RequiredBy=c.target\nRequiredBy=\n# Alias=x\nAlias=d.service\n\
                    DefaultInstance=tty1\n";
        let mut install = Install::default();
        install.read(text);
        assert_eq!(install.wanted_by, ["a.target", "b.target"]);
        assert!(install.required_by.is_empty());
        assert_eq!(install.alias, ["d.service"]);
        assert_eq!(install.default_instance.as_deref(), Some("tty1"));
        install.read("[Install]\nWantedBy=\nUpheldBy=e.target\n");
        let links: Vec<_> = install.links().collect();
        assert_eq!(links, [("upholds", &"e.target".to_owned())]);
    }

    #[test]
    fn templates_and_instances() {
        assert_eq!(template_of("getty@tty1.service").as_deref(), Some("getty@.service"));
        assert_eq!(template_of("ssh.service"), None);
        assert_eq!(with_instance("getty@.service", "autovt@tty2.service"), "getty@tty2.service");
        assert_eq!(with_instance("ssh.service", "sshd.service"), "ssh.service");
    }

    #[test]
    fn specifiers() {
        let unit = "app-web@eu.1.service";
        let all = expand("%n %N %p %i %j %%", unit).unwrap();
        assert_eq!(all, "app-web@eu.1.service app-web@eu.1 app-web eu.1 web %");
        let machine = expand("%H.target", unit).unwrap_err().to_string();
        assert!(machine.contains("enable this unit in the guest"), "{machine}");
    }
}
