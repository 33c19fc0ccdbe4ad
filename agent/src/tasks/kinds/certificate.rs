//! `certificate`: a self-signed certificate, so that TLS services can start.
//!
//! A certificate that the agent did not make is never touched.

use serde::Deserialize;

use super::files::is_path;
use super::hostname::is_domain;
use crate::tasks::env;
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::{File, Plan};
use crate::tasks::program::Call;

/// What agent.yml may say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Where the certificate goes.
    cert: String,
    /// Where its private key goes.
    key: String,
    /// To whom both belong.
    owner: String,
    /// Permissions of the key, octal.
    key_mode: String,
    /// Key of the env with the name it is for.
    domain_key: String,
    /// Key of the env with further names.
    names_key: String,
    /// How long it is valid.
    days: u32,
    /// Bits of the RSA key.
    bits: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cert: "/etc/ssl/bootwright/server.cert.pem".into(),
            key: "/etc/ssl/bootwright/server.key.pem".into(),
            owner: "root:root".into(),
            key_mode: "0600".into(),
            domain_key: "appliance.domain".into(),
            names_key: "appliance.ssl.names".into(),
            days: 3650,
            bits: 2048,
        }
    }
}

/// The changes.
pub fn plan(options: &Options, machine: &Machine<'_>) -> Result<Plan, TaskError> {
    let mut plan = Plan::default();
    let Options { cert, key, .. } = options;
    let mode = env::parse_mode(&options.key_mode).filter(|mode| mode & 0o007 == 0);
    let Some(mode) = mode.filter(|_| is_path(cert) && is_path(key)) else {
        return Err(TaskError::Refused(
            "certificate: cert and key have to be absolute paths, and key_mode octal digits that \
             let nobody but owner and group in"
                .into(),
        ));
    };
    let Some(domain) = env::text(machine.env, &options.domain_key)? else {
        return Ok(plan);
    };
    let mut names = vec![domain];
    names.extend(env::texts(machine.env, &options.names_key)?);
    if !names.iter().all(|name| is_domain(name.strip_prefix("*.").unwrap_or(name))) {
        let node = env::find(machine.env, &options.domain_key).unwrap_or(machine.env);
        return Err(env::refuse(node, &options.domain_key, "expected host names").into());
    }
    let stamp = format!("{cert}.bootwright");
    let content = format!("{} {} {}\n", names.join(" "), options.days, options.bits);
    let (has_cert, has_key) = (machine.exists(cert), machine.exists(key));
    let ours = machine.read(&stamp)?;
    if has_cert && has_key && ours.as_ref().is_none_or(|ours| *ours == content) {
        return Ok(plan);
    }
    if ours.is_none() && (has_cert || has_key) {
        return Err(TaskError::Refused(format!(
            "only one of {cert} and {key} is there, and not made by the agent; add the other one, \
             or remove it"
        )));
    }
    make(options, machine, &mut plan, &names)?;
    plan.mode(&format!("{key}.new"), mode);
    plan.own_tree(&format!("{key}.new"), &options.owner);
    plan.mode(&format!("{cert}.new"), 0o644);
    plan.own_tree(&format!("{cert}.new"), &options.owner);
    plan.rename(&format!("{key}.new"), key);
    plan.rename(&format!("{cert}.new"), cert);
    plan.shared_file(machine, File::new(stamp, content))?;
    Ok(plan)
}

/// Has openssl make both, beside their places. The request is a file, since older releases
/// have no option for alternative names.
fn make(
    options: &Options,
    machine: &Machine<'_>,
    plan: &mut Plan,
    names: &[&str],
) -> Result<(), TaskError> {
    // The common name has at most 64 characters; the alternative names are what counts.
    let common: String = names.first().unwrap_or(&"").chars().take(64).collect();
    let all: Vec<String> = names.iter().map(|name| format!("DNS:{name}")).collect();
    let request = format!(
        "[req]\nprompt=no\ndistinguished_name=dn\nx509_extensions=ext\n[dn]\nCN={common}\n[ext]\n\
         subjectAltName={}\nbasicConstraints=critical,CA:FALSE\n\
         keyUsage=critical,digitalSignature,keyEncipherment\nextendedKeyUsage=serverAuth\n",
        all.join(",")
    );
    let folder = |path: &str| path.rsplit_once('/').map_or("/", |(dir, _)| dir).to_owned();
    for dir in [folder(&options.cert), folder(&options.key)] {
        if !machine.exists(&dir) {
            plan.folder(machine, &dir, None, None)?;
        }
    }
    let at = |path: &str| machine.programs.real(path);
    let words = [
        "req".to_owned(),
        "-x509".into(),
        "-sha256".into(),
        "-nodes".into(),
        "-newkey".into(),
        format!("rsa:{}", options.bits),
        "-days".into(),
        options.days.to_string(),
        "-config".into(),
        "/dev/stdin".into(),
        "-keyout".into(),
        at(&format!("{}.new", options.key)),
        "-out".into(),
        at(&format!("{}.new", options.cert)),
    ];
    // openssl makes key files 0600.
    plan.run(Call::new("openssl", words).input(request).limit(300));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use crate::tasks::bench::Bench;

    const CERT: &str = "/app/etc/server.cert.pem";
    const KEY: &str = "/app/etc/server.key.pem";

    fn bench() -> Bench {
        let bench = Bench::new();
        bench.tasks(&format!("- certificate: {{cert: {CERT}, key: {KEY}, key_mode: '0640'}}\n"));
        bench.real("openssl");
        bench.env("appliance: {domain: ecs.x.test, ssl: {names: [www.x.test]}}\n");
        bench
    }

    #[test]
    fn b44_b63_names_lifetime_and_modes_judged_by_openssl() {
        let bench = bench();
        bench.settle();
        assert_eq!((bench.mode(KEY), bench.mode(CERT)), (0o640, 0o644));
        let mut judge = Command::new("openssl");
        judge.args(["x509", "-noout", "-text", "-in"]).arg(bench.path(CERT));
        let said = String::from_utf8(judge.output().unwrap().stdout).unwrap();
        assert!(said.contains("DNS:ecs.x.test, DNS:www.x.test"), "{said}");
        assert!(said.contains("CA:FALSE"), "{said}");
        let first = bench.text(CERT);
        // Another name: another certificate.
        bench.env("appliance: {domain: other.test}\n");
        bench.settle();
        assert_ne!(bench.text(CERT), first);
    }

    #[test]
    fn a_supplied_certificate_is_never_overwritten() {
        let bench = bench();
        bench.file(CERT, "supplied");
        assert!(bench.refused().contains("only one of"));
        bench.file(KEY, "supplied too");
        assert_eq!(bench.settle().text, "");
        assert_eq!(bench.text(CERT), "supplied");
    }
}
