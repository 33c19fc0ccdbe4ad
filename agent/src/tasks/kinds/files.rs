//! `files`: files whose content stands in the env.

use bootwright_seed::yaml::tree::Node;
use serde::Deserialize;

use crate::tasks::env::{self, EnvError};
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::{File, Plan};

/// What agent.yml may say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Key of the env with the list.
    key: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { key: "appliance.extra.files".into() }
    }
}

/// The changes. Content is never shown: it is what secrets are made of.
pub fn plan(options: &Options, machine: &Machine<'_>) -> Result<Plan, TaskError> {
    let mut plan = Plan::default();
    for entry in env::list(machine.env, &options.key)? {
        let file = file(entry, &options.key, &mut plan)?;
        plan.file(machine, file)?;
    }
    Ok(plan)
}

fn file(entry: &Node, key: &str, plan: &mut Plan) -> Result<File, EnvError> {
    env::only(entry, key, &["path", "contents", "content", "owner", "permissions"])?;
    let path = env::text(entry, "path")?.filter(|path| is_path(path));
    let path = path.ok_or_else(|| {
        env::refuse(entry, key, "`path` has to be an absolute path of a file without `..`")
    })?;
    let (contents, old) = (env::exact(entry, "contents")?, env::exact(entry, "content")?);
    if old.is_some() {
        plan.note(format!("{path}: `content` is the old name of `contents`; please rename it"));
    }
    let content = contents.or(old).unwrap_or_default();
    let file = File::new(path, content).mode(env::mode(entry, "permissions", 0o644)?).hidden();
    let Some(owner) = env::text(entry, "owner")? else {
        return Ok(file.owner("root:root"));
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
    if !owner.chars().all(fits) {
        return Err(env::refuse(entry, key, "`owner` has to be user or user:group"));
    }
    Ok(file.owner(owner))
}

/// Whether a text is an absolute path of a file, without ways back.
pub fn is_path(path: &str) -> bool {
    path.starts_with('/')
        && !path.ends_with('/')
        && !path.contains(|c: char| c.is_control())
        && !path.split('/').any(|part| part == ".." || part == ".")
}

#[cfg(test)]
mod tests {
    use crate::tasks::bench::Bench;

    fn bench(files: &str) -> Bench {
        let bench = Bench::new();
        bench.tasks("- files\n");
        bench.env(&format!("appliance:\n  extra:\n    files:\n{files}"));
        bench
    }

    #[test]
    fn b40_parents_modes_names_and_no_extra_newline() {
        let bench = bench(
            "    - {path: '/new/a folder/f', contents: \"no newline\", permissions: '0640', owner: root}\n    - path: /etc/block\n      contents: |\n        one\n          two\n    - {path: /etc/empty}\n",
        );
        bench.settle();
        assert_eq!(bench.text("/new/a folder/f"), "no newline");
        assert_eq!(bench.mode("/new/a folder/f"), 0o640);
        assert_eq!(bench.text("/etc/block"), "one\n  two\n");
        assert_eq!((bench.mode("/etc/block"), bench.text("/etc/empty")), (0o644, String::new()));
    }

    #[test]
    fn b40_contents_wins_over_the_old_content() {
        let bench =
            bench("    - {path: /a, content: old, contents: new}\n    - {path: /b, content: x}\n");
        let summary = bench.settle();
        assert_eq!((bench.text("/a"), bench.text("/b")), ("new".into(), "x".into()));
        assert!(summary.notes[1].contains("files: /b: `content` is the old name"), "{summary:?}");
    }

    /// B12: permissions without quotes became the number 384.
    #[test]
    fn b12_unquoted_permissions_stay_octal() {
        let bench = bench("    - {path: /a, contents: x, permissions: 0600}\n");
        bench.settle();
        assert_eq!(bench.mode("/a"), 0o600);
        bench.env("appliance: {extra: {files: [{path: /a, permissions: 384}]}}\n");
        assert!(bench.refused().contains("expected permissions as octal digits"));
    }

    #[test]
    fn b36_files_that_are_no_longer_asked_for_go_away() {
        let bench = bench("    - {path: /etc/a, contents: x}\n    - {path: /etc/b, contents: y}\n");
        bench.settle();
        bench.file("/etc/b", "changed by hand");
        bench.env("appliance: {}\n");
        let summary = bench.settle();
        assert!(!bench.path("/etc/a").exists());
        assert_eq!(bench.text("/etc/b"), "changed by hand");
        assert!(summary.notes[0].contains("/etc/b is no longer asked for"), "{summary:?}");
        // The same for a task that the configuration no longer has.
        bench.env("appliance: {extra: {files: [{path: /etc/a}]}}\n");
        bench.settle();
        bench.tasks("[]");
        bench.settle();
        assert!(!bench.path("/etc/a").exists());
    }

    #[test]
    fn secrets_are_in_the_file_and_nowhere_else() {
        let bench =
            bench("    - {path: /etc/key, contents: 'hunter2 secret', permissions: '0600'}\n");
        bench.file("/etc/key", "hunter1 secret");
        let summary = bench.settle();
        assert!(!format!("{summary:?}").contains("hunter"), "{summary:?}");
        assert!(summary.text.contains("14 -> 14 bytes, content not shown"), "{}", summary.text);
        assert!(!bench.text("/var/lib/bootwright/tasks.json").contains("hunter"));
        assert_eq!(bench.mode("/var/lib/bootwright/tasks.json"), 0o600);
    }

    #[test]
    fn what_cannot_be_written_is_refused_before_anything_is() {
        for bad in [
            "path: a",
            "path: /a/../b",
            "contents: x",
            "path: /a/",
            "path: /a, mode: x",
            "path: /a, owner: 'x y'",
        ] {
            let bench = bench(&format!("    - {{path: /fine}}\n    - {{{bad}}}\n"));
            assert!(bench.refused().contains("/run/active-env.yml:6:"), "{bad}");
            assert!(!bench.path("/fine").exists());
        }
        let bench = bench("    - {path: /a, owner: nobody-here}\n");
        assert!(bench.refused().contains("`nobody-here` is not in /etc/passwd"));
        assert!(!bench.path("/a").exists());
    }
}
