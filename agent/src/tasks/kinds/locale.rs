//! `locale`: the machine's language, and the locales that are generated.

use serde::Deserialize;

use crate::tasks::env;
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::{File, Plan};
use crate::tasks::program::Call;

const GENERATED: &str = "/etc/locale.gen";

/// What agent.yml may say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Key of the env: a locale for LANG, or a mapping of LANG, LANGUAGE, LC_…
    key: String,
    /// Key of the env with locales to generate besides.
    generate_key: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { key: "appliance.locale".into(), generate_key: "appliance.locales".into() }
    }
}

/// The changes.
pub fn plan(options: &Options, machine: &Machine<'_>) -> Result<Plan, TaskError> {
    let mut plan = Plan::default();
    let mut pairs = Vec::new();
    match env::find(machine.env, &options.key) {
        None => {}
        Some(node) if node.text().is_some() => pairs.push(("LANG", node)),
        Some(_) => pairs = env::entries(machine.env, &options.key)?,
    }
    let mut text = String::new();
    let mut wanted = Vec::new();
    for (name, node) in pairs {
        let value = node.text().map(str::trim).filter(|value| is_locale(value));
        let known = ["LANG", "LANGUAGE"].contains(&name) || name.starts_with("LC_");
        let (Some(value), true) = (value, known) else {
            let problem = "expected LANG, LANGUAGE or LC_… with a locale such as en_US.UTF-8";
            return Err(env::refuse(node, &options.key, problem).into());
        };
        text += &format!("{name}={value}\n");
        if name != "LANGUAGE" {
            wanted.push(value);
        }
    }
    for item in env::list(machine.env, &options.generate_key)? {
        let value = item.text().map(str::trim).filter(|value| is_locale(value));
        wanted.push(value.ok_or_else(|| {
            env::refuse(item, &options.generate_key, "expected a locale such as de_DE.UTF-8")
        })?);
    }
    if !text.is_empty() {
        let debian = machine.exists("/etc/default");
        let path = if debian { "/etc/default/locale" } else { "/etc/locale.conf" };
        plan.shared_file(machine, File::new(path, text))?;
    }
    generate(machine, &mut plan, &wanted)?;
    Ok(plan)
}

fn is_locale(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.@-:".contains(c);
    !text.is_empty() && text.chars().all(fits)
}

/// Adds lines to /etc/locale.gen and has the locales made, where the image makes its own.
fn generate(machine: &Machine<'_>, plan: &mut Plan, wanted: &[&str]) -> Result<(), TaskError> {
    let Some(old) = machine.read(GENERATED)? else {
        return Ok(());
    };
    let mut text = old.clone();
    for locale in wanted {
        // Only what names its character set can be generated; C and POSIX are built in.
        let Some((name, set)) = locale.split_once('.') else {
            continue;
        };
        if ["C", "POSIX"].contains(&name) {
            continue;
        }
        let line = format!("{locale} {}", if set == "utf8" { "UTF-8" } else { set });
        if text.lines().any(|known| known.trim() == line) {
            continue;
        }
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text += &format!("{line}\n");
    }
    if text != old {
        plan.shared_file(machine, File::like(machine, GENERATED, text, 0o644))?;
        plan.after(
            machine.programs.has("locale-gen").then(|| Call::new("locale-gen", [""; 0]).limit(300)),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::tasks::bench::Bench;

    #[test]
    fn variables_and_generated_locales() {
        let bench = Bench::new();
        bench.tasks("- locale\n");
        bench.file("/etc/default/locale", "LANG=C\n");
        bench.file("/etc/locale.gen", "# de_DE.UTF-8 UTF-8\nen_US.UTF-8 UTF-8\n");
        bench.tool("locale-gen", "");
        bench.env("appliance: {locale: {LANG: en_US.UTF-8, LANGUAGE: 'en_US:en', LC_MESSAGES: POSIX}, locales: [de_DE.UTF-8]}\n");
        bench.settle();
        assert_eq!(
            bench.text("/etc/default/locale"),
            "LANG=en_US.UTF-8\nLANGUAGE=en_US:en\nLC_MESSAGES=POSIX\n"
        );
        assert!(bench.text("/etc/locale.gen").ends_with("\nde_DE.UTF-8 UTF-8\n"));
        assert_eq!(bench.calls(), ["locale-gen "]);
    }

    #[test]
    fn one_text_is_lang_and_nonsense_is_refused() {
        let bench = Bench::new();
        bench.tasks("- locale\n");
        bench.env("appliance: {locale: C.UTF-8}\n");
        bench.settle();
        assert_eq!(bench.text("/etc/locale.conf"), "LANG=C.UTF-8\n");
        for bad in ["{PATH: /tmp}", "'$(x)'", "{LANG: [a]}"] {
            bench.env(&format!("appliance: {{locale: {bad}}}\n"));
            assert!(bench.refused().contains("expected LANG"), "{bad}");
        }
    }
}
