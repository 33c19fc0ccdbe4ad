//! Makes the machine what its env says: an ordered list of tasks, each of which compares what
//! is wanted with the real tree and changes the difference. docs/agent-tasks.md has them all.
//!
//! A task that finds nothing to change changes nothing, so every run after the first is quiet.

mod accounts;
mod act;
#[cfg(test)]
pub mod bench;
pub mod block;
mod diff;
pub mod env;
mod kinds;
mod ledger;
pub mod machine;
pub mod mask;
pub mod plan;
pub mod program;

use std::path::Path;

use bootwright_seed::userdata;
use bootwright_seed::yaml::tree::Node;

use crate::boot::chain;
use crate::root::Root;
pub use kinds::{Entry, Stage};
use ledger::Ledger;
use machine::{Machine, TaskError};
use mask::Mask;
use plan::Plan;
use program::Call;

/// What a run is about.
pub struct Run<'a> {
    /// Where all paths start.
    pub root: &'a Root,
    /// The tasks, in order.
    pub tasks: &'a [Entry],
    /// The file with the active env.
    pub env: &'a Path,
    /// Tasks up to this stage are done.
    pub stage: Stage,
    /// Say what would change, and change nothing.
    pub dry: bool,
}

/// What came of a run. Holds no secret of the env.
#[derive(Debug, Default)]
pub struct Summary {
    /// Every change, as a diff.
    pub text: String,
    /// What an operator should know.
    pub notes: Vec<String>,
    /// Why a task failed; those after it were not tried.
    pub error: Option<String>,
}

/// Does the tasks. The first that fails is the last: those after it may rest on it.
pub fn run(run: &Run<'_>) -> Summary {
    let mut summary = Summary::default();
    let mut mask = Mask::default();
    if let Err(error) = all(run, &mut summary, &mut mask) {
        summary.error = Some(error);
    }
    summary.text = mask.over(&summary.text);
    summary.notes = summary.notes.iter().map(|note| mask.over(note)).collect();
    summary.error = summary.error.map(|error| mask.over(&error));
    summary
}

fn all(run: &Run<'_>, summary: &mut Summary, mask: &mut Mask) -> Result<(), String> {
    let env = load(run.root, run.env)?;
    *mask = Mask::of(&env);
    let mut machine = Machine::new(run.root, &env, mask);
    machine.dry = run.dry;
    let plain = |error: TaskError| chain(&error);
    let mut ledger = Ledger::load(run.root).map_err(plain)?;
    let tasks: Vec<Entry> = run.tasks.iter().flat_map(Entry::parts).collect();
    let names = names(&tasks);
    let mut reboot = None;
    for (name, entry) in names.iter().zip(&tasks) {
        if entry.stage() > run.stage {
            continue;
        }
        let plan = entry
            .plan(&machine)
            .and_then(|plan| one(run, &machine, &mut ledger, (name, plan), summary));
        let plan = plan.map_err(|error| format!("task {name}: {}", chain(&error)))?;
        reboot = plan.reboot().map(str::to_owned).or(reboot);
    }
    for name in ledger.retired(&names) {
        one(run, &machine, &mut ledger, (&name, Plan::default()), summary).map_err(plain)?;
    }
    if let Some(reason) = reboot {
        restart(run, &machine, &mut ledger, &reason, summary).map_err(plain)?;
    }
    Ok(())
}

/// Whether an earlier run left something that may have to be taken back.
pub fn has_history(root: &Root) -> bool {
    ledger::exists(root)
}

fn load(root: &Root, path: &Path) -> Result<Node, String> {
    let shown = path.display().to_string();
    let bytes = std::fs::read(root.at(path))
        .map_err(|error| format!("cannot read the active env {shown}: {error}"))?;
    let text = userdata::check(&shown, &bytes).map_err(|error| error.to_string())?;
    Node::parse(&shown, text).map_err(|(file, error)| format!("{file}: {error}"))
}

/// Names of tasks for the ledger: the kind, with a number from the second of a kind on.
fn names(tasks: &[Entry]) -> Vec<String> {
    let kinds: Vec<&str> = tasks.iter().map(Entry::name).collect();
    let numbered = kinds.iter().enumerate().map(|(at, kind)| {
        match kinds.iter().take(at).filter(|other| *other == kind).count() {
            0 => (*kind).to_owned(),
            before => format!("{kind} {}", before + 1),
        }
    });
    numbered.collect()
}

/// Shows one task's plan and carries it out.
fn one(
    run: &Run<'_>,
    machine: &Machine<'_>,
    ledger: &mut Ledger,
    (name, mut plan): (&str, Plan),
    summary: &mut Summary,
) -> Result<Plan, TaskError> {
    ledger.clean(machine, name, &mut plan);
    summary.notes.extend(plan.notes().iter().map(|note| format!("{name}: {note}")));
    let unfinished = ledger.is_unfinished(name);
    if !plan.is_empty() || unfinished {
        summary.text += &format!("{name}:\n{}", plan.text());
    }
    if run.dry {
        return Ok(plan);
    }
    if !plan.is_empty() || unfinished {
        ledger.begin(run.root, name)?;
        plan.apply(machine)?;
    }
    ledger.end(run.root, name, plan.owned())?;
    Ok(plan)
}

/// Starts the machine anew, once for a reason.
fn restart(
    run: &Run<'_>,
    machine: &Machine<'_>,
    ledger: &mut Ledger,
    reason: &str,
    summary: &mut Summary,
) -> Result<(), TaskError> {
    if run.dry {
        summary.text += &format!("restart the machine once: {reason}\n");
        return Ok(());
    }
    if !ledger.reboot(run.root, reason)? {
        summary.notes.push(format!("{reason}: still so after one restart; none is made again"));
        return Ok(());
    }
    summary.text += &format!("restart the machine: {reason}\n");
    let call = if machine.has_systemd() {
        Call::new("systemctl", ["--no-block", "reboot"])
    } else {
        Call::new("reboot", [""; 0])
    };
    machine.programs.run(&call)?;
    Ok(())
}
