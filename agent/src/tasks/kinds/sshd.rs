//! `sshd`: the policy of the SSH server, as a drop-in that wins over the image's own settings.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::tasks::block;
use crate::tasks::env;
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::{File, Plan};
use crate::tasks::program::Call;

const MAIN: &str = "/etc/ssh/sshd_config";
const DROP_IN: &str = "/etc/ssh/sshd_config.d/10-bootwright.conf";

/// What agent.yml may say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Keywords and values of sshd_config(5).
    settings: BTreeMap<String, String>,
    /// Key of the env with a mapping that goes over them.
    key: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { settings: BTreeMap::new(), key: "appliance.sshd".into() }
    }
}

/// The changes.
pub fn plan(options: &Options, machine: &Machine<'_>) -> Result<Plan, TaskError> {
    let mut settings = BTreeMap::new();
    for (keyword, value) in &options.settings {
        let problem = || TaskError::Refused(format!("sshd.settings: `{keyword}` cannot be set so"));
        settings.insert(keyword.as_str(), checked(keyword, value).ok_or_else(problem)?);
    }
    for (keyword, node) in env::entries(machine.env, &options.key)? {
        let value = node.text().and_then(|value| checked(keyword, value));
        let value = value.ok_or_else(|| {
            env::refuse(node, &options.key, format!("`{keyword}` cannot be set so"))
        })?;
        settings.retain(|known, _| !known.eq_ignore_ascii_case(keyword));
        settings.insert(keyword, value);
    }
    let lines: Vec<String> = settings.iter().map(|(k, v)| format!("{k} {v}")).collect();
    let main = machine.read(MAIN)?;
    let mut plan = Plan::default();
    match main {
        None if lines.is_empty() => {}
        None => plan.note("the image has no SSH server; its policy is left out"),
        Some(main) => write(machine, &mut plan, &main, &lines)?,
    }
    Ok(plan)
}

fn write(
    machine: &Machine<'_>,
    plan: &mut Plan,
    main: &str,
    lines: &[String],
) -> Result<(), TaskError> {
    // Servers before 8.2 (Ubuntu 16.04, 18.04) know no drop-ins. The first value of a keyword
    // wins, so the block has to come before the image's own lines.
    let includes = main.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next().is_some_and(|word| word.eq_ignore_ascii_case("include"))
            && words.any(|path| path.contains("sshd_config.d/"))
    });
    let content: String = lines.iter().map(|line| format!("{line}\n")).collect();
    if includes {
        if !lines.is_empty() {
            check(machine, &content)?;
            plan.file(machine, File::new(DROP_IN, content).mode(0o600))?;
        }
    } else {
        let rest = block::set(main, "sshd", &[]);
        let wanted = block::set("", "sshd", lines) + &rest;
        if wanted != main {
            check(machine, &content)?;
            plan.shared_file(machine, File::like(machine, MAIN, wanted, 0o644))?;
        }
    }
    // Debian calls the service ssh, others call it sshd.
    let debian = ["/usr/lib/systemd/system/ssh.service", "/lib/systemd/system/ssh.service"];
    let is_debian = debian.iter().any(|path| machine.exists(path));
    plan.after(machine.reload(if is_debian { "ssh" } else { "sshd" }));
    Ok(())
}

/// Has the server read the settings before they count: a bad one would keep everybody out.
fn check(machine: &Machine<'_>, content: &str) -> Result<(), TaskError> {
    if !machine.programs.has("sshd") {
        return Ok(());
    }
    let call = Call::new("sshd", ["-t", "-f", "/dev/stdin"]).input(content);
    let ended = machine.programs.ask(&call)?;
    // Host keys that are not made yet are no fault of the settings.
    let fault = ended.err.lines().find(|line| line.contains(" line ") || line.contains("Bad "));
    match fault {
        Some(line) if ended.code != Some(0) => {
            Err(TaskError::Refused(format!("sshd refuses the settings: {}", line.trim())))
        }
        _ => Ok(()),
    }
}

/// The value, if keyword and value make exactly one global setting.
fn checked<'a>(keyword: &str, value: &'a str) -> Option<&'a str> {
    let word = !keyword.is_empty() && keyword.bytes().all(|b| b.is_ascii_alphanumeric());
    let section = ["match", "include"].iter().any(|word| keyword.eq_ignore_ascii_case(word));
    let value = value.trim();
    let one = !value.is_empty() && !value.contains(|c: char| c.is_control());
    (word && !section && one).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::{DROP_IN, MAIN};
    use crate::tasks::bench::Bench;

    fn bench(main: &str) -> Bench {
        let bench = Bench::new();
        bench.file(MAIN, main);
        bench.tasks(
            "- sshd: {settings: {UseDNS: 'no', PasswordAuthentication: 'no', PermitRootLogin: 'yes'}}\n",
        );
        bench
    }

    #[test]
    fn a_drop_in_where_the_server_reads_one() {
        let bench = bench("Include /etc/ssh/sshd_config.d/*.conf\n");
        bench.systemd();
        bench.tool("sshd", "grep -q PermitRootLogin");
        bench.env("appliance: {sshd: {permitrootlogin: prohibit-password}}\n");
        bench.settle();
        assert_eq!(
            bench.text(DROP_IN),
            "PasswordAuthentication no\nUseDNS no\npermitrootlogin prohibit-password\n"
        );
        let calls = bench.calls();
        assert!(
            calls.iter().any(|c| c == "systemctl --no-block try-reload-or-restart sshd.service")
        );
        bench.tasks("- sshd\n");
        bench.env("a: 1\n");
        bench.settle();
        assert!(!bench.path(DROP_IN).exists());
    }

    #[test]
    fn a_block_before_everything_for_old_servers() {
        let bench = bench("PermitRootLogin no\n");
        bench.settle();
        let text = bench.text(MAIN);
        let block = text.find("PermitRootLogin yes").unwrap();
        assert!(block < text.find("PermitRootLogin no").unwrap(), "{text}");
        assert!(!bench.path(DROP_IN).exists());
    }

    #[test]
    fn bad_settings_never_reach_the_server() {
        let bench = bench("Include /etc/ssh/sshd_config.d/*.conf\n");
        bench.tool("sshd", "echo '/dev/stdin line 1: Bad yes/no argument' >&2; exit 255");
        assert!(bench.refused().contains("sshd refuses the settings: /dev/stdin line 1"));
        assert!(!bench.path(DROP_IN).exists());
        for bad in ["Match: User x", "UseDNS: \"no\\nPermitRootLogin yes\"", "'Use DNS': x"] {
            bench.env(&format!("appliance: {{sshd: {{{bad}}}}}\n"));
            assert!(bench.refused().contains("cannot be set so"));
        }
    }
}
