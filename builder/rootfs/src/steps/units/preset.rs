//! Presets: what a distribution wants of units that nobody has said anything about
//! (systemd.preset(5)).

use super::install::template_of;
use crate::Result;
use crate::steps::{names, read_text};
use crate::tree::Tree;

/// Where presets are, first match first.
const DIRS: [&str; 4] = [
    "/etc/systemd/system-preset",
    "/usr/local/lib/systemd/system-preset",
    "/usr/lib/systemd/system-preset",
    "/lib/systemd/system-preset",
];

/// One line of a preset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    enable: bool,
    pattern: String,
    /// Instances of a template that are enabled.
    instances: Vec<String>,
}

/// What presets want of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// It, or these instances of it, enabled.
    Enabled(Vec<String>),
    /// It disabled.
    Disabled,
}

/// All rules in force.
pub(super) fn rules(tree: &mut Tree) -> Result<Vec<Rule>> {
    // A file of an earlier folder hides one of the same name in a later folder.
    let mut files: Vec<(String, String)> = Vec::new();
    for dir in DIRS {
        for name in names(tree, dir)? {
            if name.ends_with(".preset") && !files.iter().any(|(seen, _)| *seen == name) {
                files.push((name.clone(), format!("{dir}/{name}")));
            }
        }
    }
    files.sort();
    let mut rules = Vec::new();
    for (_, path) in files {
        rules.extend(read_text(tree, &path)?.lines().filter_map(rule));
    }
    Ok(rules)
}

fn rule(line: &str) -> Option<Rule> {
    let mut words = line.split_whitespace();
    let enable = match words.next()? {
        "enable" => true,
        "disable" => false,
        _ => return None,
    };
    let pattern = words.next()?.to_owned();
    Some(Rule { enable, pattern, instances: words.map(str::to_owned).collect() })
}

/// What the first rule that fits wants of a unit; nothing where none does.
pub(super) fn wanted(rules: &[Rule], unit: &str) -> Option<Wanted> {
    let template = template_of(unit);
    let fits = |rule: &&Rule| {
        matches(&rule.pattern, unit)
            || template.as_deref().is_some_and(|template| rule.pattern == template)
    };
    let rule = rules.iter().find(fits)?;
    if !rule.enable {
        return Some(Wanted::Disabled);
    }
    let instance = |instance: &String| unit.replacen("@.", &format!("@{instance}."), 1);
    Some(Wanted::Enabled(match unit.contains("@.") && !rule.instances.is_empty() {
        true => rule.instances.iter().map(instance).collect(),
        false => vec![unit.to_owned()],
    }))
}

/// Whether a name fits a pattern with `*` and `?` (fnmatch(3), as far as presets use it).
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // Where to go on after the last star, should the rest not fit.
    let mut retry = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, n));
                p += 1;
            }
            Some(&c) if c == b'?' || c == name[n] => (p, n) = (p + 1, n + 1),
            _ => match retry {
                Some((after, from)) => {
                    retry = Some((after, from + 1));
                    (p, n) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        assert!(matches("*", "x.service"));
        assert!(matches("ssh*.service", "ssh.service"));
        assert!(matches("getty@tty?.service", "getty@tty1.service"));
        assert!(matches("a*b*c", "aXbYbZc"));
        assert!(!matches("ssh", "ssh.service"));
        assert!(!matches("a*b", "acd"));
        assert!(!matches("?", ""));
        // In time, however many stars there are.
        assert!(!matches(&"*a".repeat(100), &"a".repeat(90)));
    }

    #[test]
    fn the_first_rule_decides() {
        let text = "# enable no.service\nenable app.service\nenable web@.service eu us\n\
                    disable *\nenable late.service\n";
        let rules: Vec<_> = text.lines().filter_map(rule).collect();
        let enabled = |units: &[&str]| {
            Some(Wanted::Enabled(units.iter().map(|&unit| unit.to_owned()).collect()))
        };
        assert_eq!(wanted(&rules, "app.service"), enabled(&["app.service"]));
        assert_eq!(wanted(&rules, "web@.service"), enabled(&["web@eu.service", "web@us.service"]));
        assert_eq!(wanted(&rules, "late.service"), Some(Wanted::Disabled));
        assert_eq!(wanted(&rules[..2], "other.service"), None);
    }
}
