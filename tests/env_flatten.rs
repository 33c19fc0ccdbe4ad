//! `bootwright env flatten`, judged by those who read what it writes: dash, bash, systemd's
//! own parser of environment files, docker's rules, and PyYAML for the types of `--compat`.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

#[path = "common/mod.rs"]
mod common;

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use common::{ok_in, run_in, text, tool};

/// Values that trip quoting, as YAML and as they are meant.
const NASTY: [(&str, &str, &str); 11] = [
    ("plain", "whatever.me", "whatever.me"),
    ("empty", "\"\"", ""),
    ("blanks", "\"  two  blanks  \"", "  two  blanks  "),
    ("quote", "\"it's \\\"quoted\\\"\"", "it's \"quoted\""),
    ("dollar", "'$HOME `id` $(id) ${x}'", "$HOME `id` $(id) ${x}"),
    ("slash", "'a\\b\\\\c\\'", "a\\b\\\\c\\"),
    ("hash", "'# no comment; no command'", "# no comment; no command"),
    ("bang", "'!history * ? [a] ~ {a,b}'", "!history * ? [a] ~ {a,b}"),
    ("equals", "'a=b=c'", "a=b=c"),
    ("utf8", "'Österreich 漢字'", "Österreich 漢字"),
    ("tab", "\"a\\tb\"", "a\tb"),
];
/// As above, with line ends in them.
const LINES: [(&str, &str, &str); 2] = [
    ("pem", "\"-----BEGIN\\nabc==\\n-----END\\n\"", "-----BEGIN\nabc==\n-----END\n"),
    ("crlf", "\"a\\r\\nb\\\\\\n  c\\n\\n\"", "a\r\nb\\\n  c\n\n"),
];

fn document(values: &[(&str, &str, &str)]) -> String {
    let lines: Vec<String> =
        values.iter().map(|(key, yaml, _)| format!("  {key}: {yaml}\n")).collect();
    format!("#cloud-config\nv:\n{}", lines.concat())
}

fn all() -> Vec<(&'static str, &'static str, &'static str)> {
    NASTY.iter().chain(&LINES).copied().collect()
}

/// What `program` prints for `V_…` of each value, split at NUL.
fn printed(program: &mut Command, values: &[(&str, &str, &str)]) {
    let output = program.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let out = String::from_utf8(output.stdout).unwrap();
    let got: Vec<&str> = out.split_terminator('\0').collect();
    let expected: Vec<&str> = values.iter().map(|(_, _, value)| *value).collect();
    assert_eq!(got, expected);
}

#[test]
fn shells_read_every_value_back() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("env.yml"), document(&all())).unwrap();
    let flat = ok_in(dir.path(), &["env", "flatten", "--file", "env.yml", "v"]);
    fs::write(dir.path().join("vars.sh"), &flat.out).unwrap();
    let names: Vec<String> =
        all().iter().map(|(key, ..)| format!("\"$V_{}\"", key.to_uppercase())).collect();
    // `export` has to have worked too: a child prints.
    let script = format!(". ./vars.sh; sh -c 'printf \"%s\\0\" {}'", names.join(" "));
    for shell in ["dash", "bash"] {
        printed(Command::new(shell).args(["-eu", "-c", &script]).current_dir(&dir), &all());
    }
}

/// systemd's generator of user environments reads its files with the parser of
/// `EnvironmentFile=`; it expands `$` afterwards, so that `$$` stands for one.
#[test]
fn systemd_reads_every_value_back() {
    let dir = tempfile::tempdir().unwrap();
    // Its files take no empty values; those of `EnvironmentFile=` do.
    let doubled: Vec<(&str, String, &str)> = all()
        .iter()
        .filter(|(key, ..)| *key != "empty")
        .map(|(key, yaml, value)| (*key, yaml.replace('$', "$$"), *value))
        .collect();
    let values: Vec<(&str, &str, &str)> =
        doubled.iter().map(|(key, yaml, value)| (*key, yaml.as_str(), *value)).collect();
    fs::write(dir.path().join("env.yml"), document(&values)).unwrap();
    let flat =
        ok_in(dir.path(), &["env", "flatten", "--format", "systemd", "--file", "env.yml", "v"]);
    fs::create_dir(dir.path().join("environment.d")).unwrap();
    fs::write(dir.path().join("environment.d/50-v.conf"), &flat.out).unwrap();
    let generator =
        "/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator";
    let output = Command::new(generator)
        .env_clear()
        .env("HOME", dir.path())
        .env("XDG_CONFIG_HOME", dir.path())
        .output()
        .unwrap_or_else(|error| panic!("{generator} ({error}): run ci/setup"));
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    fs::write(dir.path().join("printed"), &output.stdout).unwrap();
    let mut python = Command::new("/usr/bin/python3");
    printed(python.args(["-c", SYSTEMD, "printed"]).current_dir(&dir), &values);
}

/// Undoes how systemd prints values that a shell would trip over: C escapes between quotes.
const SYSTEMD: &str = r##"
import re, sys
names = {"n": "\n", "t": "\t", "r": "\r"}
for line in open(sys.argv[1], encoding="utf-8"):
    name, _, value = line.removesuffix("\n").partition("=")
    if not name.startswith("V_"): continue
    if value.startswith('"'):
        value = re.sub(r"\\(.)", lambda m: names.get(m[1], m[1]), value[1:-1])
    sys.stdout.write(value + "\0")
"##;

/// The rules of docker's opts/file.go: lines, a byte order mark and leading blanks dropped,
/// comments, no blanks in a name, everything behind the first `=` is the value.
const DOCKER: &str = r##"
import sys
for line in open(sys.argv[1], newline="\n", encoding="utf-8"):
    line = line.removesuffix("\n").removesuffix("\r").lstrip()
    if not line or line.startswith("#"): continue
    name, equals, value = line.partition("=")
    assert equals and name and not any(c.isspace() for c in name), line
    sys.stdout.write(value + "\0")
"##;

#[test]
fn docker_reads_every_value_back() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("env.yml"), document(&NASTY)).unwrap();
    let args = ["env", "flatten", "--format", "docker", "--file", "env.yml", "v"];
    fs::write(dir.path().join("vars.env"), ok_in(dir.path(), &args).out).unwrap();
    let mut python = Command::new("/usr/bin/python3");
    printed(python.args(["-c", DOCKER, "vars.env"]).current_dir(&dir), &NASTY);
    fs::write(dir.path().join("env.yml"), document(&all())).unwrap();
    let refused = run_in(dir.path(), &args);
    assert_eq!((refused.code, refused.out.as_str()), (3, ""));
    assert!(
        refused.err.contains("env.yml:14:3: the value of V_PEM has more than one line"),
        "{}",
        refused.err
    );
}

/// Scalars on both sides of every pattern of YAML 1.1, with the Python text of each.
#[test]
fn compat_types_are_those_of_pyyaml() {
    let scalars = "0600 0 00 08 09 0o17 -0 +5 1_000 0b101 0b102 0x1F -0xff 0x 6:30 06:30 06:30:00 \
        22:30 1:60 190:20:30 12:30:45.5 1.50 1. .5 -.5 +.5 1e3 1.0e3 1.0e+3 1.0e-7 1.5e+20 \
        123456789.123 0.0001 0.00001 1e-5 1.0 100000000000000000.0 1234567890123456.7 .inf -.inf +.Inf .NaN . .. \
        1_0.5_0 yes No ON off y n true True tRUE 2017-01-30 2017-1-30 2017-01-30T06:30:00 \
        2017-01-30T6:30:00.25Z 2017-01-30t06:30:00+02:00 2017-01-30T06:30:00-0530 1.2.3 10.0.0.1 \
        12345678901234567890 -12345678901234567890 _1 1__2 1e 0x1G 0b 017 0777 -017 +0b11 9:9:9 \
        1:2:3.25 2017-12-24T00:00:00.1234567 1.e+2 1.5E-3 0.1 3.0e+15 3.0e+16 Yes NO On OFF";
    let lines: Vec<String> =
        scalars.split_whitespace().enumerate().map(|(i, s)| format!("  k{i:03}: {s}\n")).collect();
    let document =
        format!("v:\n{}  s1: 2017-01-30 06:30:00 +2\n  s2: 2017-01-30 6:30:00.5\n", lines.concat());
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("d.yml"), &document).unwrap();
    let flat = ok_in(dir.path(), &["env", "flatten", "--compat", "--file", "d.yml", "v"]).out;
    let script = r#"
import shlex, sys, yaml
for key, value in sorted(yaml.safe_load(open(sys.argv[1]))["v"].items()):
    text = str(value).lower() if isinstance(value, bool) else \
        shlex.quote(value.strip()) if isinstance(value, str) else str(value)
    print("V_" + key.upper() + "=" + text)
"#;
    let path = dir.path().join("d.yml");
    assert_eq!(flat, tool("/usr/bin/python3", &["-c", script, text(&path)]));
}

#[test]
fn stdin_missing_keys_and_usage() {
    let dir = tempfile::tempdir().unwrap();
    let piped = |args: &[&str], input: &str| {
        let mut child = common::bootwright()
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        common::ran(child.wait_with_output().unwrap())
    };
    let old = piped(&["env", "flatten", "--compat", "ecs,missing"], "ecs: {a: 1}\n");
    assert_eq!((old.code, old.out.as_str()), (0, "ECS_A=1\n"));
    assert_eq!(old.err, "the key `missing` is not there\n");
    let new = piped(&["env", "flatten", "ecs,missing"], "ecs: {a: 1}\n");
    assert_eq!((new.code, new.out.as_str()), (3, ""));
    assert!(new.err.contains("stdin:1:1: unknown key `missing`"), "{}", new.err);
    let broken = piped(&["env", "flatten", "a"], "a: [hunter2\n");
    assert!(broken.code == 3 && !broken.err.contains("hunter2"), "{}", broken.err);
    for args in ["", "--postfix ; a", "--prefix x: a"] {
        let args: Vec<&str> =
            ["env", "flatten"].into_iter().chain(args.split_whitespace()).collect();
        assert_eq!(run_in(dir.path(), &args).code, 2, "{args:?}");
    }
}
