//! A machine in a folder: /sys with block devices, /dev with media, /run.

// Each test program uses a part of this.
#![allow(dead_code, reason = "shared by several test programs")]

pub mod server;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use bootwright_seed::create::Seed;
use bootwright_seed::medium::Kind;
use bootwright_seed::medium::write::iso;
use bootwright_seed::report::{Report, State};
use tempfile::TempDir;

pub const ENV: &[u8] = b"#cloud-config\nappliance: {secret: hunter2}\n";

/// A machine in a folder.
pub struct Machine {
    dir: TempDir,
}

impl Machine {
    pub fn new() -> Self {
        let machine = Self { dir: tempfile::tempdir().unwrap() };
        machine.config("profile: {name: ecs, version: 2.4.0}\nwait_seconds: 0\n");
        machine.file("/dev/console", b"");
        machine
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path.trim_start_matches('/'))
    }

    pub fn file(&self, path: &str, content: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    pub fn config(&self, text: &str) {
        self.file("/etc/bootwright/agent.yml", text.as_bytes());
    }

    pub fn device(&self, name: &str, content: &[u8]) {
        self.file(&format!("/dev/{name}"), content);
        let sectors = content.len() / 512;
        self.file(&format!("/sys/class/block/{name}/size"), sectors.to_string().as_bytes());
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bootwright-agent"));
        command
            .args(words)
            .arg("--root")
            .arg(self.dir.path())
            .env_remove("NOTIFY_SOCKET")
            .env_remove("ENV_YML");
        command
    }

    /// What the firmware says about the machine.
    pub fn dmi(&self, vendor: &str, product: &str, uuid: &str) {
        for (name, value) in
            [("sys_vendor", vendor), ("product_name", product), ("product_uuid", uuid)]
        {
            self.file(&format!("/sys/class/dmi/id/{name}"), format!("{value}\n").as_bytes());
        }
    }

    /// A program in the image.
    pub fn script(&self, path: &str, text: &str) {
        self.file(path, format!("#!/bin/sh\n{text}\n").as_bytes());
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The report of the last run.
    pub fn report(&self) -> Report {
        serde_json::from_str(&self.text("/run/bootwright/report.json")).unwrap()
    }

    pub fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// Runs a verb and returns its exit code with what it said.
    pub fn run(&self, words: &[&str]) -> (i32, String, String) {
        let output = self.command(words).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    }

    /// Runs `boot`, checks that the exit code fits the state, and returns the report.
    pub fn boot(&self) -> Report {
        self.boot_with(&["boot"])
    }

    /// As [`Self::boot`], with these words.
    pub fn boot_with(&self, words: &[&str]) -> Report {
        let output = self.command(words).output().unwrap();
        let report = self.report();
        let code = match report.state {
            State::Active | State::Standby | State::WaitingForRestore => 0,
            State::Unconfigured => 3,
            State::Failed => 1,
        };
        assert_eq!(output.status.code(), Some(code), "{report:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_secret_kept(&output, &report, &self.text("/dev/console"));
        report
    }

    pub fn env(&self) -> Option<Vec<u8>> {
        fs::read(self.path("/run/active-env.yml")).ok()
    }
}

/// No value of the env is in what the agent says.
fn assert_secret_kept(output: &Output, report: &Report, console: &str) {
    let said = format!("{}{report:?}{console}", String::from_utf8_lossy(&output.stdout));
    assert!(!said.contains("hunter2"), "{said}");
}

pub fn medium(kind: Kind, env: &[u8]) -> Vec<u8> {
    iso(&Seed::new("env", env.to_vec()).unwrap().files(kind), 0).unwrap()
}

pub fn cidata() -> Vec<u8> {
    medium(Kind::Cidata, ENV)
}

/// An ISO with any files and any label, made by hadris.
pub fn odd_medium(label: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tree = hadris_fs::Tree::new();
    for (path, content) in files {
        let content = hadris_fs::Content::bytes(*content);
        tree.insert(path, hadris_fs::Node::file(content)).unwrap();
    }
    let options =
        hadris_iso::IsoOptions::new().with_id(hadris_iso::IsoId::Volume, label).with_rock_ridge();
    let mut image = Vec::new();
    hadris_iso::sync::write(&mut image, &tree, &options).unwrap();
    image
}
