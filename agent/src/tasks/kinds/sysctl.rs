//! `sysctl`: settings of the kernel.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::tasks::env;
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::{File, Plan};
use crate::tasks::program::Call;

const FILE: &str = "/etc/sysctl.d/60-bootwright.conf";

/// What agent.yml may say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Settings of the appliance.
    settings: BTreeMap<String, String>,
    /// Key of the env with a mapping that goes over them.
    key: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { settings: BTreeMap::new(), key: "appliance.sysctl".into() }
    }
}

/// The changes.
pub fn plan(options: &Options, machine: &Machine<'_>) -> Result<Plan, TaskError> {
    let mut plan = Plan::default();
    let mut settings: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, value) in &options.settings {
        if !is_setting(name, value) {
            return Err(TaskError::Refused(format!("sysctl.settings: `{name}` is no setting")));
        }
        settings.insert(name, value.trim());
    }
    for (name, node) in env::entries(machine.env, &options.key)? {
        match node.text().filter(|value| is_setting(name, value)) {
            Some(value) => settings.insert(name, value.trim()),
            None => {
                let problem = "expected names of settings with single values";
                return Err(env::refuse(node, &options.key, problem).into());
            }
        };
    }
    if settings.is_empty() {
        return Ok(plan);
    }
    let lines = settings.iter().map(|(name, value)| format!("{name} = {value}\n"));
    plan.file(machine, File::new(FILE, lines.collect::<String>()))?;
    plan.after(machine.programs.has("sysctl").then(|| Call::new("sysctl", ["-q", "-p", FILE])));
    Ok(plan)
}

fn is_setting(name: &str, value: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-/*:@".contains(c);
    let first = name.starts_with(|c: char| c.is_ascii_alphabetic());
    first && name.chars().all(fits) && !value.trim().is_empty() && !value.contains('\n')
}

#[cfg(test)]
mod tests {
    use crate::tasks::bench::Bench;

    #[test]
    fn the_env_goes_over_the_image() {
        let bench = Bench::new();
        bench.tasks("- sysctl: {settings: {vm.swappiness: '10', net.ipv4.ip_forward: '1'}}\n");
        bench.tool("sysctl", "");
        bench.env("appliance: {sysctl: {vm.swappiness: 60, kernel.printk: 3 4 1 3}}\n");
        bench.settle();
        assert_eq!(
            bench.text(super::FILE),
            "kernel.printk = 3 4 1 3\nnet.ipv4.ip_forward = 1\nvm.swappiness = 60\n"
        );
        assert_eq!(bench.calls(), ["sysctl -q -p /etc/sysctl.d/60-bootwright.conf"]);
        // A setting that could not be made is tried again.
        bench.tool("sysctl", "echo 'cannot stat /proc/sys/x' >&2; exit 1");
        bench.env("appliance: {sysctl: {x.y: 1}}\n");
        assert!(bench.refused().contains("cannot stat /proc/sys/x"));
        assert!(bench.refused().contains("cannot stat /proc/sys/x"));
        bench.tool("sysctl", "");
        bench.settle();
        bench.env("appliance: {sysctl: {\"a = 1\\nb\": 1}}\n");
        assert!(bench.refused().contains("expected names of settings"));
    }
}
