//! `hooks`: programs of the appliance that get the keys of the env they declare, and no others.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use bootwright_seed::yaml::tree::{Node, Value};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::files::is_path;
use crate::tasks::env;
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::{File, Plan};
use crate::tasks::program::Call;

/// Where it is noted what a hook was run with.
const STAMPS: &str = "/var/lib/bootwright/hooks";
/// A hook declares its keys in its first lines.
const DECLARATIONS: usize = 30;
const KEYS: &str = "# env:";
const WHEN: &str = "# when:";

/// What agent.yml may say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The folder.
    folder: String,
    /// How long each may take.
    limit_seconds: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { folder: "/etc/bootwright/hooks.d".into(), limit_seconds: 1800 }
    }
}

/// The changes: hooks that are new, or whose text or values changed.
pub fn plan(options: &Options, machine: &Machine<'_>) -> Result<Plan, TaskError> {
    let mut plan = Plan::default();
    if !is_path(&options.folder) {
        return Err(TaskError::Refused("hooks.folder has to be an absolute path".into()));
    }
    for name in names(machine, &options.folder) {
        let path = format!("{}/{name}", options.folder);
        let text = machine.read(&path)?.unwrap_or_default();
        let (keys, always) = declared(&text);
        let mut variables = Vec::new();
        for key in &keys {
            match env::find(machine.env, key) {
                Some(node) => flatten(&variable(key), node, &mut variables),
                // A script is to tell a key that is missing from one that is empty.
                None => plan.note(format!("{path} asks for `{key}`, which the env does not have")),
            }
        }
        let mut call = Call::new(&path, [""; 0]).limit(options.limit_seconds);
        let mut digest = Sha256::new();
        digest.update(&text);
        for (name, value) in &variables {
            call = call.env(name, value);
            digest.update(format!("\0{name}={value}"));
        }
        let digest: String = digest.finalize().iter().map(|b| format!("{b:02x}")).collect();
        let stamp = format!("{STAMPS}/{name}");
        let content = format!("{digest}\n");
        if always || machine.read(&stamp)?.as_deref() != Some(&content) {
            plan.run(call);
        }
        // Only root reads it: the digest of a short secret gives it away.
        plan.file(machine, File::new(stamp, content).mode(0o600).hidden())?;
    }
    Ok(plan)
}

/// Programs of the folder in the order of their names; what editors leave behind is no hook.
fn names(machine: &Machine<'_>, folder: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(machine.root.at(folder)) else {
        return Vec::new();
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| {
            fs::metadata(entry.path())
                .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        })
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.strip_suffix(".sh").unwrap_or(name).chars().all(fits))
        .collect();
    names.sort();
    names
}

/// The keys that a hook declares, and whether it runs every time.
fn declared(text: &str) -> (Vec<String>, bool) {
    let lines = || text.lines().take(DECLARATIONS);
    let keys = lines().filter_map(|line| line.strip_prefix(KEYS)).flat_map(|keys| {
        keys.split([',', ' ']).map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned)
    });
    let always =
        lines().any(|line| line.strip_prefix(WHEN).is_some_and(|when| when.trim() == "always"));
    (keys.collect(), always)
}

/// A key as the name of a variable.
fn variable(key: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    key.chars().map(plain).collect()
}

/// A value as variables: mappings and lists become several, lists with their length.
fn flatten(name: &str, node: &Node, into: &mut Vec<(String, String)>) {
    match &node.value {
        Value::Null => into.push((name.to_owned(), String::new())),
        Value::Scalar { text, .. } => into.push((name.to_owned(), text.replace('\0', ""))),
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(&format!("{name}_{index}"), item, into);
            }
            into.push((format!("{name}_LEN"), items.len().to_string()));
        }
        Value::Map(entries) => {
            for (key, value) in entries {
                flatten(&format!("{name}_{}", variable(&key.name)), value, into);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use crate::tasks::bench::Bench;

    fn hook(bench: &Bench, name: &str, text: &str) {
        let path = format!("/etc/bootwright/hooks.d/{name}");
        bench.file(&path, text);
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(bench.path(&path), mode).unwrap();
    }

    /// Upstream handed the whole env to every child.
    #[test]
    fn b34_b76_a_hook_gets_what_it_declares() {
        let bench = Bench::new();
        bench.tasks("- hooks\n");
        let out = bench.path("/out");
        hook(
            &bench,
            "10-dump.sh",
            &format!(
                "#!/bin/sh\n# env: appliance.domain, list\nenv | grep -v ^PATH= | sort > {}\n",
                out.display()
            ),
        );
        hook(&bench, "20-bad.sh~", "#!/bin/sh\nexit 1\n");
        bench.env("appliance: {domain: x.test, secret: hunter2}\nlist: [a, {b-c: 'd e'}]\n");
        bench.settle();
        let said = bench.text("/out");
        assert!(
            said.contains("APPLIANCE_DOMAIN=x.test\n")
                && said.contains("LIST_1_B_C=d e\nLIST_LEN=2\n"),
            "{said}"
        );
        assert!(!said.contains("hunter2") && !said.contains("SECRET"), "{said}");
        // A value it did not ask for does not run it again; one it asked for does.
        std::fs::remove_file(&out).unwrap();
        bench.env("appliance: {domain: x.test, secret: other}\nlist: [a, {b-c: 'd e'}]\n");
        assert_eq!(bench.settle().text, "");
        bench.env("appliance: {domain: y.test}\n");
        let summary = bench.settle();
        assert!(bench.text("/out").contains("APPLIANCE_DOMAIN=y.test"));
        assert!(summary.notes[0].contains("asks for `list`, which the env does not have"));
    }

    #[test]
    fn one_that_fails_is_tried_again() {
        let bench = Bench::new();
        bench.tasks("- hooks\n");
        hook(&bench, "a", "#!/bin/sh\n# env: key\necho \"no luck with $KEY\" >&2; exit 4\n");
        bench.env("key: hunter2\n");
        for _ in 0..2 {
            let error = bench.refused();
            assert!(
                error.contains("hooks.d/a` ended with exit code 4: no luck with ***"),
                "{error}"
            );
        }
        hook(&bench, "a", "#!/bin/sh\nexit 0\n");
        bench.settle();
        hook(&bench, "a", "#!/bin/sh\n# when: always\nexit 0\n");
        assert_eq!(bench.apply().error, None);
        assert!(bench.apply().text.contains("run /etc/bootwright/hooks.d/a"));
    }
}
