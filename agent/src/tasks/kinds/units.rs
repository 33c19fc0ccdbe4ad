//! `units`: services that the env switches on and off, with the flag files that go with them.

use serde::Deserialize;

use crate::tasks::env;
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::{File, Plan};
use crate::tasks::program::Call;

/// What agent.yml may say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The switches.
    switches: Vec<Switch>,
}

/// A key of the env and what depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    /// Key of the env: true or false.
    key: String,
    /// What a missing key means.
    #[serde(default)]
    default: bool,
    /// What runs while it is on.
    #[serde(default)]
    units: Vec<String>,
    /// A file that exists while it is on.
    #[serde(default)]
    flag_file: Option<String>,
}

/// The changes.
pub fn plan(options: &Options, machine: &Machine<'_>) -> Result<Plan, TaskError> {
    let mut plan = Plan::default();
    for switch in &options.switches {
        let on = env::flag(machine.env, &switch.key, switch.default)?;
        if let Some(path) = &switch.flag_file {
            if on {
                plan.file(machine, File::new(path, ""))?;
            } else {
                plan.remove(machine, path);
            }
        }
        for unit in &switch.units {
            if unit.is_empty() || unit.starts_with('-') || unit.contains(char::is_whitespace) {
                return Err(TaskError::Refused(format!("units: `{unit}` is no name of a unit")));
            }
            if machine.has_systemd() {
                systemd(machine, &mut plan, unit, on)?;
            } else if machine.has_openrc() {
                openrc(machine, &mut plan, unit, on)?;
            } else {
                plan.note(format!("{unit}: nothing manages services here"));
            }
        }
    }
    Ok(plan)
}

fn systemd(machine: &Machine<'_>, plan: &mut Plan, unit: &str, on: bool) -> Result<(), TaskError> {
    let ask = |verb: &str| machine.programs.ask(&Call::new("systemctl", [verb, unit]));
    let enabled = ask("is-enabled")?;
    let active = ask("is-active")?.code == Some(0);
    // Static and generated units run, but cannot be enabled.
    let can_be = ["enabled", "disabled"].contains(&enabled.out.trim());
    let call = |words: [&str; 3]| Call::new("systemctl", words);
    match (on, enabled.code == Some(0)) {
        (true, false) if can_be => plan.run(Call::new("systemctl", ["enable", unit])),
        (false, true) if can_be => plan.run(Call::new("systemctl", ["disable", unit])),
        _ => {}
    }
    match (on, active) {
        (true, false) => plan.run(call(["--no-block", "start", unit])),
        (false, true) => plan.run(call(["--no-block", "stop", unit])),
        _ => {}
    }
    Ok(())
}

fn openrc(machine: &Machine<'_>, plan: &mut Plan, unit: &str, on: bool) -> Result<(), TaskError> {
    let name = unit.strip_suffix(".service").unwrap_or(unit);
    let link = machine.root.at(format!("/etc/runlevels/default/{name}"));
    let enabled = link.symlink_metadata().is_ok();
    let active = machine.programs.ask(&Call::new("rc-service", [name, "status"]))?.code == Some(0);
    if on && !enabled {
        plan.run(Call::new("rc-update", ["add", name, "default"]));
    } else if !on && enabled {
        plan.run(Call::new("rc-update", ["del", name, "default"]));
    }
    if on != active {
        plan.run(Call::new("rc-service", [name, if on { "start" } else { "stop" }]));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::tasks::bench::Bench;

    const TASK: &str = "- units: {switches: [{key: appliance.metric.gui, units: [grafana.service], flag_file: /app/etc/flags/metric.gui}]}\n";

    #[test]
    fn on_and_off_with_the_flag() {
        let bench = Bench::new();
        bench.tasks(TASK);
        bench.systemd();
        bench.tool(
            "systemctl",
            "S=$R/state; touch $S\ncase \"$*\" in is-enabled*) grep -q enable $S && echo enabled || { echo disabled; exit 1; };; is-active*) grep -q start $S;; enable*) echo enable >> $S;; disable*) sed -i /enable/d $S;; *start*) echo start >> $S;; *stop*) sed -i /start/d $S;; esac",
        );
        let done = |bench: &Bench| -> Vec<String> {
            bench.calls().into_iter().filter(|call| !call.contains(" is-")).collect()
        };
        bench.env("appliance: {metric: {gui: true}}\n");
        bench.settle();
        let expected =
            ["systemctl enable grafana.service", "systemctl --no-block start grafana.service"];
        assert_eq!(done(&bench), expected);
        assert!(bench.path("/app/etc/flags/metric.gui").exists());
        bench.env("appliance: {}\n");
        bench.settle();
        let expected =
            ["systemctl disable grafana.service", "systemctl --no-block stop grafana.service"];
        assert_eq!(done(&bench), expected);
        assert!(!bench.path("/app/etc/flags/metric.gui").exists());
        bench.env("appliance: {metric: {gui: maybe}}\n");
        assert!(bench.refused().contains("appliance.metric.gui: expected true or false"));
    }

    #[test]
    fn openrc_as_well() {
        let bench = Bench::new();
        bench.tasks(TASK);
        bench.file("/run/openrc/softlevel", "default");
        bench.tool("rc-service", "[ \"$2\" = status ] && { test -e $R/on; exit; }; touch $R/on");
        bench.tool(
            "rc-update",
            "mkdir -p $R/etc/runlevels/default; touch $R/etc/runlevels/default/$2",
        );
        bench.env("appliance: {metric: {gui: true}}\n");
        bench.settle();
        assert!(bench.calls().contains(&"rc-update add grafana default".to_owned()));
    }
}
