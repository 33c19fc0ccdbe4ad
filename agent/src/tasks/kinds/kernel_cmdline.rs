//! `kernel_cmdline`: arguments of the kernel, and one restart that makes them count.

use serde::Deserialize;

use crate::tasks::env;
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::{File, Plan};
use crate::tasks::program::Call;

const GRUB: &str = "/etc/default/grub.d/60-bootwright.cfg";
const GRUB_MENU: &str = "/boot/grub/grub.cfg";
const EXTLINUX: &str = "/etc/update-extlinux.conf";
const EXTLINUX_KEY: &str = "default_kernel_opts=";

/// What agent.yml may say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Arguments of the appliance.
    args: Vec<String>,
    /// Key of the env with more.
    key: String,
    /// Start the machine anew, once, when the running kernel lacks one.
    reboot: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { args: Vec::new(), key: "appliance.kernel_cmdline".into(), reboot: true }
    }
}

/// The changes.
pub fn plan(options: &Options, machine: &Machine<'_>) -> Result<Plan, TaskError> {
    let mut plan = Plan::default();
    let mut args: Vec<&str> = Vec::new();
    if let Some(bad) = options.args.iter().find(|arg| !is_arg(arg)) {
        return Err(TaskError::Refused(format!("kernel_cmdline.args: `{bad}` is no argument")));
    }
    args.extend(options.args.iter().map(String::as_str));
    for item in env::list(machine.env, &options.key)? {
        let arg = item.text().map(str::trim).filter(|arg| is_arg(arg));
        let problem = "expected an argument without blanks and quotes";
        args.push(arg.ok_or_else(|| env::refuse(item, &options.key, problem))?);
    }
    if machine.exists("/etc/default/grub") {
        grub(machine, &mut plan, &args)?;
    } else if let Some(text) = machine.read(EXTLINUX)? {
        extlinux(machine, &mut plan, &text, &args)?;
    } else if !args.is_empty() {
        return Err(TaskError::Refused(
            "the image has neither GRUB (/etc/default/grub) nor extlinux to give arguments to"
                .into(),
        ));
    }
    let running = machine.read("/proc/cmdline")?.unwrap_or_default();
    let lacking: Vec<&str> = args
        .iter()
        .filter(|arg| !running.split_whitespace().any(|r| r == **arg))
        .copied()
        .collect();
    if options.reboot && !lacking.is_empty() {
        plan.ask_reboot(format!("the running kernel lacks {}", lacking.join(" ")));
    }
    Ok(plan)
}

fn is_arg(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !"'\"\\`$;&|<>".contains(c))
}

fn grub(machine: &Machine<'_>, plan: &mut Plan, args: &[&str]) -> Result<(), TaskError> {
    if !args.is_empty() {
        let args = args.join(" ");
        let text = format!("GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX {args}\"\n");
        plan.file(machine, File::new(GRUB, text))?;
    }
    plan.after([if machine.programs.has("update-grub") {
        Call::new("update-grub", [""; 0]).limit(300)
    } else {
        Call::new("grub-mkconfig", ["-o", GRUB_MENU]).limit(300)
    }]);
    Ok(())
}

/// Adds what is missing to the one line of extlinux' configuration. What an env no longer
/// asks for stays there: whose it was cannot be told.
fn extlinux(
    machine: &Machine<'_>,
    plan: &mut Plan,
    text: &str,
    args: &[&str],
) -> Result<(), TaskError> {
    let line = text.lines().find(|line| line.starts_with(EXTLINUX_KEY)).unwrap_or_default();
    let old = line.strip_prefix(EXTLINUX_KEY).unwrap_or_default().trim_matches('"');
    let mut all: Vec<&str> = old.split_whitespace().collect();
    let before = all.len();
    for arg in args {
        if !all.contains(arg) {
            all.push(arg);
        }
    }
    if all.len() == before {
        return Ok(());
    }
    let new = format!("{EXTLINUX_KEY}\"{}\"", all.join(" "));
    let text =
        if line.is_empty() { format!("{text}{new}\n") } else { text.replacen(line, &new, 1) };
    plan.shared_file(machine, File::like(machine, EXTLINUX, text, 0o644))?;
    plan.after([Call::new("update-extlinux", [""; 0])]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::tasks::bench::Bench;

    fn bench() -> Bench {
        let bench = Bench::new();
        bench.tasks("- kernel_cmdline: {args: [swapaccount=1]}\n");
        bench.file("/etc/default/grub", "");
        bench.file("/proc/cmdline", "root=/dev/vda1 ro\n");
        bench.tool("update-grub", "");
        bench.systemd();
        bench.env("appliance: {kernel_cmdline: [cgroup_enable=memory]}\n");
        bench
    }

    #[test]
    fn one_restart_and_never_two() {
        let bench = bench();
        let planned = bench.dry();
        let reason = "the running kernel lacks swapaccount=1 cgroup_enable=memory";
        assert!(planned.text.ends_with(&format!("restart the machine once: {reason}\n")));
        let summary = bench.apply();
        assert_eq!(summary.error, None);
        assert_eq!(bench.calls(), ["update-grub ", "systemctl --no-block reboot"]);
        assert_eq!(
            bench.text(super::GRUB),
            "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX swapaccount=1 cgroup_enable=memory\"\n"
        );
        // A boot loader that does not pass them on must not lead to a loop.
        let again = bench.apply();
        assert!(again.notes[0].contains("none is made again"), "{again:?}");
        assert_eq!(bench.calls(), [""; 0]);
        bench.file("/proc/cmdline", "ro swapaccount=1 cgroup_enable=memory\n");
        assert!(bench.settle().notes.is_empty());
    }

    #[test]
    fn extlinux_and_nothing() {
        let bench = Bench::new();
        bench.tasks("- kernel_cmdline: {args: [swapaccount=1], reboot: false}\n");
        assert!(bench.refused().contains("neither GRUB"));
        bench.file(super::EXTLINUX, "a=1\ndefault_kernel_opts=\"quiet\"\nb=2\n");
        bench.tool("update-extlinux", "");
        bench.settle();
        assert_eq!(
            bench.text(super::EXTLINUX),
            "a=1\ndefault_kernel_opts=\"quiet swapaccount=1\"\nb=2\n"
        );
        bench.env("appliance: {kernel_cmdline: ['a\"b']}\n");
        assert!(bench.refused().contains("expected an argument"));
    }
}
