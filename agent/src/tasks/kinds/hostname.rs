//! `hostname`: the machine's name, and its block in /etc/hosts.

use serde::Deserialize;

use crate::tasks::block;
use crate::tasks::env::{self, EnvError};
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::{File, Plan};
use crate::tasks::program::Call;
use bootwright_seed::yaml::tree::Node;

/// What agent.yml may say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Key of the env with the full name.
    key: String,
    /// Key with further lines for /etc/hosts.
    hosts_key: String,
    /// The machine calls itself by the first label only.
    short: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { key: "appliance.domain".into(), hosts_key: "appliance.hosts".into(), short: false }
    }
}

/// The changes.
pub fn plan(options: &Options, machine: &Machine<'_>) -> Result<Plan, TaskError> {
    let mut plan = Plan::default();
    let mut lines = Vec::new();
    if let Some(node) = env::find(machine.env, &options.key) {
        let domain = node.text().map(str::trim).filter(|text| is_domain(text));
        let Some(domain) = domain else {
            return Err(env::refuse(node, &options.key, "expected a host name").into());
        };
        let short = domain.split('.').next().unwrap_or(domain);
        let name = if options.short { short } else { domain };
        plan.shared_file(machine, File::new("/etc/hostname", format!("{name}\n")))?;
        let running = machine.read("/proc/sys/kernel/hostname")?;
        if running.is_some_and(|running| running.trim() != name) {
            plan.run(Call::new("hostname", [name]));
        }
        if domain != "localhost" {
            let names = if short == domain { short.into() } else { format!("{domain} {short}") };
            lines.push(format!("127.0.1.1 {names}"));
        }
    }
    for entry in env::list(machine.env, &options.hosts_key)? {
        lines.push(host(entry, &options.hosts_key)?);
    }
    let hosts = machine.read("/etc/hosts")?.unwrap_or_default();
    let wanted = block::set(&hosts, "hostname", &lines);
    if wanted != hosts {
        plan.shared_file(machine, File::like(machine, "/etc/hosts", wanted, 0o644))?;
    }
    Ok(plan)
}

/// A line for `{ip, hostname}`; several names may stand in one text.
fn host(entry: &Node, key: &str) -> Result<String, EnvError> {
    env::only(entry, key, &["ip", "hostname"])?;
    let ip = env::text(entry, "ip")?.filter(|ip| ip.parse::<std::net::IpAddr>().is_ok());
    let ip = ip.ok_or_else(|| env::refuse(entry, key, "`ip` has to be an IP address"))?;
    let names: Vec<&str> = env::text(entry, "hostname")?.unwrap_or_default().split(' ').collect();
    if !names.iter().all(|name| is_domain(name)) {
        return Err(env::refuse(entry, key, "`hostname` has to be one or more host names"));
    }
    Ok(format!("{ip} {}", names.join(" ")))
}

/// Whether a text is a host name (RFC 1123), perhaps with domain.
pub fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use crate::tasks::bench::Bench;

    #[test]
    fn b41_name_and_hosts_change_together() {
        let bench = Bench::new();
        bench.tasks("- hostname\n");
        bench.file("/etc/hosts", "127.0.0.1 localhost\n");
        bench.file("/proc/sys/kernel/hostname", "debian\n");
        bench.tool("hostname", "echo \"$1\" > $R/proc/sys/kernel/hostname");
        bench.env(
            "appliance: {domain: ecs.x.test, hosts: [{ip: 10.0.0.2, hostname: s2 db.x.test}]}\n",
        );
        let summary = bench.settle();
        assert_eq!(bench.text("/etc/hostname"), "ecs.x.test\n");
        assert_eq!(bench.calls(), ["hostname ecs.x.test"]);
        let hosts = bench.text("/etc/hosts");
        assert!(hosts.starts_with("127.0.0.1 localhost\n# bootwright: begin"), "{hosts}");
        assert!(hosts.contains("\n127.0.1.1 ecs.x.test ecs\n10.0.0.2 s2 db.x.test\n"), "{hosts}");
        assert!(summary.text.contains("    +127.0.1.1 ecs.x.test ecs"), "{}", summary.text);
    }

    /// Upstream never removed a line from /etc/hosts.
    #[test]
    fn b36_hosts_lines_go_away_again() {
        let bench = Bench::new();
        bench.tasks("- hostname: {short: true}\n");
        bench.env("appliance: {domain: a.test, hosts: [{ip: '::1', hostname: x}]}\n");
        bench.settle();
        assert_eq!(bench.text("/etc/hostname"), "a\n");
        bench.env("appliance: {}\n");
        bench.settle();
        assert_eq!(bench.text("/etc/hosts"), "");
    }

    #[test]
    fn b41_a_bad_or_empty_name_is_refused() {
        let bench = Bench::new();
        bench.tasks("- hostname\n");
        for bad in ["''", "a b", "-x.test", "x..test", "\"a\\nb\"", "[x]", "'$(reboot)'"] {
            bench.env(&format!("appliance: {{domain: {bad}}}\n"));
            let error = bench.refused();
            assert!(
                error.starts_with("task hostname: /run/active-env.yml:2:21: appliance.domain: "),
                "{error}"
            );
        }
        assert!(!bench.path("/etc/hostname").exists());
    }
}
