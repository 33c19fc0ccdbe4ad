//! The agent in booted guests: a seed that is attached while the machine runs, encrypted ones
//! among them, its release after use, and an env that QEMU hands over.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bootwright_seed::report::VIRTIO_PORT;
use bootwright_seed::sealed::{Identity, seal};
use common::{base, ok_in, text, tool};
use serde_json::{Value, json};

/// An emulated guest takes about 70 s to boot on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(600);
const ENV: &[u8] = b"#cloud-config\nappliance: {domain: site.example, secret: hunter2}\n";
/// A service that uses the env: it starts once there is one, with the one key it asks for.
const CONSUMER: &str = "\
[Unit]
ConditionFileNotEmpty=/run/active-env.yml
After=bootwright-agent.service
[Service]
Type=oneshot
ExecStart=/usr/lib/bootwright/bootwright-agent env exec --keys appliance.domain -- \\
  /bin/sh -c 'echo consumer of $APPLIANCE_DOMAIN sees $(env | grep -c hunter2) secrets >/dev/ttyS0'
[Install]
WantedBy=multi-user.target
";

fn write(dir: &Path, path: &str, content: &str) {
    let path = dir.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// An image whose agent has a key, and ejects the medium after use.
fn build(dir: &Path, key: &Identity) -> PathBuf {
    write(dir, "overlay/etc/bootwright/identity", &format!("{}\n", *key.line()));
    write(dir, "overlay/etc/systemd/system/consumer.service", CONSUMER);
    write(dir, "overlay/modes.yml", "/etc/bootwright/identity: { mode: 0600 }\n");
    write(
        dir,
        "agent.yml",
        "wait_seconds: 3\nkeep: encrypted\nafter_use: eject\nconsumers: [consumer.service]\n",
    );
    let profile = format!(
        "name: demo\nversion: 1.0\nbase: file:{}\ndisk: {{size: 6GiB}}\noverlay: [overlay]\n\
         agent: {{config: agent.yml}}\nunits: {{enable: [consumer.service]}}\noutputs: {{qcow2: }}\n",
        text(&base("debian"))
    );
    write(dir, "p.yml", &profile);
    ok_in(dir, &["build", "p.yml", "--out", "out"]);
    dir.join("out/demo-1.0.qcow2")
}

/// A seed medium whose user-data is encrypted to `key`.
fn medium(dir: &Path, name: &str, key: &Identity) -> PathBuf {
    let folder = dir.join(name);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("user-data"), seal(ENV, &[key.recipient()]).unwrap()).unwrap();
    fs::write(folder.join("meta-data"), format!("instance-id: {name}\n")).unwrap();
    let iso = dir.join(format!("{name}.iso"));
    tool("genisoimage", &["-quiet", "-V", "cidata", "-r", "-J", "-o", text(&iso), text(&folder)]);
    iso
}

/// A running guest; its end is the end of the test's interest in it.
struct Guest {
    qemu: Child,
    dir: PathBuf,
    control: BufReader<UnixStream>,
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

impl Guest {
    fn start(dir: &Path, image: &Path, more: &[&str]) -> Self {
        fs::create_dir_all(dir).unwrap();
        let at = |name: &str| text(&dir.join(name)).to_owned();
        let qemu = Command::new("qemu-system-x86_64")
            .args(["-nodefaults", "-no-user-config", "-display", "none", "-m", "1024", "-smp", "2"])
            .args(["-machine", "q35,graphics=off", "-accel", "tcg", "-cpu", "max,la57=off"])
            .arg("-drive")
            .arg(format!("if=none,id=disk,snapshot=on,format=qcow2,file={}", text(image)))
            .args(["-device", "virtio-blk-pci,drive=disk", "-device", "virtio-scsi-pci,id=scsi"])
            .args(["-netdev", "user,id=net,restrict=on"])
            .args(["-device", "virtio-net-pci,netdev=net,romfile="])
            .args(["-serial", &format!("file:{}", at("console"))])
            .args(["-chardev", &format!("file,id=report,path={}", at("report"))])
            .args(["-device", "virtio-serial-pci"])
            .args(["-device", &format!("virtserialport,chardev=report,name={VIRTIO_PORT}")])
            .args(["-qmp", &format!("unix:{},server=on,wait=off", at("qmp"))])
            .args(more)
            .stdin(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("QEMU does not run ({error}): run ci/setup"));
        let started = Instant::now();
        let control = loop {
            match UnixStream::connect(dir.join("qmp")) {
                Ok(control) => break control,
                Err(error) => assert!(started.elapsed() < PATIENCE, "{error}"),
            }
            thread::sleep(Duration::from_millis(100));
        };
        let mut guest = Self { qemu, dir: dir.to_owned(), control: BufReader::new(control) };
        guest.ask("qmp_capabilities", json!({}));
        guest
    }

    /// Has QEMU do something.
    fn ask(&mut self, command: &str, arguments: Value) -> Value {
        let request = json!({"execute": command, "arguments": arguments});
        writeln!(self.control.get_mut(), "{request}").unwrap();
        loop {
            let mut line = String::new();
            assert!(self.control.read_line(&mut line).unwrap() > 0, "QEMU ended");
            let mut answer: Value = serde_json::from_str(&line).unwrap();
            assert!(answer.get("error").is_none(), "{command}: {line}");
            if let Some(value) = answer.get_mut("return") {
                return value.take();
            }
        }
    }

    /// Puts a CD drive with a medium into the running machine.
    fn attach(&mut self, name: &str, iso: &Path) {
        let file = json!({"driver": "file", "filename": text(iso)});
        let node = json!({"driver": "raw", "node-name": name, "read-only": true, "file": file});
        self.ask("blockdev-add", node);
        let device = json!({"driver": "scsi-cd", "id": name, "drive": name, "bus": "scsi.0"});
        self.ask("device_add", device);
    }

    fn console(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.join("console")).unwrap()).into_owned()
    }

    /// Waits for the report that `is_it`.
    fn report(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let mut found = None;
        self.eventually(what, |guest| {
            let lines = fs::read_to_string(guest.dir.join("report")).unwrap_or_default();
            let reports = lines.lines().filter_map(|line| serde_json::from_str(line).ok());
            found = reports.into_iter().find(|report| is_it(report));
            found.is_some()
        });
        found.unwrap()
    }

    fn eventually(&self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let started = Instant::now();
        while !done(self) {
            let console = self.console();
            let end = console.len().saturating_sub(3000);
            let tail = console.get(end..).unwrap_or_default();
            assert!(started.elapsed() < PATIENCE, "{what} did not happen:\n{tail}");
            thread::sleep(Duration::from_millis(500));
        }
    }
}

#[test]
fn seeds_that_come_late_or_from_qemu() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let image = build(dir.path(), &ours);

    let mut guest = Guest::start(&dir.path().join("late"), &image, &[]);
    let report = guest.report("a clean start", |report| report["state"] == "unconfigured");
    let tried = report["tried"].as_array().unwrap();
    let of = |place: &str| tried.iter().find(|t| t["place"] == place).unwrap()["outcome"].clone();
    // The real tables and the real driver were looked at.
    assert_eq!(of("smbios"), "no OEM string holds the credential bootwright.env");
    assert!(of("fw-cfg").as_str().unwrap().starts_with("no file opt/"), "{}", of("fw-cfg"));
    guest.attach("theirs", &medium(dir.path(), "theirs", &theirs));
    let report = guest.report("a failure", |report| report["state"] == "failed");
    let error = report["error"].as_str().unwrap();
    assert!(error.contains("encrypted, but not to a key of this machine"), "{error}");
    guest.ask("device_del", json!({"id": "theirs"}));
    guest.attach("ours", &medium(dir.path(), "ours", &ours));
    let report = guest.report("an env", |report| report["state"] == "active");
    assert_eq!(report["instance_id"], "ours");
    guest.eventually("the consumer", |guest| {
        guest.console().contains("consumer of site.example sees 0 secrets")
    });
    let mut ejected = || {
        let devices = guest.ask("query-block", json!({}));
        let devices = devices.as_array().unwrap();
        devices.iter().any(|device| device["qdev"] == "ours" && device["tray_open"] == true)
    };
    let started = Instant::now();
    while !ejected() {
        assert!(started.elapsed() < PATIENCE, "the medium stays in the drive");
        thread::sleep(Duration::from_millis(500));
    }
    assert!(!guest.console().contains("hunter2"));
    drop(guest);

    fs::write(dir.path().join("env.yml"), ENV).unwrap();
    let file = format!("name=opt/org.bootwright/env,file={}", text(&dir.path().join("env.yml")));
    let guest = Guest::start(&dir.path().join("fwcfg"), &image, &["-fw_cfg", &file]);
    let report = guest.report("an env", |report| report["state"] == "active");
    assert_eq!(report["source"]["kind"], "fw-cfg");
    guest.eventually("the consumer", |guest| {
        guest.console().contains("consumer of site.example sees 0 secrets")
    });
}
