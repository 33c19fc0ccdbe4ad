//! `timezone`: the machine's time zone.

use serde::Deserialize;

use crate::tasks::env;
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::{File, Plan};

/// What agent.yml may say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Key of the env with the zone's name.
    key: String,
    /// The zone if the env names none; without one the image's stays.
    default: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { key: "appliance.timezone".into(), default: None }
    }
}

/// The changes.
pub fn plan(options: &Options, machine: &Machine<'_>) -> Result<Plan, TaskError> {
    let mut plan = Plan::default();
    let zone = env::text(machine.env, &options.key)?;
    let Some(zone) = zone.or(options.default.as_deref()) else {
        return Ok(plan);
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+-/".contains(c);
    let target = format!("/usr/share/zoneinfo/{zone}");
    if !zone.chars().all(fits) || zone.starts_with('/') || !machine.root.at(&target).is_file() {
        let problem = "no time zone of this image; see /usr/share/zoneinfo (package tzdata)";
        return Err(match env::find(machine.env, &options.key) {
            Some(node) => env::refuse(node, &options.key, problem).into(),
            None => TaskError::Refused(format!("timezone.default: {problem}")),
        });
    }
    plan.link(machine, "/etc/localtime", &target)?;
    // Debian's second opinion; elsewhere there is none.
    if machine.exists("/etc/timezone") {
        plan.shared_file(machine, File::new("/etc/timezone", format!("{zone}\n")))?;
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use crate::tasks::bench::Bench;

    #[test]
    fn link_and_debians_file() {
        let bench = Bench::new();
        bench.tasks("- timezone: {default: Etc/UTC}\n");
        bench.file("/usr/share/zoneinfo/Europe/Vienna", "TZif");
        bench.file("/usr/share/zoneinfo/Etc/UTC", "TZif");
        bench.file("/etc/timezone", "Etc/UTC\n");
        bench.settle();
        bench.env("appliance: {timezone: Europe/Vienna}\n");
        bench.settle();
        let link = fs::read_link(bench.path("/etc/localtime")).unwrap();
        assert_eq!(link, Path::new("/usr/share/zoneinfo/Europe/Vienna"));
        assert_eq!(bench.text("/etc/timezone"), "Europe/Vienna\n");
        for bad in ["Mars/Base", "../../etc/passwd", "Europe"] {
            bench.env(&format!("appliance: {{timezone: {bad}}}\n"));
            assert!(bench.refused().contains("no time zone of this image"));
        }
    }
}
