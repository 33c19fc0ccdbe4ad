//! `env create` over an env that is there.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::common::{names, ok_in, run_in};
use crate::{mode, value};

const OLD: &str = "#cloud-config\na:\n  domain: {{ domain | yaml }}\n  # the old secret\n  one: {{ hex(8) | yaml }}\n";
const NEW: &str = "#cloud-config\na:\n  domain: {{ domain | yaml }}\n  one: {{ hex(8) | yaml }}\n  # new\n  two: {{ hex(8) | yaml }}\n";
const SCHEMA: &str = "domain: a.domain\nkeys: {a: {keys: {domain: {format: domain, required: true}, one: {generated: hex(8)}, two: {secret: true}}}}\n";

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [("old.yml", OLD), ("new.yml", NEW), ("s.yml", SCHEMA)] {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

#[test]
fn b11_an_env_that_is_there_is_not_overwritten() {
    let dir = folder();
    let create =
        ["env", "create", "--template", "old.yml", "--schema", "s.yml", "x.test", "env.yml"];
    ok_in(dir.path(), &create);
    let env = dir.path().join("env.yml");
    let before = fs::read_to_string(&env).unwrap();
    let ran = run_in(dir.path(), &create);
    assert_eq!(ran.code, 3);
    assert!(
        ran.err.starts_with("error: env.yml exists, and its secrets with it; give --upgrade"),
        "{}",
        ran.err
    );
    assert_eq!(fs::read_to_string(&env).unwrap(), before);

    let upgrade = [
        "env",
        "create",
        "--upgrade",
        "--template",
        "new.yml",
        "--schema",
        "s.yml",
        "x.test",
        "env.yml",
    ];
    let ran = ok_in(dir.path(), &upgrade);
    assert_eq!(ran.err, "added a.two\n");
    let after = fs::read_to_string(&env).unwrap();
    assert!(after.starts_with(&before) && after.contains("\n  # new\n  two: "), "{after}");
    assert_eq!(ok_in(dir.path(), &upgrade).err, "env.yml lacks nothing; left as it is\n");
    assert_eq!(fs::read_to_string(&env).unwrap(), after);

    let ran = run_in(dir.path(), &[&upgrade[..7], &["y.test", "env.yml"]].concat());
    assert!(ran.code == 3 && ran.err.contains("belongs to the domain `x.test`"), "{}", ran.err);
    assert_eq!(names(dir.path()), ["env.yml", "new.yml", "old.yml", "s.yml"]);
}

/// Upstream's helper wrote its output readable by everybody, and over its input.
#[test]
fn b58_a_rotated_env_is_its_owners_alone_and_the_rest_of_it_stays() {
    let dir = folder();
    let env = dir.path().join("env.yml");
    ok_in(dir.path(), &["env", "create", "--template", "new.yml", "x.test", "env.yml"]);
    let text = fs::read_to_string(&env).unwrap() + "  note: \"it's\" # 'quotes' in a comment\n";
    fs::write(&env, text).unwrap();
    fs::set_permissions(&env, fs::Permissions::from_mode(0o644)).unwrap();
    let (one, two) = (value(&env, "a.one"), value(&env, "a.two"));
    let ran = ok_in(
        dir.path(),
        &["env", "create", "--rotate", "a.one", "--template", "new.yml", "x.test", "env.yml"],
    );
    assert_eq!(ran.err, "made anew a.one\n");
    assert_eq!(mode(&env), 0o600);
    assert!(value(&env, "a.one") != one && value(&env, "a.two") == two);
    assert!(
        fs::read_to_string(&env).unwrap().ends_with("  note: \"it's\" # 'quotes' in a comment\n")
    );
    let ran = run_in(
        dir.path(),
        &["env", "create", "--rotate", "a.domain", "--template", "new.yml", "x.test", "env.yml"],
    );
    assert!(ran.code == 3 && ran.err.contains("`a.domain` cannot be rotated"), "{}", ran.err);
}

#[test]
fn b12_extras_are_taken_as_a_whole_or_refused() {
    let dir = folder();
    fs::write(dir.path().join("x.yml"), "a:\n  two: \"0600\"\nusers: [\"ä\\\\n\"]\n").unwrap();
    let create = |schema: &str, target: &str| {
        fs::write(dir.path().join("s.yml"), schema).unwrap();
        run_in(
            dir.path(),
            &[
                "env",
                "create",
                "--template",
                "old.yml",
                "--schema",
                "s.yml",
                "--extra",
                "x.yml",
                "x.test",
                target,
            ],
        )
    };
    let ran = create(SCHEMA, "one.yml");
    assert!(
        ran.code == 3 && ran.err.starts_with("x.yml:3:1: error: unknown key `users`"),
        "{}",
        ran.err
    );
    assert!(!dir.path().join("one.yml").exists());
    let ran = create(&format!("cloud_init: true\n{SCHEMA}"), "two.yml");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let env = dir.path().join("two.yml");
    assert!(fs::read_to_string(&env).unwrap().contains("  two: \"0600\"\n"));
    assert_eq!(value(&env, "users[0]"), "ä\\n");
}

#[test]
fn b16_a_domain_is_one() {
    let dir = folder();
    for domain in ["x\"; rm -rf /", "a b", "-x.test", "ä.test", "1.2.3.4", "../x"] {
        let ran = run_in(dir.path(), &["env", "create", "--template", "old.yml", "--", domain]);
        assert!(ran.code == 2 && ran.err.contains("is no domain"), "{domain}: {}", ran.err);
    }
    assert_eq!(names(dir.path()), ["new.yml", "old.yml", "s.yml"]);
    // A domain that YAML could take for something else stays text.
    ok_in(
        dir.path(),
        &["env", "create", "--template", "old.yml", "--schema", "s.yml", "12e4", "e.yml"],
    );
    assert!(fs::read_to_string(dir.path().join("e.yml")).unwrap().contains("domain: \"12e4\"\n"));
}

#[test]
fn nothing_is_left_behind_by_a_failure() {
    let dir = folder();
    fs::write(dir.path().join("bad.yml"), "#cloud-config\na: {{ hex(8) }}\nb: {{ nothing }}\n")
        .unwrap();
    let ran = run_in(dir.path(), &["env", "create", "--template", "bad.yml", "x.test"]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (3, "error: bad.yml:3: undefined value: `nothing` is undefined\n")
    );
    fs::write(dir.path().join("bad.yml"), "#cloud-config\na: [\n").unwrap();
    let ran = run_in(dir.path(), &["env", "create", "--template", "bad.yml", "x.test"]);
    assert!(ran.code == 3 && ran.err.contains("what the template gives is no env"), "{}", ran.err);
    let ran = run_in(dir.path(), &["env", "create", "x.test"]);
    assert!(ran.code == 2 && ran.err.contains("give --template FILE"), "{}", ran.err);
    assert_eq!(names(dir.path()), ["bad.yml", "new.yml", "old.yml", "s.yml"]);
}
