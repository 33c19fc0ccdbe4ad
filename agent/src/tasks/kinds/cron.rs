//! `cron`: scheduled jobs.

use std::collections::BTreeMap;

use bootwright_seed::yaml::tree::Node;
use serde::Deserialize;

use crate::tasks::accounts::{self, is_name};
use crate::tasks::block;
use crate::tasks::env::{self, EnvError};
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::{File, Plan};

const SYSTEM: &str = "/etc/cron.d";
/// The name holds no dot: cron skips files with one.
const FILE: &str = "/etc/cron.d/bootwright";
/// Where BusyBox keeps one file a user.
const CRONTABS: &str = "/etc/crontabs";

/// What agent.yml may say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Key of the env with the list.
    key: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { key: "appliance.cron".into() }
    }
}

/// A job.
struct Job<'a> {
    times: String,
    user: &'a str,
    command: String,
    name: &'a str,
}

const TIMES: [&str; 5] = ["minute", "hour", "day", "month", "weekday"];

/// The changes. Commands may carry secrets and are not shown.
pub fn plan(options: &Options, machine: &Machine<'_>) -> Result<Plan, TaskError> {
    let mut plan = Plan::default();
    let entries = env::list(machine.env, &options.key)?;
    let jobs: Vec<Job<'_>> =
        entries.iter().map(|entry| job(entry, &options.key)).collect::<Result<_, _>>()?;
    let users = accounts::users(machine)?;
    for (job, entry) in jobs.iter().zip(entries) {
        if !users.iter().any(|user| user.name == job.user) {
            let problem = format!("there is no user `{}`", job.user);
            return Err(env::refuse(entry, &options.key, problem).into());
        }
    }
    if machine.exists(SYSTEM) {
        if !jobs.is_empty() {
            let lines = jobs
                .iter()
                .map(|job| format!("# {}\n{} {} {}\n", job.name, job.times, job.user, job.command));
            let file = File::new(FILE, lines.collect::<String>()).mode(0o600).hidden();
            plan.file(machine, file)?;
        }
    } else if machine.exists(CRONTABS) {
        busybox(machine, &mut plan, &jobs)?;
    } else if !jobs.is_empty() {
        return Err(TaskError::Refused(format!(
            "the image has no cron: neither {SYSTEM} nor {CRONTABS} is there"
        )));
    }
    Ok(plan)
}

fn busybox(machine: &Machine<'_>, plan: &mut Plan, jobs: &[Job<'_>]) -> Result<(), TaskError> {
    let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // Users that have no job any more lose their block.
    for user in accounts::users(machine)? {
        if machine.exists(&format!("{CRONTABS}/{}", user.name)) {
            lines.insert(user.name, Vec::new());
        }
    }
    for job in jobs {
        let all = lines.entry(job.user.to_owned()).or_default();
        all.push(format!("# {}", job.name));
        all.push(format!("{} {}", job.times, job.command));
    }
    for (user, lines) in lines {
        let path = format!("{CRONTABS}/{user}");
        let old = machine.read(&path)?.unwrap_or_default();
        let new = block::set(&old, "cron", &lines);
        if new != old {
            plan.shared_file(machine, File::like(machine, &path, new, 0o600).hidden())?;
        }
    }
    plan.after(machine.reload("crond"));
    Ok(())
}

fn job<'a>(entry: &'a Node, key: &str) -> Result<Job<'a>, EnvError> {
    let known = ["name", "job", "user", "minute", "hour", "day", "month", "weekday"];
    env::only(entry, key, &known)?;
    let bad = |what: &str| env::refuse(entry, key, what);
    let mut times = Vec::new();
    for name in TIMES {
        let text = env::text(entry, name)?.unwrap_or("*");
        let fits = |c: char| c.is_ascii_alphanumeric() || "*/,-".contains(c);
        if !text.chars().all(fits) {
            return Err(bad(&format!("`{name}` is no field of a crontab(5)")));
        }
        times.push(text);
    }
    let one_line = |text: &&str| !text.contains(|c: char| c.is_control());
    let command = env::text(entry, "job")?.filter(one_line);
    let command = command.ok_or_else(|| bad("`job` has to be a command on one line"))?;
    let user = env::text(entry, "user")?.unwrap_or("root");
    Ok(Job {
        times: times.join(" "),
        user: Some(user).filter(|user| is_name(user)).ok_or_else(|| bad("`user` is no name"))?,
        // A percent sign would end the command.
        command: command.replace('%', "\\%"),
        name: env::text(entry, "name")?.filter(one_line).unwrap_or("unnamed"),
    })
}

#[cfg(test)]
mod tests {
    use crate::tasks::bench::Bench;

    /// Upstream put every job into root's crontab.
    #[test]
    fn b74_each_job_runs_as_its_user() {
        let bench = Bench::new();
        bench.tasks("- cron\n");
        bench.file("/etc/cron.d/other", "");
        bench.file("/etc/passwd", "root:x:0:0::/:\napp:x:1:1::/:\n");
        bench.env("appliance: {cron: [{name: clean, job: 'date +%F hunter2', user: app, minute: '*/5', weekday: sun}, {job: x}]}\n");
        let summary = bench.settle();
        assert!(!summary.text.contains("hunter2"));
        assert_eq!(
            bench.text(super::FILE),
            "# clean\n*/5 * * * sun app date +\\%F hunter2\n# unnamed\n* * * * * root x\n"
        );
        bench.env("a: 1\n");
        bench.settle();
        assert!(!bench.path(super::FILE).exists());
    }

    #[test]
    fn busybox_and_mistakes() {
        let bench = Bench::new();
        bench.tasks("- cron\n");
        bench.env("appliance: {cron: [{job: x}]}\n");
        assert!(bench.refused().contains("the image has no cron"));
        bench.file("/etc/crontabs/root", "0 0 * * * run-parts\n");
        bench.settle();
        assert!(bench.text("/etc/crontabs/root").contains("# unnamed\n* * * * * x\n"));
        bench.env("a: 1\n");
        bench.settle();
        assert_eq!(bench.text("/etc/crontabs/root"), "0 0 * * * run-parts\n");
        for bad in ["{job: \"a\\nb\"}", "{job: x, hour: '1 root y'}", "{job: x, user: nobody}"] {
            bench.env(&format!("appliance: {{cron: [{bad}]}}\n"));
            bench.refused();
        }
    }
}
