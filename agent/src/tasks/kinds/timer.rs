//! `timer`: a systemd timer that the env sets or switches off, such as that of updates.

use serde::Deserialize;

use crate::tasks::env;
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::{File, Plan};
use crate::tasks::program::Call;

/// What agent.yml may say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The timer, in the image.
    unit: String,
    /// Key of the env that switches it.
    enabled_key: String,
    /// Key of the env with the time.
    oncalendar_key: String,
    /// The time if the env says none.
    oncalendar: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            unit: "appliance-update.timer".into(),
            enabled_key: "appliance.update.automatic".into(),
            oncalendar_key: "appliance.update.oncalendar".into(),
            oncalendar: "*-*-* 06:30:00".into(),
        }
    }
}

/// A condition that is never met: the timer stays off without being masked, so that its unit
/// file may lie anywhere.
const OFF: &str =
    "# The env switches this timer off.\n[Unit]\nConditionPathExists=/run/bootwright/never\n";

/// The changes.
pub fn plan(options: &Options, machine: &Machine<'_>) -> Result<Plan, TaskError> {
    let mut plan = Plan::default();
    let is_unit = |c: char| c.is_ascii_alphanumeric() || "-_.@:".contains(c);
    if !options.unit.ends_with(".timer") || !options.unit.chars().all(is_unit) {
        return Err(TaskError::Refused(format!("timer: `{}` is no timer", options.unit)));
    }
    let on = env::flag(machine.env, &options.enabled_key, true)?;
    let content = if on {
        let time = env::text(machine.env, &options.oncalendar_key)?;
        let time = time.unwrap_or(&options.oncalendar);
        let fits = |c: char| c.is_ascii_alphanumeric() || " *-,.:/~_+".contains(c);
        if !time.chars().all(fits) {
            return Err(bad(options, machine, "expected a time as in systemd.time(7)"));
        }
        // An empty assignment drops the times of the unit itself.
        let content = format!("[Timer]\nOnCalendar=\nOnCalendar={time}\n");
        if machine.read(&path(options))?.as_deref() != Some(&content) {
            check(options, machine, time)?;
        }
        content
    } else {
        OFF.to_owned()
    };
    plan.file(machine, File::new(path(options), content))?;
    if machine.has_systemd() {
        let verb = if on { "restart" } else { "stop" };
        plan.after(machine.reload_units());
        plan.after([Call::new("systemctl", ["--no-block", verb, &options.unit])]);
    }
    Ok(plan)
}

fn path(options: &Options) -> String {
    format!("/etc/systemd/system/{}.d/50-bootwright.conf", options.unit)
}

fn bad(options: &Options, machine: &Machine<'_>, problem: &str) -> TaskError {
    match env::find(machine.env, &options.oncalendar_key) {
        Some(node) => env::refuse(node, &options.oncalendar_key, problem).into(),
        None => TaskError::Refused(format!("timer.oncalendar: {problem}")),
    }
}

/// Asks the image's own systemd about a time; one that predates the question (Ubuntu 16.04,
/// 18.04 know `calendar`, others may not have the program) is not asked.
fn check(options: &Options, machine: &Machine<'_>, time: &str) -> Result<(), TaskError> {
    if !machine.programs.has("systemd-analyze") {
        return Ok(());
    }
    let call = Call::new("systemd-analyze", ["calendar", time]);
    match machine.programs.ask(&call)? {
        ended if ended.code == Some(0) || ended.err.contains("Unknown operation") => Ok(()),
        _ => Err(bad(options, machine, "systemd knows no such time; see systemd.time(7)")),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use crate::tasks::bench::Bench;

    const DROP_IN: &str = "/etc/systemd/system/appliance-update.timer.d/50-bootwright.conf";

    #[test]
    fn the_time_of_the_env_judged_by_systemd() {
        let bench = Bench::new();
        bench.tasks("- timer\n");
        bench.systemd();
        bench.real("systemd-analyze");
        bench.env("appliance: {update: {oncalendar: 'Sun *-*-* 05:00:00'}}\n");
        bench.settle();
        let restart = "systemctl --no-block restart appliance-update.timer";
        assert_eq!(bench.calls(), ["systemctl daemon-reload", restart]);
        let unit = bench.path("/etc/systemd/system/appliance-update.timer");
        bench.file(
            "/etc/systemd/system/appliance-update.timer",
            "[Timer]\nOnCalendar=daily\nUnit=x.service\n",
        );
        bench.file("/etc/systemd/system/x.service", "[Service]\nExecStart=/bin/true\n");
        for text in [bench.text(DROP_IN), super::OFF.to_owned()] {
            bench.file(DROP_IN, &text);
            let mut judge = Command::new("systemd-analyze");
            let judge = judge.arg("verify").arg("--man=no").arg(&unit).output().unwrap();
            let said = String::from_utf8_lossy(&judge.stderr).into_owned();
            assert!(judge.status.success() && !said.contains("appliance-update"), "{said}");
        }
        for bad in ["'whenever'", "'25:00'", "\"daily\\nX=1\""] {
            bench.env(&format!("appliance: {{update: {{oncalendar: {bad}}}}}\n"));
            assert!(bench.refused().contains("systemd.time(7)"), "{bad}");
        }
    }

    #[test]
    fn default_and_off() {
        let bench = Bench::new();
        bench.tasks("- timer\n");
        bench.settle();
        assert_eq!(bench.text(DROP_IN), "[Timer]\nOnCalendar=\nOnCalendar=*-*-* 06:30:00\n");
        bench.systemd();
        bench.env("appliance: {update: {automatic: False}}\n");
        bench.settle();
        assert!(bench.text(DROP_IN).contains("ConditionPathExists="));
        assert_eq!(bench.calls()[1], "systemctl --no-block stop appliance-update.timer");
    }
}
