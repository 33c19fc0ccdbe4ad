//! Tasks in whole runs of the program, and what it says about them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod machine;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use bootwright_seed::medium::Kind;
use bootwright_seed::report::State;
use machine::{Machine, medium};

const CONFIG: &str = "wait_seconds: 0\ntasks:\n- hostname\n- files\n- sysctl\n- hooks\n";
const ENV: &[u8] = b"#cloud-config
appliance:
  domain: ecs.x.test
  password: hunter2
  extra:
    files:
    - {path: /etc/app.conf, contents: \"key=hunter2\", permissions: '0600', owner: '0:0'}
";

fn machine() -> Machine {
    let machine = Machine::new();
    machine.config(CONFIG);
    machine.file("/etc/passwd", b"root:x:0:0::/root:/bin/sh\n");
    machine
}

/// Who runs the tests, as the owner of files: nobody else may give files away.
fn env(machine: &Machine) -> Vec<u8> {
    use std::os::unix::fs::MetadataExt;
    let me = fs::metadata(machine.path("/etc/passwd")).unwrap();
    let text = String::from_utf8(ENV.to_vec()).unwrap();
    text.replace("0:0", &format!("{}:{}", me.uid(), me.gid())).into_bytes()
}

/// Every file below a folder with its content.
fn tree(folder: &Path, into: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tree(&path, into);
        } else {
            into.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
}

#[test]
fn a_boot_does_the_early_tasks_and_apply_all() {
    let machine = machine();
    machine.device("sr0", &medium(Kind::Cidata, &env(&machine)));
    let hook = machine.path("/etc/bootwright/hooks.d/10-late");
    machine.file("/etc/bootwright/hooks.d/10-late", b"#!/bin/sh\nexit 0\n");
    fs::set_permissions(hook, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(machine.boot().state, State::Active);
    assert_eq!(machine.text("/etc/hostname"), "ecs.x.test\n");
    assert_eq!(machine.text("/etc/app.conf"), "key=hunter2");
    assert!(!machine.path("/var/lib/bootwright/hooks").exists());
    let output = machine.command(&["apply"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(machine.path("/var/lib/bootwright/hooks/10-late").exists());
    // Booting and applying again changes nothing but the report and the console.
    let look = || {
        let mut files = BTreeMap::new();
        tree(&machine.path("/"), &mut files);
        files.retain(|path, _| !path.ends_with("report.json") && !path.ends_with("console"));
        files
    };
    let before = look();
    assert_eq!(machine.boot().state, State::Active);
    let output = machine.command(&["apply"]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
    assert_eq!(look(), before);
}

#[test]
fn a_dry_run_shows_a_diff_without_secrets_and_changes_nothing() {
    let machine = machine();
    machine.file("/run/active-env.yml", &env(&machine));
    machine.file("/etc/app.conf", b"key=hunter1");
    let output = machine.command(&["apply", "--dry-run"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(
        said.starts_with("hostname:\n  write /etc/hostname (0644)\n    +ecs.x.test\n"),
        "{said}"
    );
    assert!(said.contains("change /etc/app.conf (0600"), "{said}");
    assert!(!said.contains("hunter"), "{said}");
    assert!(!machine.path("/etc/hostname").exists());
    assert!(!machine.path("/var/lib/bootwright").exists());
}

/// A failed task is a failed machine, and the report says which one.
#[test]
fn b38_a_failed_task_is_named_on_every_channel() {
    let machine = machine();
    let bad = b"#cloud-config\nappliance:\n  domain: not a name\n  password: hunter2\n";
    machine.device("sr0", &medium(Kind::Cidata, bad));
    let report = machine.boot();
    assert_eq!(report.state, State::Failed);
    let error = "task hostname: /run/active-env.yml:3:11: appliance.domain: expected a host name";
    assert_eq!(report.error.as_deref(), Some(error));
    assert!(machine.text("/dev/console").contains(error));
    let output = machine.command(&["apply"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, format!("bootwright-agent: {error}\n"));
}

#[test]
fn without_an_env_there_is_nothing_to_apply() {
    let machine = machine();
    let output = machine.command(&["apply"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no env is active"));
}

#[test]
fn the_second_stage_is_started_where_systemd_runs() {
    let machine = machine();
    machine.device("sr0", &medium(Kind::Cidata, &env(&machine)));
    let root = machine.path("/").display().to_string();
    let script = format!("#!/bin/sh\necho \"$*\" >> {root}/calls\n");
    machine.file("/usr/bin/systemctl", script.as_bytes());
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(machine.path("/usr/bin/systemctl"), mode).unwrap();
    fs::create_dir_all(machine.path("/run/systemd/system")).unwrap();
    assert_eq!(machine.boot().state, State::Active);
    let start = "--no-block start bootwright-tasks.service\n";
    assert_eq!(machine.text("/calls"), format!("daemon-reload\n{start}"));
    // systemd itself likes the unit.
    let unit = machine.path("/run/systemd/system/bootwright-tasks.service");
    let text = fs::read_to_string(&unit).unwrap();
    let program = env!("CARGO_BIN_EXE_bootwright-agent");
    fs::write(&unit, text.replace("/usr/lib/bootwright/bootwright-agent", program)).unwrap();
    let judge = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit).output();
    let judge = judge.unwrap_or_else(|e| panic!("systemd-analyze: {e}; run ci/setup"));
    let said = String::from_utf8_lossy(&judge.stderr).into_owned();
    assert!(!said.contains("bootwright-tasks"), "{said}");
}
