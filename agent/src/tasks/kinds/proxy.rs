//! `proxy`: the way out of a network that has one.

use serde::Deserialize;

use crate::tasks::env;
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::{File, Plan};

/// Addresses that a proxy cannot reach, unless the env says otherwise.
const DIRECT: &str = "localhost,127.0.0.1,169.254.169.254,metadata.google.internal";

/// What agent.yml may say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Key of the env with the proxy's URL.
    http_key: String,
    /// The same for HTTPS; without it the one for HTTP serves both.
    https_key: String,
    /// Key of the env with what is reached directly.
    no_proxy_key: String,
    /// Services that get the variables; each reads them when it starts the next time.
    services: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            http_key: "http_proxy".into(),
            https_key: "https_proxy".into(),
            no_proxy_key: "no_proxy".into(),
            services: vec!["docker.service".into()],
        }
    }
}

/// The changes.
pub fn plan(options: &Options, machine: &Machine<'_>) -> Result<Plan, TaskError> {
    let mut plan = Plan::default();
    let get = |key: &str| -> Result<Option<&str>, TaskError> {
        let value = env::text(machine.env, key)?;
        if value.is_none_or(is_plain) {
            return Ok(value);
        }
        let node = env::find(machine.env, key).unwrap_or(machine.env);
        Err(env::refuse(node, key, "expected a value without blanks and quotes").into())
    };
    let http = get(&options.http_key)?;
    let Some(https) = get(&options.https_key)?.or(http) else {
        return Ok(plan);
    };
    let direct = get(&options.no_proxy_key)?.unwrap_or(DIRECT);
    let values =
        [("http_proxy", http.unwrap_or(https)), ("https_proxy", https), ("no_proxy", direct)];
    let both = values.iter().flat_map(|(name, value)| {
        [((*name).to_owned(), *value), (name.to_ascii_uppercase(), *value)]
    });
    let both: Vec<(String, &str)> = both.collect();
    let lines = |line: &dyn Fn(&str, &str) -> String| -> String {
        both.iter().map(|(name, value)| line(name, value)).collect()
    };
    // Everybody may read how to get out: a password in the URL is one that all users share.
    let write = |path: &str, text: String| File::new(path, text).hidden();
    plan.file(
        machine,
        write("/etc/profile.d/bootwright-proxy.sh", lines(&|n, v| format!("export {n}='{v}'\n"))),
    )?;
    if machine.exists("/etc/apt/apt.conf.d") {
        let text = format!(
            "Acquire::http::Proxy \"{}\";\nAcquire::https::Proxy \"{https}\";\n",
            http.unwrap_or(https)
        );
        plan.file(machine, write("/etc/apt/apt.conf.d/95bootwright-proxy", text))?;
    }
    if machine.exists("/etc/sudoers.d") {
        let names: Vec<&str> = both.iter().map(|(name, _)| name.as_str()).collect();
        let text = format!("Defaults env_keep += \"{}\"\n", names.join(" "));
        plan.file(machine, File::new("/etc/sudoers.d/bootwright-proxy", text).mode(0o440))?;
    }
    if machine.exists("/etc/systemd/system") {
        for service in &options.services {
            let path = format!("/etc/systemd/system/{service}.d/50-bootwright-proxy.conf");
            // A percent sign means something to systemd.
            let line = |n: &str, v: &str| format!("Environment=\"{n}={}\"\n", v.replace('%', "%%"));
            let text = format!("[Service]\n{}", lines(&line));
            plan.file(machine, write(&path, text).mode(0o600))?;
        }
        plan.after(machine.reload_units());
    }
    Ok(plan)
}

fn is_plain(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_graphic() && !"'\"\\`$;".contains(c))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use crate::tasks::bench::Bench;

    #[test]
    fn every_consumer_and_back() {
        let bench = Bench::new();
        bench.tasks("- proxy\n");
        for folder in ["/etc/apt/apt.conf.d/x", "/etc/sudoers.d/x", "/etc/systemd/system/x"] {
            bench.file(folder, "");
        }
        bench.env("http_proxy: 'http://u:hunter2%40@proxy.test:3128'\n");
        let summary = bench.settle();
        assert!(!summary.text.contains("hunter2"), "{}", summary.text);
        let sudoers = bench.path("/etc/sudoers.d/bootwright-proxy");
        assert_eq!(bench.mode("/etc/sudoers.d/bootwright-proxy"), 0o440);
        let judge = Command::new("/usr/sbin/visudo").arg("-cf").arg(sudoers).output();
        let judge = judge.unwrap_or_else(|e| panic!("visudo: {e}; ci/setup installs sudo"));
        assert!(judge.status.success(), "{judge:?}");
        let shell = bench.path("/etc/profile.d/bootwright-proxy.sh");
        let mut judge = Command::new("sh");
        judge.arg("-c").arg(". \"$0\"; echo $HTTPS_PROXY $no_proxy").arg(shell);
        let said = String::from_utf8(judge.env_clear().output().unwrap().stdout).unwrap();
        assert_eq!(said, format!("http://u:hunter2%40@proxy.test:3128 {}\n", super::DIRECT));
        let unit = "/etc/systemd/system/docker.service.d/50-bootwright-proxy.conf";
        assert!(bench.text(unit).contains("\"no_proxy=localhost,"));
        assert!(bench.text(unit).contains("hunter2%%40"));
        bench.env("a: 1\n");
        bench.settle();
        assert!(!bench.path(unit).exists());
        assert!(!bench.path("/etc/apt/apt.conf.d/95bootwright-proxy").exists());
        bench.env("http_proxy: \"x'; reboot\"\n");
        assert!(bench.refused().contains("http_proxy: expected a value without blanks"));
    }
}
