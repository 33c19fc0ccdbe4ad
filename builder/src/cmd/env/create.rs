//! `bootwright env create`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use bootwright_seed::env::format::is_domain;
use bootwright_seed::env::layers::{Layer, Merge, merge};
use bootwright_seed::env::template::Inputs;
use bootwright_seed::env::upgrade::{Maker, Upgraded};
use bootwright_seed::env::{self, Env, Finding, KeyPath, Rule, Schema};
use bootwright_seed::yaml::tree::Node;

use super::common;
use crate::cli::EnvCreate;
use crate::exit::{Unreadable, Unusable, Usage};
use crate::report;

/// Makes an env, or brings one up to date.
///
/// # Errors
/// A domain that is none, mistakes in template and extras, an env that is there already, and
/// one of another domain.
pub fn run(arguments: &EnvCreate) -> Result<()> {
    let domain = &arguments.domain;
    if !is_domain(domain) {
        let problem = format!(
            "`{domain}` is no domain; use labels of letters, digits and inner hyphens, joined by dots (others in their xn-- form)"
        );
        return Err(Usage(problem).into());
    }
    let files = common::files(&arguments.schema)?;
    let schema = common::schema(&arguments.schema, &files)?;
    let Some(template) = arguments.template.as_deref().or(files.template.as_deref()) else {
        return Err(Usage(
            "no template: give --template FILE, or --profile of an appliance that names one".into(),
        )
        .into());
    };
    let text = read_text("template", template)?;
    let inputs =
        Inputs { domain: domain.clone(), extra: extras(&arguments.extras, schema.as_ref())? };
    let file = template.display().to_string();
    let maker = Maker { file: &file, template: &text, inputs: &inputs, schema: schema.as_ref() };
    let target = arguments.target.clone().unwrap_or_else(|| PathBuf::from(domain).join("env.yml"));
    if arguments.upgrade || !arguments.rotate.is_empty() {
        upgrade(arguments, &maker, &target)
    } else {
        create(&maker, &target)
    }
}

fn create(maker: &Maker<'_>, target: &Path) -> Result<()> {
    let name = target.display().to_string();
    if std::fs::symlink_metadata(target).is_ok() {
        let problem = format!(
            "{name} exists, and its secrets with it; give --upgrade to add what it lacks, or another name"
        );
        return Err(Unusable(problem).into());
    }
    let text = maker.create()?;
    let todo = accept(&name, &text, maker.schema)?;
    common::write(target, &text, false)?;
    show_todo(&todo);
    report::data(&name);
    Ok(())
}

fn upgrade(arguments: &EnvCreate, maker: &Maker<'_>, target: &Path) -> Result<()> {
    let vault = common::keyring(&arguments.vault)?;
    let rotate =
        arguments.rotate.iter().map(|key| key.parse()).collect::<Result<Vec<KeyPath>, _>>()?;
    let old = common::read(target)?;
    let Upgraded { text, added, rotated } =
        maker.upgrade(&old, arguments.upgrade, &rotate, &vault)?;
    let name = target.display().to_string();
    // What was wrong before is not the upgrade's business; what it added has to be right.
    let before = env::check(&old, maker.schema);
    let known = |finding: &Finding| {
        before.iter().any(|old| {
            (old.rule, &old.key, &old.message) == (finding.rule, &finding.key, &finding.message)
        })
    };
    let env = Env::parse(&name, text.as_bytes())?;
    let (old_findings, new): (Vec<_>, Vec<_>) =
        env::check(&env, maker.schema).into_iter().partition(known);
    let (mut todo, wrong): (Vec<_>, Vec<_>) = new.into_iter().partition(is_todo);
    common::refuse_errors(&name, &wrong)?;
    todo.extend(old_findings);
    if text != old.text {
        common::write(target, &text, true)?;
    }
    let tell = |what: &str, paths: &[KeyPath]| {
        paths.iter().for_each(|path| report::message(format_args!("{what} {path}")));
    };
    tell("added", &added);
    tell("made anew", &rotated);
    if text == old.text {
        report::message(format_args!("{name} lacks nothing; left as it is"));
    }
    show_todo(&todo);
    report::data(&name);
    Ok(())
}

/// Checks a new env. What an operator has yet to fill in is given back.
fn accept(name: &str, text: &str, schema: Option<&Schema>) -> Result<Vec<Finding>> {
    let env = Env::parse(name, text.as_bytes())?;
    let (todo, wrong): (Vec<_>, Vec<_>) = env::check(&env, schema).into_iter().partition(is_todo);
    common::refuse_errors(name, &wrong)?;
    Ok(todo)
}

fn is_todo(finding: &Finding) -> bool {
    matches!(finding.rule, Rule::Placeholder | Rule::MissingKey)
}

fn show_todo(todo: &[Finding]) {
    if !todo.is_empty() {
        report::message("still to do before it is used:");
        todo.iter().for_each(report::message);
    }
}

fn read_text(what: &'static str, path: &Path) -> Result<String> {
    let bytes = Unreadable::read(what, path)?;
    String::from_utf8(bytes)
        .map_err(|_| Unusable(format!("the {what} {} is not UTF-8 text", path.display())).into())
}

/// The extras as one tree. A key that the schema does not know is refused: it would go nowhere.
fn extras(paths: &[PathBuf], schema: Option<&Schema>) -> Result<Option<Node>> {
    let mut layers = Vec::new();
    for path in paths {
        let name = path.display().to_string();
        let layer = Layer::parse(&name, &name, &Unreadable::read("extra", path)?)?;
        common::refuse_errors(&name, &env::check_part(&layer.tree, schema))?;
        layers.push(layer);
    }
    Ok(merge(&layers, Merge::Deep))
}
