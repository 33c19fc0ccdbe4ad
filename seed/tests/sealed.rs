//! The `age` tool opens what we seal and seals what we open.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs;

use bootwright_seed::sealed::{Identity, Recipient, is_sealed, open, seal};
use common::{ENV, run};

#[test]
fn age_opens_what_we_seal() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let identity = Identity::generate().unwrap();
    fs::write(path("key"), format!("# a comment\n{}\n", *identity.line())).unwrap();
    let public = run("age", "age-keygen", &["-y", &path("key")]);
    assert_eq!(public.trim(), identity.recipient().to_string());
    for (name, plain) in [("small", ENV.to_vec()), ("empty", Vec::new()), ("big", ENV.repeat(4000))]
    {
        fs::write(path(name), seal(&plain, &[identity.recipient()]).unwrap()).unwrap();
        // The tool makes no file for an empty content.
        let opened = path(&format!("{name}.opened"));
        run("age", "age", &["-d", "-i", &path("key"), "-o", &opened, &path(name)]);
        assert_eq!(fs::read(opened).unwrap_or_default(), plain, "{name}");
    }
}

#[test]
fn we_open_what_age_seals() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    for key in ["key", "other"] {
        run("age", "age-keygen", &["-o", &path(key)]);
    }
    let text = fs::read_to_string(path("key")).unwrap();
    let identities = Identity::parse_file("key", &text).unwrap();
    let recipient = identities[0].recipient().to_string();
    assert!(text.contains(&format!("# public key: {recipient}\n")));
    assert_eq!(Recipient::parse(&recipient), Some(identities[0].recipient()));
    let other = run("age", "age-keygen", &["-y", &path("other")]);
    run("openssh-client", "ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &path("ssh")]);
    let big = ENV.repeat(4000);
    for (plain, options) in [
        (ENV, &["-a"][..]),
        (ENV, &[]),
        (&[][..], &["-a"]),
        (&big[..], &["-a", "-r", other.trim(), "-R", &path("ssh.pub")]),
    ] {
        fs::write(path("plain"), plain).unwrap();
        let (out, from) = (path("sealed"), path("plain"));
        run("age", "age", &[options, &["-r", &recipient, "-o", &out, &from]].concat());
        let sealed = fs::read(&out).unwrap();
        assert!(is_sealed(&sealed));
        assert_eq!(open(&sealed, &identities).unwrap(), plain);
    }
}
