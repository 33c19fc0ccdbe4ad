//! `env merge` and `env explain`.

use std::fs;

use crate::common::{ok_in, run_in};
use crate::{mode, value};

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let files = [
        (
            "vars/default/main.yml",
            "---\ndb:\n  host: a.test\n  port: \"5432\"\n  password: hunter2\nserver_domain: default.test\n",
        ),
        ("vars/prod.yml", "db:\n  host: b.test\nserver_domain: prod.test\n"),
        ("vars/hosts/mx1.yml", "server_name: mx1.test\n"),
    ];
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

#[test]
fn layers_are_merged_and_explained() {
    let dir = folder();
    let named = ["--layers", "vars", "--environment", "prod", "--host", "mx1"];
    ok_in(dir.path(), &[&["env", "merge"], &named[..], &["env.yml"]].concat());
    let env = dir.path().join("env.yml");
    assert_eq!(
        fs::read_to_string(&env).unwrap(),
        "#cloud-config\n# merged from: default, prod, mx1\ndb:\n  host: b.test\n  port: \"5432\"\n  password: hunter2\nserver_domain: prod.test\nserver_name: mx1.test\n"
    );
    assert_eq!(mode(&env), 0o600);
    let explain = |key: &str, more: &[&str]| {
        ok_in(dir.path(), &[&["env", "explain"], &named[..], more, &[key]].concat()).out
    };
    assert_eq!(
        explain("db.host", &[]),
        "  default: a.test (vars/default/main.yml:3:9)\n* prod: b.test (vars/prod.yml:2:9)\n"
    );
    assert_eq!(explain("db.password", &[]), "* default: •••••• (vars/default/main.yml:5:13)\n");
    assert!(!explain("db", &[]).contains("hunter2"));
    let json: serde_json::Value =
        serde_json::from_str(&explain("server_domain", &["--json"])).unwrap();
    assert_eq!((json[1]["line"].as_u64(), json[1]["counts"].as_bool()), (Some(3), Some(true)));
    let ran = run_in(dir.path(), &[&["env", "explain"], &named[..], &["db.hots"]].concat());
    assert!(ran.code == 3 && ran.err.contains("did you mean `host`?"), "{}", ran.err);
}

#[test]
fn b68_a_nested_mapping_is_merged_unless_shallow_is_asked_for() {
    let dir = folder();
    let merge = |more: &[&str], out: &str| {
        ok_in(
            dir.path(),
            &[&["env", "merge", "--layers", "vars", "--environment", "prod"], more, &[out]]
                .concat(),
        );
        fs::read_to_string(dir.path().join(out)).unwrap()
    };
    assert!(merge(&[], "deep.yml").contains("port"));
    assert!(!merge(&["--merge", "shallow"], "shallow.yml").contains("port"));
    fs::write(dir.path().join("p.yml"), "env: {merge: shallow, defaults: vars/default/main.yml}\n")
        .unwrap();
    ok_in(
        dir.path(),
        &["env", "merge", "--profile", "p.yml", "--layer", "vars/prod.yml", "p-env.yml"],
    );
    assert_eq!(value(&dir.path().join("p-env.yml"), "db.host"), "b.test");
    assert!(!fs::read_to_string(dir.path().join("p-env.yml")).unwrap().contains("port"));
}

/// Upstream took the defaults, without a word, where an environment was unknown or not in EC2.
#[test]
fn b69_a_layer_that_is_named_has_to_be_there() {
    let dir = folder();
    let refused = |args: &[&str], message: &str| {
        let ran = run_in(
            dir.path(),
            &[&["env", "merge", "--layers", "vars"], args, &["env.yml"]].concat(),
        );
        assert!(ran.code == 2 && ran.err.contains(message), "{}", ran.err);
        assert!(!dir.path().join("env.yml").exists());
    };
    refused(&["--environment", "pord"], "unknown environment `pord`; did you mean `prod` in vars");
    refused(&["--host", "mx2"], "unknown host `mx2`; did you mean `mx1` in vars/hosts");
    refused(&["--environment", "../x"], "is no name of a layer");
    let ran = run_in(dir.path(), &["env", "merge", "--layer", "none.yml", "env.yml"]);
    assert!(ran.code == 3 && ran.err.contains("reading the layer none.yml"), "{}", ran.err);
}

#[test]
fn findings_name_the_layer_that_is_to_be_corrected() {
    let dir = folder();
    fs::write(dir.path().join("vars/prod.yml"), "db:\n  port: 06:30\n").unwrap();
    let ran = run_in(
        dir.path(),
        &["env", "merge", "--layers", "vars", "--environment", "prod", "env.yml"],
    );
    assert_eq!(ran.code, 3);
    assert!(ran.err.starts_with("vars/prod.yml:2:9: error: db.port: "), "{}", ran.err);
    assert!(!dir.path().join("env.yml").exists());
}
