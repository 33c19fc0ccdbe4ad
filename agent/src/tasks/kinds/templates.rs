//! `templates`: files of the image with places for values of the env.

use bootwright_seed::yaml::tree::Node;
use serde::Deserialize;

use super::files::is_path;
use crate::tasks::env;
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::{File, Plan};

/// What agent.yml may say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The templates, in order.
    files: Vec<Template>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Template {
    /// The file with `{{ key }}` in it.
    source: String,
    /// Where the result goes.
    path: String,
    /// Its permissions, octal.
    #[serde(default = "readable")]
    mode: String,
    /// Its owner.
    #[serde(default = "root")]
    owner: String,
    /// Services that take it up when it changes.
    #[serde(default)]
    reload: Vec<String>,
    /// A key of the env without which there is no file.
    #[serde(default)]
    when: Option<String>,
}

fn readable() -> String {
    "0644".into()
}

fn root() -> String {
    "root:root".into()
}

/// The changes. Results are not shown, since secrets may be in them.
pub fn plan(options: &Options, machine: &Machine<'_>) -> Result<Plan, TaskError> {
    let mut plan = Plan::default();
    for template in &options.files {
        let Template { source, path, .. } = template;
        if !is_path(path) {
            return Err(TaskError::Refused(format!("templates: `{path}` is no absolute path")));
        }
        let mode = env::parse_mode(&template.mode).ok_or_else(|| {
            TaskError::Refused(format!("templates: the mode of {path} is no octal number"))
        })?;
        if template.when.as_ref().is_some_and(|key| env::find(machine.env, key).is_none()) {
            continue;
        }
        let text = machine.read(source)?.ok_or_else(|| {
            TaskError::Refused(format!("the template {source} is missing in this image"))
        })?;
        let content = fill(source, &text, machine.env)?;
        let file = File::new(path, content).mode(mode).owner(&template.owner).hidden();
        let before = plan.len();
        plan.file(machine, file)?;
        if plan.len() > before {
            let reloads: Vec<_> =
                template.reload.iter().filter_map(|s| machine.reload(s)).collect();
            plan.after(reloads);
        }
    }
    Ok(plan)
}

/// Replaces `{{ key }}` by the value and `{{ key | text }}` by `text` if there is none.
fn fill(source: &str, text: &str, tree: &Node) -> Result<String, TaskError> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        out += before;
        let line = text.len() - after.len();
        let line = text.get(..line).unwrap_or_default().matches('\n').count() + 1;
        let refuse = |why: String| TaskError::Refused(format!("{source}:{line}: {why}"));
        let (inside, next) =
            after.split_once("}}").ok_or_else(|| refuse("`{{` without `}}`".into()))?;
        let (key, default) = match inside.split_once('|') {
            Some((key, default)) => (key.trim(), Some(default.trim())),
            None => (inside.trim(), None),
        };
        let value =
            match env::find(tree, key) {
                Some(node) => Some(node.text().ok_or_else(|| {
                    refuse(format!("the key `{key}` of the env is no single value"))
                })?),
                None => default,
            };
        out += value.ok_or_else(|| {
            refuse(format!(
                "the env has no key `{key}`; add it, or write {{{{ {key} | default }}}}"
            ))
        })?;
        rest = next;
    }
    Ok(out + rest)
}

#[cfg(test)]
mod tests {
    use crate::tasks::bench::Bench;

    const TASK: &str = "- templates: {files: [{source: /usr/share/t, path: /etc/t, mode: '0640', reload: [postfix]}]}\n";

    #[test]
    fn b46_values_defaults_and_modes() {
        let bench = Bench::new();
        bench.tasks(TASK);
        bench.systemd();
        bench.file(
            "/usr/share/t",
            "name={{ appliance.domain }}\nport={{appliance.port | 25 }}\n{x}\n",
        );
        bench.env("appliance: {domain: 'a/b&c\\1'}\n");
        bench.settle();
        assert_eq!(bench.text("/etc/t"), "name=a/b&c\\1\nport=25\n{x}\n");
        assert_eq!(bench.mode("/etc/t"), 0o640);
        let reload = "systemctl --no-block try-reload-or-restart postfix.service";
        assert_eq!(bench.calls(), [reload]);
        // A missing value leaves the file as it is, and says where it is missing.
        bench.env("appliance: {port: 1}\n");
        let error = bench.refused();
        assert!(error.contains("/usr/share/t:1: the env has no key `appliance.domain`"), "{error}");
        assert_eq!(bench.text("/etc/t"), "name=a/b&c\\1\nport=25\n{x}\n");
    }

    #[test]
    fn conditions_and_mistakes() {
        let bench = Bench::new();
        bench.tasks("- templates: {files: [{source: /t, path: /etc/t, when: backup.url}]}\n");
        bench.settle();
        bench.env("backup: {url: x}\n");
        assert!(bench.refused().contains("the template /t is missing"));
        bench.file("/t", "a\n{{ backup");
        assert!(bench.refused().contains("/t:2: `{{` without `}}`"));
        bench.file("/t", "{{ backup }}");
        assert!(bench.refused().contains("`backup` of the env is no single value"));
    }
}
