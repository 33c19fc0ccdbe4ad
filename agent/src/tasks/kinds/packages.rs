//! `packages`: packages that the env asks for, from the distribution's servers.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::tasks::env;
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::Plan;
use crate::tasks::program::Call;

/// What agent.yml may say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Key of the env with the list.
    key: String,
    /// How long to wait for a default route.
    wait_seconds: u64,
    /// How long fetching and installing may take.
    limit_seconds: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { key: "appliance.extra.packages".into(), wait_seconds: 60, limit_seconds: 900 }
    }
}

/// The changes: nothing at all, network included, if every package is there.
pub fn plan(options: &Options, machine: &Machine<'_>) -> Result<Plan, TaskError> {
    let mut plan = Plan::default();
    let mut missing = BTreeSet::new();
    let items = env::list(machine.env, &options.key)?;
    if items.is_empty() {
        return Ok(plan);
    }
    let apt = machine.programs.has("apt-get");
    let there = if apt { dpkg(machine)? } else { apk(machine)? };
    for item in items {
        let name = item.text().map(str::trim).filter(|name| is_name(name));
        let name = name.ok_or_else(|| env::refuse(item, &options.key, "expected a package"))?;
        if !there.contains(name) {
            missing.insert(name.to_owned());
        }
    }
    if missing.is_empty() {
        return Ok(plan);
    }
    plan.await_route(options.wait_seconds);
    let limit = options.limit_seconds;
    if apt {
        // apt waits for other runs of itself and repeats downloads.
        let apt = |words: &[&str]| {
            let fixed = ["-q", "-y", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"];
            let all = fixed.iter().chain(words).map(|word| (*word).to_owned());
            Call::new("apt-get", all.collect::<Vec<_>>()).limit(limit)
        };
        plan.run(apt(&["update"]));
        let mut words = vec!["-o", "Dpkg::Options::=--force-confold", "install", "--"];
        words.extend(missing.iter().map(String::as_str));
        plan.run(apt(&words));
    } else if machine.programs.has("apk") {
        let words = ["add", "--update-cache", "--"].map(str::to_owned).into_iter().chain(missing);
        plan.run(Call::new("apk", words).limit(limit));
    } else {
        return Err(TaskError::Refused("the image has neither apt-get nor apk".into()));
    }
    Ok(plan)
}

fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-._".contains(c);
    text.chars().all(fits) && text.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// Packages that are installed as a whole, from dpkg's own records.
fn dpkg(machine: &Machine<'_>) -> Result<BTreeSet<String>, TaskError> {
    let text = machine.read("/var/lib/dpkg/status")?.unwrap_or_default();
    let installed = text.split("\n\n").filter(|entry| {
        entry.lines().any(|line| {
            line.strip_prefix("Status: ").is_some_and(|status| status.ends_with(" installed"))
        })
    });
    let name = |entry: &str| {
        entry.lines().find_map(|line| line.strip_prefix("Package: ")).map(str::to_owned)
    };
    Ok(installed.filter_map(name).collect())
}

/// The same from apk's.
fn apk(machine: &Machine<'_>) -> Result<BTreeSet<String>, TaskError> {
    let text = machine.read("/lib/apk/db/installed")?.unwrap_or_default();
    Ok(text.lines().filter_map(|line| line.strip_prefix("P:")).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use crate::tasks::bench::Bench;

    const ROUTE: &str = "Iface\tDestination\tGateway\neth0\t00000000\t0101A8C0\n";
    const STATUS: &str = "Package: curl\nStatus: install ok installed\nVersion: 1\n\nPackage: gone\nStatus: deinstall ok config-files\n";

    fn bench() -> Bench {
        let bench = Bench::new();
        bench.tasks("- packages: {wait_seconds: 0}\n");
        bench.file("/var/lib/dpkg/status", STATUS);
        bench.file("/proc/net/route", ROUTE);
        bench.tool(
            "apt-get",
            "case \"$*\" in *install*) shift 10; for p; do printf '\\nPackage: %s\\nStatus: install ok installed\\n' $p >> $R/var/lib/dpkg/status; done;; esac",
        );
        bench
    }

    #[test]
    fn b40_only_what_is_missing_is_fetched() {
        let bench = bench();
        bench.env("appliance: {extra: {packages: [curl, gone, qrencode]}}\n");
        bench.settle();
        let calls = bench.calls();
        assert_eq!(calls.len(), 2);
        assert!(calls[0].ends_with(" update"), "{calls:?}");
        assert!(calls[1].ends_with(" install -- gone qrencode"), "{calls:?}");
    }

    #[test]
    fn b38_a_failure_says_what_failed() {
        let bench = bench();
        bench.tool("apt-get", "echo 'E: Unable to locate package nope' >&2; exit 100");
        bench.env("appliance: {extra: {packages: [nope]}}\n");
        let error = bench.refused();
        assert!(error.starts_with("task packages: `apt-get "), "{error}");
        assert!(error.contains("exit code 100: E: Unable to locate package nope"), "{error}");
    }

    #[test]
    fn b72_the_wait_for_the_network_ends() {
        let bench = bench();
        bench.file("/proc/net/route", "Iface\tDestination\n");
        bench.env("appliance: {extra: {packages: [x]}}\n");
        assert!(bench.refused().contains("no default route after 0 s"));
        assert_eq!(bench.calls(), [""; 0]);
    }

    #[test]
    fn alpine_and_bad_names() {
        let bench = Bench::new();
        bench.tasks("- packages\n");
        bench.file("/proc/net/route", ROUTE);
        bench.file("/lib/apk/db/installed", "P:musl\nV:1\n\n");
        bench.tool("apk", "shift 3; for p; do echo P:$p >> $R/lib/apk/db/installed; done");
        bench.env("appliance: {extra: {packages: [musl, jq]}}\n");
        bench.settle();
        assert_eq!(bench.calls(), ["apk add --update-cache -- jq"]);
        for bad in ["--purge", "'a b'", "'x;reboot'", "[]"] {
            bench.env(&format!("appliance: {{extra: {{packages: [{bad}]}}}}\n"));
            assert!(bench.refused().ends_with("expected a package"));
        }
    }
}
