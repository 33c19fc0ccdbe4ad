//! `openpgp`: keys of the env in the keyrings of their users.

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::tasks::accounts;
use crate::tasks::env;
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::{File, Plan};
use crate::tasks::program::Call;

/// What agent.yml may say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The keys.
    imports: Vec<Import>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Import {
    /// Key of the env with the armored key.
    key: String,
    /// GnuPG's folder.
    home: String,
    /// To whom all in it belongs, as numbers or names.
    #[serde(default = "root")]
    owner: String,
}

fn root() -> String {
    "root:root".into()
}

/// The changes. A key that was imported is not imported again; keys of other origin, and keys
/// that the env had before, stay: old backups need them.
pub fn plan(options: &Options, machine: &Machine<'_>) -> Result<Plan, TaskError> {
    let mut plan = Plan::default();
    for import in &options.imports {
        let Some(armored) = env::exact(machine.env, &import.key)? else {
            continue;
        };
        if !armored.trim_start().starts_with("-----BEGIN PGP ") {
            let node = env::find(machine.env, &import.key).unwrap_or(machine.env);
            let problem = "expected an armored OpenPGP key";
            return Err(env::refuse(node, &import.key, problem).into());
        }
        let digest = Sha256::digest(armored.trim().as_bytes());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let name: String =
            import.key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let stamp = format!("{}/.bootwright-{name}", import.home.trim_end_matches('/'));
        let is_there = ["pubring.kbx", "pubring.gpg", "pubring.db"]
            .iter()
            .any(|ring| machine.exists(&format!("{}/{ring}", import.home)));
        let content = format!("{digest}\n");
        if is_there && machine.read(&stamp)?.as_deref() == Some(&content) {
            continue;
        }
        plan.folder(machine, &import.home, Some(0o700), Some(&import.owner))?;
        let home = machine.programs.real(&import.home);
        let words = ["--batch", "--no-tty", "--homedir", &home, "--import"];
        plan.run(Call::new("gpg", words).input(armored).limit(60));
        // The agent that gpg starts would keep sockets and keys in this folder.
        if machine.programs.has("gpgconf") {
            plan.run(Call::new("gpgconf", ["--homedir", &home, "--kill", "all"]).limit(20));
        }
        plan.own_tree(&import.home, &import.owner);
        plan.shared_file(machine, File::new(stamp, content).mode(0o600).owner(&import.owner))?;
    }
    // Ownership by name needs the names.
    let _ = accounts::groups(machine)?;
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use crate::tasks::bench::Bench;

    fn gpg(bench: &Bench, home: &str, args: &[&str]) -> String {
        let mut command = Command::new("gpg");
        command.args(["--batch", "--homedir"]).arg(bench.path(home)).args(args);
        let output = command.output().unwrap_or_else(|e| panic!("gpg: {e}; run ci/setup"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn key(bench: &Bench, uid: &str) -> String {
        std::fs::create_dir_all(bench.path("/make")).unwrap();
        let words = ["--passphrase", "", "--quick-generate-key", uid, "ed25519", "sign", "never"];
        gpg(bench, "/make", &words);
        let text = gpg(bench, "/make", &["--armor", "--export-secret-keys", uid]);
        let _ = Command::new("gpgconf")
            .arg("--homedir")
            .arg(bench.path("/make"))
            .args(["--kill", "all"])
            .status();
        text
    }

    fn env(key: &str) -> String {
        let lines: Vec<String> = key.lines().map(|line| format!("    {line}\n")).collect();
        format!("backup:\n  encrypt: |\n{}", lines.concat())
    }

    /// B47 and B49: upstream tested for secring.gpg, which GnuPG no longer makes, and wiped
    /// half of a keyring.
    #[test]
    fn b47_b49_keys_are_added_and_found_by_gnupg() {
        let bench = Bench::new();
        bench.tasks("- openpgp: {imports: [{key: backup.encrypt, home: /root/.gnupg}]}\n");
        bench.real("gpg");
        bench.real("gpgconf");
        let (one, two) = (key(&bench, "one"), key(&bench, "ecs_backup"));
        bench.env(&env(&one));
        let summary = bench.settle();
        assert!(!summary.text.contains("BEGIN"), "{}", summary.text);
        assert_eq!(bench.mode("/root/.gnupg"), 0o700);
        bench.env(&env(&two));
        bench.settle();
        let listed = gpg(&bench, "/root/.gnupg", &["--list-secret-keys", "--with-colons"]);
        assert!(listed.contains(":one:") && listed.contains(":ecs_backup:"), "{listed}");
        let _ = Command::new("gpgconf")
            .arg("--homedir")
            .arg(bench.path("/root/.gnupg"))
            .args(["--kill", "all"])
            .status();
    }

    #[test]
    fn what_is_no_key() {
        let bench = Bench::new();
        bench.tasks("- openpgp: {imports: [{key: backup.encrypt, home: /root/.gnupg}]}\n");
        bench.real("gpg");
        bench.env("backup: {encrypt: hunter2}\n");
        assert!(bench.refused().ends_with("backup.encrypt: expected an armored OpenPGP key"));
        bench.env(&env("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nhunter2hunter2"));
        let error = bench.refused();
        assert!(error.contains("`gpg --batch") && !error.contains("hunter2"), "{error}");
    }
}
