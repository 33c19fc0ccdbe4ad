//! Whole runs of the agent below a folder that stands for the machine.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod machine;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use bootwright_seed::create::Seed;
use bootwright_seed::medium::Kind;
use bootwright_seed::report::{Report, State, VIRTIO_PORT};
use machine::{ENV, Machine, cidata, medium, odd_medium};

fn tried<'a>(report: &'a Report, place: &str) -> &'a str {
    &report.tried.iter().find(|tried| tried.place == place).unwrap().outcome
}

#[test]
fn a_cidata_medium_becomes_the_active_env() {
    let machine = Machine::new();
    machine.device("vda", &[0; 4096]);
    machine.device("sr0", &cidata());
    let report = machine.boot();
    assert_eq!(report.state, State::Active);
    let source = report.source.as_ref().unwrap();
    assert_eq!(
        (source.kind.as_str(), source.device.as_str(), source.file.as_str()),
        ("cidata", "/dev/sr0", "user-data")
    );
    assert_eq!(report.env.as_deref(), Some("/run/active-env.yml"));
    assert_eq!(tried(&report, "/dev/sr0"), "iso9660, label cidata: used");
    assert_eq!(tried(&report, "/dev/vda"), "no ISO 9660 or FAT file system");
    assert_eq!(machine.env().unwrap(), ENV);

    let id = Seed::new("env", ENV.to_vec()).unwrap().instance_id();
    assert_eq!(
        machine.text("/dev/console"),
        format!(
            "bootwright-agent: state=active source=cidata device=/dev/sr0 instance-id={id} profile=ecs/2.4.0\n"
        )
    );
    let mode = |path: &str| fs::metadata(machine.path(path)).unwrap().mode() & 0o7777;
    assert_eq!(mode("/run/active-env.yml"), 0o600);
    assert_eq!(mode("/run/bootwright/report.json"), 0o644);
    assert_eq!(mode("/run/bootwright"), 0o755);
}

#[test]
fn config_2_and_the_order_of_sources() {
    let machine = Machine::new();
    machine.device("sr0", &medium(Kind::Config2, b"#cloud-config\nfrom: config-2\n"));
    assert_eq!(machine.boot().source.unwrap().file, "openstack/latest/user_data");
    machine.device("sda", &cidata());
    let report = machine.boot();
    assert_eq!(report.source.as_ref().unwrap().device, "/dev/sda");
    assert_eq!(
        tried(&report, "/dev/sr0"),
        "iso9660, label config-2: not used, cidata on /dev/sda comes first"
    );
    machine.config("sources: [config-2]\nwait_seconds: 0\n");
    let report = machine.boot();
    assert_eq!(report.source.as_ref().unwrap().device, "/dev/sr0");
    machine.config("sources: [config-2, cidata]\nwait_seconds: 0\n");
    assert_eq!(machine.boot().source.unwrap().kind, "config-2");
}

/// Upstream made this wanted state a failure (domain.md B35).
#[test]
fn no_medium_is_unconfigured() {
    let machine = Machine::new();
    machine.device("vda", &[0; 65536]);
    machine.device("vda1", b"\x00garbage");
    machine.device("vda15", &odd_medium("UEFI", &[("a", b"")]));
    let report = machine.boot();
    assert_eq!(
        (report.state, report.error.as_ref(), machine.env()),
        (State::Unconfigured, None, None)
    );
    assert_eq!(tried(&report, "/dev/vda15"), "iso9660, label UEFI: not a seed");
    assert_eq!(
        machine.text("/dev/console"),
        "bootwright-agent: state=unconfigured profile=ecs/2.4.0\n"
    );
}

#[test]
fn a_seed_of_a_kind_that_is_not_configured() {
    let machine = Machine::new();
    machine.config("sources: [config-2]\nwait_seconds: 0\n");
    machine.device("sr0", &cidata());
    let report = machine.boot();
    assert_eq!(report.state, State::Unconfigured);
    assert_eq!(
        tried(&report, "/dev/sr0"),
        "iso9660, label cidata: not used, cidata is not among the configured sources"
    );
}

/// Boots with `image` in the drive after a good seed and returns the error.
fn error_of(image: &[u8]) -> String {
    let machine = Machine::new();
    machine.device("sr0", &cidata());
    machine.boot();
    machine.device("sr0", image);
    let report = machine.boot();
    assert_eq!((report.state, report.source), (State::Failed, None));
    // What was active stays as it was.
    assert_eq!(machine.env().unwrap(), ENV);
    let error = report.error.unwrap();
    assert!(
        machine
            .text("/dev/console")
            .contains(&format!("state=failed profile=ecs/2.4.0 error={error}\n"))
    );
    error
}

/// Upstream went on without an env (domain.md B30) or replaced a good one by a bad one (B32).
#[test]
fn b30_b32_bad_media_are_named() {
    let meta = ("meta-data", &b"instance-id: i\n"[..]);
    let user_data = |content: &'static [u8]| odd_medium("cidata", &[meta, ("user-data", content)]);
    for (image, expected) in [
        (
            odd_medium("cidata", &[meta]),
            "the cidata seed on /dev/sr0 cannot be used: user-data is missing; a cidata medium needs both user-data and meta-data",
        ),
        (
            odd_medium("CIDATA", &[("user-data", ENV)]),
            "the cidata seed on /dev/sr0 cannot be used: meta-data is missing; a cidata medium needs both user-data and meta-data",
        ),
        (
            user_data(b"appliance: {secret: hunter2}\n"),
            "the user-data on /dev/sr0 cannot be used; correct it and make the seed anew: user-data:1:1: the first line must be `#cloud-config`, with nothing before it",
        ),
        (
            user_data(b"#cloud-config\na: 1\nb: {c: hunter2\n"),
            "the user-data on /dev/sr0 cannot be used; correct it and make the seed anew: user-data:3:4: unclosed bracket '{'",
        ),
        (
            user_data(b"#cloud-config\nsecret: hunter2\nsecret: x\n"),
            "the user-data on /dev/sr0 cannot be used; correct it and make the seed anew: user-data:3:1: the key `secret` stands twice in one mapping",
        ),
        (
            cidata()[..20 * 2048].to_vec(),
            "the cidata seed on /dev/sr0 cannot be used: the iso9660 file system is damaged or cut short (a pointer lies outside the image); make the medium anew",
        ),
    ] {
        assert_eq!(error_of(&image), expected);
    }
    let mut large = b"#cloud-config\na: ".to_vec();
    large.resize(17 << 20, b'x');
    let image = odd_medium("cidata", &[meta, ("user-data", &large)]);
    assert!(
        error_of(&image).contains("user-data has 17825792 bytes, more than the limit of 16777216")
    );
}

#[test]
fn two_media_of_one_kind() {
    let machine = Machine::new();
    machine.device("vda", &cidata());
    machine.device("vdb", &cidata());
    machine.device("sr0", &medium(Kind::Cidata, b"#cloud-config\na: other\n"));
    machine.device("sda", &odd_medium("cidata", &[]));
    let report = machine.boot();
    assert_eq!(report.source.as_ref().unwrap().device, "/dev/vdb");
    assert_eq!(
        tried(&report, "/dev/vda"),
        "iso9660, label cidata: not used, the same seed as /dev/vdb"
    );
    assert_eq!(
        tried(&report, "/dev/sr0"),
        "iso9660, label cidata: not used, another seed than /dev/vdb, which comes first"
    );
    assert!(
        tried(&report, "/dev/sda")
            .contains("not used, the cidata seed on /dev/sda cannot be used: user-data is missing")
    );
}

#[test]
fn a_vfat_seed_in_a_partition() {
    let run = |tool: &str, args: &[&str]| {
        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
        let output = Command::new(tool).args(args).env("PATH", path).output();
        let output = output.unwrap_or_else(|e| {
            panic!("{tool} cannot be run ({e}); ci/setup installs dosfstools and mtools")
        });
        assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let machine = Machine::new();
    let partition = machine.path("partition.img");
    let partition = partition.to_str().unwrap();
    run("mkfs.vfat", &["-n", "cidata", "-C", partition, "2048"]);
    for (name, content) in [("user-data", ENV), ("meta-data", b"instance-id: fat\n")] {
        machine.file(name, content);
        run("mcopy", &["-i", partition, machine.path(name).to_str().unwrap(), "::"]);
    }
    let partition = fs::read(partition).unwrap();
    let mut disk = vec![0; 1 << 20];
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk.extend(&partition);
    machine.device("sdb", &disk);
    machine.device("sdb1", &partition);
    let report = machine.boot();
    let source = report.source.as_ref().unwrap();
    assert_eq!((source.device.as_str(), source.filesystem.as_deref()), ("/dev/sdb1", Some("vfat")));
    assert_eq!(report.instance_id.as_deref(), Some("fat"));
    assert_eq!(tried(&report, "/dev/sdb"), "no ISO 9660 or FAT file system");
}

#[test]
fn a_second_run_changes_nothing_but_the_report() {
    let machine = Machine::new();
    machine.device("sr0", &cidata());
    machine.boot();
    let stamp = |path: &str| {
        let metadata = fs::metadata(machine.path(path)).unwrap();
        (metadata.ino(), metadata.mtime_nsec())
    };
    let (env, report) = (stamp("/run/active-env.yml"), stamp("/run/bootwright/report.json"));
    machine.boot();
    assert_eq!(stamp("/run/active-env.yml"), env);
    assert_ne!(stamp("/run/bootwright/report.json"), report);
    let left: Vec<_> =
        fs::read_dir(machine.path("/run")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn the_report_goes_to_the_virtio_port_and_to_systemd() {
    let machine = Machine::new();
    machine.device("sr0", &cidata());
    machine.file("/sys/class/virtio-ports/vport0p1/name", format!("{VIRTIO_PORT}\n").as_bytes());
    machine.file("/dev/vport0p1", b"");
    let socket = machine.path("notify");
    let receiver = UnixDatagram::bind(&socket).unwrap();
    let status = machine.command(&["boot"]).env("NOTIFY_SOCKET", &socket).status().unwrap();
    assert!(status.success());
    let sent = machine.text("/dev/vport0p1");
    assert_eq!(sent, machine.text("/run/bootwright/report.json"));
    assert_eq!(sent.matches('\n').count(), 1);
    let mut buf = [0; 512];
    let length = receiver.recv(&mut buf).unwrap();
    assert!(buf[..length].starts_with(b"STATUS=state=active source=cidata device=/dev/sr0"));
}

#[test]
fn a_broken_configuration_is_reported() {
    let machine = Machine::new();
    machine.device("sr0", &cidata());
    machine.config("wait_second: 0\n");
    let report = machine.boot();
    assert_eq!(report.state, State::Failed);
    let error = report.error.unwrap();
    assert!(error.starts_with("the configuration cannot be used"), "{error}");
    assert!(error.contains("/etc/bootwright/agent.yml:1:1: unknown key `wait_second`"), "{error}");
}

#[test]
fn an_env_that_cannot_be_written_is_a_failure() {
    let machine = Machine::new();
    machine.device("sr0", &cidata());
    machine.file("/run/active-env.yml/in-the-way", b"");
    let report = machine.boot();
    assert_eq!(report.state, State::Failed);
    assert!(report.error.unwrap().starts_with("cannot write "));
}

#[test]
fn a_run_folder_that_cannot_be_written_is_said_on_the_console() {
    let machine = Machine::new();
    machine.device("sr0", &cidata());
    machine.file("/run", b"in the way");
    let output = machine.command(&["boot"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let console = machine.text("/dev/console");
    assert!(
        console.starts_with(
            "bootwright-agent: state=failed error=cannot lock /run/bootwright/agent.lock; "
        ),
        "{console}"
    );
}

#[test]
fn missing_channels_are_said_and_do_no_harm() {
    let machine = Machine::new();
    machine.device("sr0", &cidata());
    fs::remove_file(machine.path("/dev/console")).unwrap();
    let output = machine.command(&["boot"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.starts_with("bootwright-agent: no report on /dev/console: "), "{stderr}");
}

#[test]
fn status_shows_the_last_report() {
    let machine = Machine::new();
    let output = machine.command(&["status"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no report"));
    machine.device("sr0", &cidata());
    machine.boot();
    let output = machine.command(&["status"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.starts_with("state:       active\nprofile:     ecs 2.4.0\nsource:      user-data on /dev/sr0 (cidata, iso9660)\n"), "{said}");
    let output = machine.command(&["status", "--json"]).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        machine.text("/run/bootwright/report.json")
    );
}

#[test]
fn wrong_usage_ends_with_2() {
    let machine = Machine::new();
    let output = machine.command(&["start"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(!machine.path("/run").exists());
}

/// The budget of a boot: 30 ms of processor time and 16 MiB with eight block devices, and that
/// even without the release build's optimisation.
#[test]
fn a_run_is_cheap() {
    const RUNS: u32 = 20;
    let machine = Machine::new();
    for name in ["vda", "vda1", "vda14", "vda15", "vdb", "vdc", "sda"] {
        machine.device(name, &vec![0; 1 << 20]);
    }
    machine.device("sr0", &cidata());
    let (mut seconds, mut peak) = (0.0, 0);
    for _ in 0..RUNS {
        let _ = fs::remove_file(machine.path("/run/active-env.yml"));
        let agent = machine.command(&["boot"]);
        let mut timed = Command::new("/usr/bin/time");
        timed.args(["-f", "%U %S %M"]).arg(agent.get_program()).args(agent.get_args());
        let output = timed.env_remove("NOTIFY_SOCKET").env_remove("ENV_YML").output();
        let output = output.unwrap_or_else(|e| panic!("time cannot be run ({e}): run ci/setup"));
        assert!(output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        let numbers: Vec<f64> = said.split_whitespace().map(|n| n.parse().unwrap()).collect();
        seconds += numbers[0] + numbers[1];
        peak = peak.max(numbers[2] as u64);
    }
    let each = seconds / f64::from(RUNS);
    assert!(each <= 0.03, "{each} s of processor time a run");
    assert!(peak <= 16 * 1024, "{peak} KiB at the peak");
}
