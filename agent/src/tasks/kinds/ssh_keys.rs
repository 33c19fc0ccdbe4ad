//! `ssh_keys`: keys that open accounts, and keys that no longer do.

use bootwright_seed::yaml::tree::Node;
use serde::Deserialize;

use crate::tasks::accounts;
use crate::tasks::env;
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::{File, Plan};

/// What agent.yml may say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The accounts.
    users: Vec<String>,
    /// Key of the env with the keys that open them.
    key: String,
    /// Key of the env with the keys that do not.
    deprecated_key: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            users: vec!["root".into()],
            key: "ssh_authorized_keys".into(),
            deprecated_key: "ssh_deprecated_keys".into(),
        }
    }
}

/// The part of a key line that identifies the key.
type Identity = (String, String);

/// The changes.
pub fn plan(options: &Options, machine: &Machine<'_>) -> Result<Plan, TaskError> {
    let wanted = keys(machine.env, &options.key)?;
    let gone = keys(machine.env, &options.deprecated_key)?;
    let mut plan = Plan::default();
    let users = accounts::users(machine)?;
    for name in &options.users {
        let user = users.iter().find(|user| user.name == *name).ok_or_else(|| {
            TaskError::Refused(format!("there is no user `{name}` to give SSH keys to"))
        })?;
        let folder = format!("{}/.ssh", user.home.trim_end_matches('/'));
        let path = format!("{folder}/authorized_keys");
        let old = machine.read(&path)?.unwrap_or_default();
        let new = merge(&old, &wanted, &gone);
        if new == old && !machine.exists(&path) {
            continue;
        }
        let owner = format!("{}:{}", user.uid, user.gid);
        plan.folder(machine, &folder, Some(0o700), Some(&owner))?;
        plan.shared_file(machine, File::new(path, new).mode(0o600).owner(owner))?;
    }
    Ok(plan)
}

/// The keys of a list, each with its line.
fn keys(tree: &Node, key: &str) -> Result<Vec<(Identity, String)>, TaskError> {
    let mut found = Vec::new();
    for item in env::list(tree, key)? {
        let line = item.text().map(str::trim).filter(|line| !line.contains(['\n', '\r']));
        let identity = line.and_then(identity);
        match (line, identity) {
            (Some(line), Some(identity)) => found.push((identity, line.to_owned())),
            _ => return Err(env::refuse(item, key, "expected an OpenSSH public key").into()),
        }
    }
    Ok(found)
}

/// Type and blob of the key in a line of authorized_keys, behind any options.
fn identity(line: &str) -> Option<Identity> {
    let words = words(line);
    let at = words
        .iter()
        .position(|word| ["ssh-", "ecdsa-", "sk-"].iter().any(|prefix| word.starts_with(prefix)))?;
    let blob = words.get(at + 1)?;
    let base64 = |b: u8| b.is_ascii_alphanumeric() || b"+/=".contains(&b);
    // Every blob begins with the length of its type's name: three zero bytes.
    let fits = blob.starts_with("AAAA") && blob.bytes().all(base64) && at <= 1;
    fits.then(|| (words[at].clone(), blob.clone()))
}

/// Words of a line; blanks in double quotes separate nothing.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for c in line.chars() {
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = c == '\\' && !escaped;
        match words.last_mut() {
            Some(word) if quoted || !c.is_whitespace() => word.push(c),
            Some(word) if !word.is_empty() => words.push(String::new()),
            _ => {}
        }
    }
    words
}

/// cloud-init puts this before keys of an account that it disables; such a key opens nothing.
fn is_refusing(line: &str) -> bool {
    line.contains("command=\"echo 'Please login as the user")
}

fn merge(old: &str, wanted: &[(Identity, String)], gone: &[(Identity, String)]) -> String {
    let has = |list: &[(Identity, String)], id: &Identity| list.iter().any(|(i, _)| i == id);
    let mut open: Vec<Identity> = Vec::new();
    let mut lines: Vec<String> = Vec::new();
    for line in old.lines() {
        match identity(line).filter(|_| !line.trim_start().starts_with('#')) {
            Some(id) if has(gone, &id) => {}
            Some(id) if has(wanted, &id) && is_refusing(line) => {}
            Some(id) => {
                open.push(id);
                lines.push(line.to_owned());
            }
            None => lines.push(line.to_owned()),
        }
    }
    for (id, line) in wanted {
        // A key in both lists is out of use.
        if !open.contains(id) && !has(gone, id) {
            open.push(id.clone());
            lines.push(line.clone());
        }
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use crate::tasks::bench::Bench;

    const A: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAA a@x";
    const B: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQBB b@x";
    const FILE: &str = "/root/.ssh/authorized_keys";

    fn bench() -> Bench {
        let bench = Bench::new();
        bench.tasks("- ssh_keys\n");
        bench
    }

    #[test]
    fn b36_keys_come_and_go_at_every_run() {
        let bench = bench();
        bench.file(FILE, "# by hand\nssh-rsa AAAAB3other keep@x\n");
        bench.env(&format!("ssh_authorized_keys:\n- {A}\n- {B}\nssh_deprecated_keys:\n"));
        bench.settle();
        assert_eq!(bench.text(FILE), format!("# by hand\nssh-rsa AAAAB3other keep@x\n{A}\n{B}\n"));
        assert_eq!((bench.mode("/root/.ssh"), bench.mode(FILE)), (0o700, 0o600));
        // The comment of a deprecated key does not matter, and deprecated beats wanted.
        let other = B.replace("b@x", "former colleague");
        bench
            .env(&format!("ssh_authorized_keys:\n- {A}\n- {B}\nssh_deprecated_keys:\n- {other}\n"));
        bench.settle();
        assert_eq!(bench.text(FILE), format!("# by hand\nssh-rsa AAAAB3other keep@x\n{A}\n"));
    }

    /// F143: cloud-init's refusal must not stay before a key of root.
    #[test]
    fn a_refusing_line_is_replaced_and_options_stay() {
        let bench = bench();
        bench.file(
            FILE,
            &format!("no-pty,command=\"echo 'Please login as the user \\\"debian\\\"';exit 1\" {A}\nfrom=\"10.0.0.0/8\" {B}\n"),
        );
        bench.env(&format!("ssh_authorized_keys:\n- {A}\n- {B}\n"));
        bench.settle();
        assert_eq!(bench.text(FILE), format!("from=\"10.0.0.0/8\" {B}\n{A}\n"));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let bench = bench();
        for bad in ["ssh-rsa", "\"ssh-rsa AAAAB3x\\nssh-rsa AAAAB3y\"", "x y ssh-rsa AAAA", "{}"] {
            bench.env(&format!("ssh_authorized_keys: [{bad}]\n"));
            assert!(bench.refused().ends_with("expected an OpenSSH public key"));
        }
        bench.tasks("- ssh_keys: {users: [app]}\n");
        bench.env(&format!("ssh_authorized_keys:\n- {A}\n"));
        assert!(bench.refused().contains("there is no user `app`"));
        assert!(!bench.path("/root").exists());
    }

    #[test]
    fn without_keys_nothing_is_made() {
        let bench = bench();
        assert_eq!(bench.settle().text, "");
    }
}
