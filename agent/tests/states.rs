//! States, policies, and what an administrator does about them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod machine;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::{Duration, Instant};

use bootwright_seed::medium::Kind;
use bootwright_seed::report::{Report, State};
use machine::{ENV, Machine, cidata, medium, odd_medium};

const OTHER: &[u8] = b"#cloud-config\nappliance: {secret: hunter2, other: 1}\n";

fn kind(report: &Report) -> &str {
    &report.source.as_ref().unwrap_or_else(|| panic!("{report:?}")).kind
}

fn configured(keys: &str) -> Machine {
    let machine = Machine::new();
    machine.dmi("QEMU", "Standard PC", "11111111-2222-3333-4444-555555555555");
    machine.config(&format!("wait_seconds: 0\n{keys}"));
    machine
}

/// Upstream made this wanted state a failure (domain.md B35).
#[test]
fn b35_standby_is_clean_and_takes_the_env_away() {
    let machine = configured("");
    machine.device("sr0", &cidata());
    machine.boot();
    assert!(machine.env().is_some());
    machine.device("sr0", &medium(Kind::Cidata, b"#cloud-config\nappliance: {standby: true}\n"));
    let report = machine.boot();
    assert_eq!((report.state, report.error, report.env), (State::Standby, None, None));
    assert!(machine.env().is_none());
    assert!(machine.has("/run/bootwright/standby") && !machine.has("/run/bootwright/failed"));
    machine.device("sr0", &cidata());
    assert_eq!(machine.boot().state, State::Active);
    assert!(!machine.has("/run/bootwright/standby"));
}

#[test]
fn a_machine_waits_for_its_data_until_it_is_told() {
    let machine = configured("restore_key: restore.first\n");
    machine.device("sr0", &medium(Kind::Cidata, b"#cloud-config\nrestore: {first: true}\n"));
    assert_eq!(machine.boot().state, State::WaitingForRestore);
    assert!(machine.env().is_some() && machine.has("/run/bootwright/waiting-for-restore"));
    let (code, said, _) = machine.run(&["recover", "--restored"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(machine.report().state, State::Active);
    assert!(!machine.has("/run/bootwright/waiting-for-restore"));
    assert_eq!(machine.boot().state, State::Active);
    // A copy of the disk on another machine waits for its own data.
    machine.dmi("QEMU", "Standard PC", "99999999-2222-3333-4444-555555555555");
    assert_eq!(machine.boot().state, State::WaitingForRestore);
}

/// cloud-init takes any seed for the machine's own (LP#1879530).
#[test]
fn the_first_seed_binds_the_machine() {
    let machine = configured("reseed: first\nkeep: plain\n");
    machine.device("vda", &cidata());
    assert_eq!(machine.boot().state, State::Active);
    // An attacker's medium comes first by its name, but the machine knows its own.
    machine.device("vdb", &medium(Kind::Cidata, OTHER));
    machine.device("vdc", &odd_medium("cidata", &[]));
    let report = machine.boot();
    assert_eq!((report.state, report.source.unwrap().device.as_str()), (State::Active, "/dev/vda"));
    assert!(report.warnings[0].starts_with("a seed was refused: /dev/vdb: this machine is bound"));
    assert_eq!(machine.env().unwrap(), ENV);
    // Without its own medium the machine lives on what it kept.
    fs::remove_dir_all(machine.path("/sys/class/block/vda")).unwrap();
    fs::remove_dir_all(machine.path("/run")).unwrap();
    let report = machine.boot();
    assert_eq!((report.state, kind(&report)), (State::Active, "kept"));
    assert_eq!(machine.env().unwrap(), ENV);
    // Root of the machine may change it, and may release it.
    machine.file("/app/env.yml", OTHER);
    assert_eq!(kind(&machine.boot()), "file");
    fs::remove_file(machine.path("/app/env.yml")).unwrap();
    fs::remove_dir_all(machine.path("/sys/class/block/vdc")).unwrap();
    assert_eq!(machine.run(&["recover", "--unbind"]).0, 0);
    assert_eq!(machine.boot().source.unwrap().device, "/dev/vdb");
}

#[test]
fn a_bound_machine_without_a_kept_env_refuses_and_says_so() {
    let machine = configured("reseed: first\nkeep: none\n");
    machine.device("vda", &cidata());
    machine.boot();
    machine.device("vda", &medium(Kind::Cidata, OTHER));
    let report = machine.boot();
    assert_eq!(report.state, State::Failed);
    let error = report.error.unwrap();
    assert!(error.starts_with("no seed may be used: /dev/vda: this machine is bound"), "{error}");
    assert_eq!(machine.env().unwrap(), ENV);
    // The binding is to this machine, not to its disk.
    machine.dmi("QEMU", "Standard PC", "99999999-2222-3333-4444-555555555555");
    assert_eq!(machine.boot().state, State::Active);
    // A binding that cannot be read does not let anybody in.
    machine.file("/var/lib/bootwright/binding.json", b"{");
    let error = machine.boot().error.unwrap();
    assert!(error.contains("binding.json is no record of this agent"), "{error}");
}

/// A medium with a signature beside the user-data.
fn signed(machine: &Machine, key: &str, text: &str) -> Vec<u8> {
    let dir = machine.path("/keys");
    fs::create_dir_all(&dir).unwrap();
    let keygen = |words: &[&str]| {
        let output = Command::new("ssh-keygen").args(words).current_dir(&dir).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    if !dir.join(key).exists() {
        keygen(&["-q", "-t", "ed25519", "-N", "", "-f", key]);
    }
    let _ = fs::remove_file(dir.join("user-data.sig"));
    fs::write(dir.join("user-data"), text).unwrap();
    keygen(&["-q", "-Y", "sign", "-n", "bootwright-seed", "-f", key, "user-data"]);
    let signature = fs::read(dir.join("user-data.sig")).unwrap();
    odd_medium(
        "cidata",
        &[
            ("user-data", text.as_bytes()),
            ("user-data.sig", &signature),
            ("meta-data", b"instance-id: i\n"),
        ],
    )
}

#[test]
fn only_a_newer_signed_seed_replaces_the_old_one() {
    let machine = configured("reseed: newer-signed\nkeep: none\n");
    let seed = |serial: u32| format!("#cloud-config\n# serial: {serial}\na: {serial}\n");
    machine.device("vda", &signed(&machine, "ours", &seed(5)));
    let error = machine.boot().error.unwrap();
    assert!(error.contains("/etc/bootwright/signers holds no ssh-ed25519 key"), "{error}");
    let public = machine.text("/keys/ours.pub");
    machine.file("/etc/bootwright/signers", public.as_bytes());
    assert_eq!(machine.boot().state, State::Active);
    for (key, serial, expected) in [
        ("theirs", 6, "its signature is by no key of the signers file"),
        ("ours", 4, "it has serial 4 and this machine's seed has serial 5"),
    ] {
        machine.device("vda", &signed(&machine, key, &seed(serial)));
        let error = machine.boot().error.unwrap();
        assert!(error.contains(expected), "{error}");
    }
    machine.device("vda", &cidata());
    assert!(machine.boot().error.unwrap().contains("user-data.sig is missing"));
    machine.device("vda", &signed(&machine, "ours", &seed(6)));
    assert_eq!(machine.boot().state, State::Active);
    assert_eq!(machine.env().unwrap(), seed(6).as_bytes());
}

#[test]
fn an_encrypted_seed_with_and_without_its_key() {
    use bootwright_seed::sealed::{Identity, seal};
    let machine = configured("keep: encrypted\n");
    let key = Identity::generate().unwrap();
    let sealed = seal(ENV, &[key.recipient()]).unwrap();
    let meta = ("meta-data", &b"instance-id: s\n"[..]);
    let image = odd_medium("cidata", &[meta, ("user-data", &sealed)]);
    machine.device("sr0", &image);
    let error = machine.boot().error.unwrap();
    assert!(error.contains("encrypted and this machine has no key for it"), "{error}");
    let stranger = Identity::generate().unwrap();
    machine.file("/etc/bootwright/identity", format!("{}\n", *stranger.line()).as_bytes());
    let error = machine.boot().error.unwrap();
    assert!(error.contains("not to a key of this machine"), "{error}");
    machine.file("/etc/bootwright/identity", format!("{}\n", *key.line()).as_bytes());
    assert_eq!(machine.boot().state, State::Active);
    assert_eq!(machine.env().unwrap(), ENV);
    // What is kept on the disk is what came: encrypted.
    assert_eq!(fs::read(machine.path("/var/lib/bootwright/kept.yml.age")).unwrap(), sealed);
    fs::remove_dir_all(machine.path("/sys/class/block/sr0")).unwrap();
    fs::remove_dir_all(machine.path("/run")).unwrap();
    assert_eq!(kind(&machine.boot()), "kept");
    assert_eq!(machine.env().unwrap(), ENV);
}

/// Upstream wrote first and checked later (domain.md B32).
#[test]
fn b32_the_schema_of_the_image_is_kept_to() {
    let machine = configured("");
    machine.file(
        "/etc/bootwright/env.schema.yml",
        b"keys: {appliance: {keys: {secret: {type: text, required: true}}}}\n",
    );
    machine.device("sr0", &cidata());
    let report = machine.boot();
    assert_eq!(report.state, State::Active, "{report:?}");
    machine.device("sr0", &medium(Kind::Cidata, b"#cloud-config\nappliance: {secert: hunter2}\n"));
    let report = machine.boot();
    assert_eq!(report.state, State::Failed);
    let error = report.error.unwrap();
    assert!(error.contains("user-data:2:") && error.contains("appliance.sec"), "{error}");
    assert_eq!(machine.env().unwrap(), ENV);
}

#[test]
fn the_medium_is_released_after_use() {
    let machine = configured("after_use: wipe\nkeep: plain\n");
    machine.device("vdb", &cidata());
    machine.boot();
    let (code, said, err) = machine.run(&["release"]);
    assert_eq!((code, said.as_str(), err.as_str()), (0, "/dev/vdb: overwritten\n", ""));
    assert!(fs::read(machine.path("/dev/vdb")).unwrap().iter().all(|byte| *byte == 0));
    fs::remove_dir_all(machine.path("/run")).unwrap();
    let report = machine.boot();
    assert_eq!((kind(&report), machine.env().unwrap()), ("kept", ENV.to_vec()));
    assert_eq!(machine.run(&["release"]).1, "no medium is to be released\n");
}

/// Upstream's failure unit named the last unit instead of the one that failed (domain.md B38).
#[test]
fn b38_the_first_failed_unit_is_the_one_that_is_reported() {
    let machine = configured("failure_flag: /run/appliance-failed\n");
    machine.device("sr0", &cidata());
    machine.boot();
    assert_eq!(machine.run(&["failed", "prepare-storage.service"]).0, 0);
    assert_eq!(machine.run(&["failed", "appliance.service"]).0, 0);
    let report = machine.report();
    assert_eq!((report.state, kind(&report)), (State::Failed, "cidata"));
    assert!(report.error.unwrap().starts_with("the unit prepare-storage.service failed"));
    assert!(machine.has("/run/appliance-failed"));
    let (code, said, _) = machine.run(&["recover"]);
    assert_eq!((code, said.as_str()), (0, "the failure is cleared\n"));
    assert!(!machine.has("/run/appliance-failed"));
}

#[test]
fn recover_brings_a_kept_env_back() {
    let machine = configured("");
    machine.device("sr0", &cidata());
    machine.boot();
    machine.device("sr0", &medium(Kind::Cidata, OTHER));
    machine.boot();
    assert_eq!(machine.env().unwrap(), OTHER);
    assert_eq!(machine.run(&["recover", "--previous"]).0, 0);
    assert_eq!(machine.env().unwrap(), ENV);
    let empty = configured("keep: none\n");
    assert!(empty.run(&["recover", "--last"]).2.contains("no such env is kept"));
}

/// Upstream wrote the page in place and pasted text into it (domain.md B37).
#[test]
fn b37_the_status_page_follows_the_state() {
    let page = "status_page: {html: /var/www/503.html, json: /var/www/status.json, mode: \"0640\"";
    let machine = configured(&format!("{page}, remove_when_active: true}}\n"));
    machine.boot();
    let html = machine.text("/var/www/503.html");
    assert!(html.contains("<h1>Appliance is not configured</h1>"), "{html}");
    assert!(html.contains("http-equiv=\"refresh\" content=\"30\""), "{html}");
    let mode = fs::metadata(machine.path("/var/www/503.html")).unwrap().mode() & 0o7777;
    assert_eq!(mode, 0o640);
    machine.device("sr0", &odd_medium("cidata", &[("user-data", b"<b>"), ("meta-data", b"")]));
    machine.boot();
    assert!(machine.text("/var/www/503.html").contains("has failed"));
    let json: serde_json::Value =
        serde_json::from_str(&machine.text("/var/www/status.json")).unwrap();
    assert_eq!(json["state"], "failed");
    machine.device("sr0", &cidata());
    machine.boot();
    assert!(!machine.has("/var/www/503.html") && !machine.has("/var/www/status.json"));
}

#[test]
fn hyper_v_and_hooks_get_the_report() {
    let machine = configured("");
    machine.file("/sys/bus/vmbus/devices/x/id", b"");
    machine.script(
        "/etc/bootwright/report.d/track",
        &format!("cat >{}", machine.path("/tracked").display()),
    );
    machine.device("sr0", &cidata());
    machine.boot();
    assert_eq!(machine.text("/tracked"), machine.text("/run/bootwright/report.json"));
    let pool = fs::read(machine.path("/var/lib/hyperv/.kvp_pool_1")).unwrap();
    assert!(pool.starts_with(b"bootwright.state\0") && pool[512..].starts_with(b"active\0"));
}

/// Waits until `done`, for ten seconds at most.
fn eventually(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_seed_that_is_attached_later_is_taken_without_a_reboot() {
    let machine = configured("consumers: [appliance.service]\n");
    machine.file("/run/systemd/system/x", b"");
    let asked = machine.path("/asked");
    machine.script("/usr/bin/systemctl", &format!("echo \"$@\" >>{}", asked.display()));
    assert_eq!(machine.boot().state, State::Unconfigured);
    assert!(machine.has("/run/bootwright/watch") && machine.has("/run/bootwright/unconfigured"));
    let mut watch = machine.command(&["watch"]).spawn().unwrap();
    // A bad one first: it is reported, and the watch goes on.
    machine.device("sr0", &odd_medium("cidata", &[("user-data", b"x"), ("meta-data", b"")]));
    eventually("the failure", || machine.report().state == State::Failed);
    assert!(machine.has("/run/bootwright/watch"));
    machine.device("vdb", &cidata());
    let code = watch.wait().unwrap().code();
    assert_eq!((code, machine.report().state), (Some(0), State::Active));
    assert_eq!(machine.env().unwrap(), ENV);
    assert_eq!(fs::read_to_string(asked).unwrap(), "--no-block restart appliance.service\n");
    assert!(!machine.has("/run/bootwright/watch") && !machine.has("/run/bootwright/failed"));
    assert!(machine.run(&["watch"]).1.starts_with("there is nothing to wait for"));
}

#[test]
fn facts_are_printed() {
    let machine = configured("");
    machine.file("/etc/os-release", b"ID=debian\nVERSION_ID=\"13\"\n");
    let (code, said, _) = machine.run(&["facts"]);
    assert_eq!(code, 0);
    assert!(said.contains("os=debian\nos_version=13\nproduct='Standard PC'\n"), "{said}");
    assert!(said.contains("virtual=true\n"), "{said}");
    let json: serde_json::Value =
        serde_json::from_str(&machine.run(&["facts", "--json"]).1).unwrap();
    assert_eq!(json["vendor"], "QEMU");
}

/// Upstream gave every service the whole env (domain.md B76) through a fifo in /tmp (B34).
#[test]
fn b34_b76_a_command_gets_the_keys_it_asked_for_and_no_others() {
    let machine = configured("");
    let env = b"#cloud-config\nappliance: {domain: x.test, secret: hunter2, files: [{path: /p}]}\necs: {git: {branch: m}}\n";
    assert!(machine.run(&["env", "export", "ecs"]).2.contains("cannot be read"));
    machine.device("sr0", &medium(Kind::Cidata, env));
    machine.boot();
    let asked = ["env", "exec", "--keys", "appliance.domain,ecs", "--root"];
    let run = |command: &[&str]| {
        let root = machine.path("/");
        let words = [&asked[..], &[root.to_str().unwrap(), "--"], command].concat();
        let mut agent = Command::new(env!("CARGO_BIN_EXE_bootwright-agent"));
        let output = agent.args(words).env_clear().output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = run(&["/usr/bin/env"]);
    assert_eq!((code, said.as_str()), (Some(0), "APPLIANCE_DOMAIN=x.test\nECS_GIT_BRANCH=m\n"));
    assert_eq!(run(&["/bin/sh", "-c", "exit 7"]).0, Some(7));
    assert_eq!(run(&["/no/such/program"]).0, Some(1));
    let (_, said, _) = machine.run(&["env", "export", "--format", "systemd", "ecs.git"]);
    assert_eq!(said, "ECS_GIT_BRANCH=\"m\"\n");
    let (_, said, _) = machine.run(&["env", "export", "appliance.files[0].path"]);
    assert_eq!(said, "export APPLIANCE_FILES_0_PATH='/p'\n");
    let (code, said, err) = machine.run(&["env", "flatten", "--prefix", "export ", "ecs,none"]);
    assert_eq!((code, said.as_str()), (0, "export ECS_GIT_BRANCH=m\n"));
    assert!(err.contains("`none` is not there"));
    assert!(machine.run(&["env", "export", "appliance.x"]).2.contains("no key `appliance.x`"));
}
