//! `bootwright env`, judged by the tools that use what it makes.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

mod common;

use std::fs;

use common::{ok_in, run_in};

#[test]
fn check_names_place_and_way_out() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("s.yml"), "keys: {a: {keys: {domain: {format: domain}}}}\n").unwrap();
    fs::write(dir.path().join("env.yml"), "#cloud-config\na:\n  domian: hunter2\n").unwrap();
    let ran = run_in(dir.path(), &["env", "check", "--schema", "s.yml", "env.yml"]);
    assert_eq!(ran.code, 3);
    assert_eq!(
        ran.out,
        "env.yml:3:3: error: a: unknown key `domian`; did you mean `domain`? [unknown-key]\n"
    );
    assert_eq!(ran.err, "error: env.yml: 1 finding to correct\n");

    let ran = run_in(dir.path(), &["env", "check", "--json", "--schema", "s.yml", "env.yml"]);
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((json["errors"].as_u64(), json["findings"][0]["line"].as_u64()), (Some(1), Some(3)));
    assert_eq!(json["findings"][0]["rule"], "unknown-key");

    fs::write(dir.path().join("env.yml"), "#cloud-config\na: 1\na: 2\n").unwrap();
    let ran = run_in(dir.path(), &["env", "check", "env.yml"]);
    assert_eq!(ran.out, "env.yml:3:1: error: the key `a` stands twice in one mapping [syntax]\n");
    fs::write(dir.path().join("env.yml"), "#cloud-config\na: {domain: x.test}\n").unwrap();
    assert_eq!(ok_in(dir.path(), &["env", "check", "--schema", "s.yml", "env.yml"]).out, "");
}
