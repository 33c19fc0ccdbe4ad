//! What goes wrong, and what the program says then: message, exit code, nothing left behind.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

mod common;

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use common::{
    base, bootwright, names, ok_in, profile, ran, root_tool, run_in, small_base, small_project,
    text, tool,
};

/// A build that must fail with a code and a message, and leave nothing in `out`.
fn refused(dir: &Path, args: &[&str], code: i32, message: &str) {
    let ran = run_in(dir, &[&["build", "p.yml", "--out", "out"], args].concat());
    assert_eq!(ran.code, code, "{}", ran.err);
    let message = format!("error: {}\n", message.replace("DIR", text(dir)));
    assert!(ran.err.ends_with(&message), "said:     {}expected: {message}", ran.err);
    let out = dir.join("out");
    assert!(!out.exists() || names(&out).is_empty(), "{:?}", names(&out));
}

#[test]
fn bases_that_cannot_be_used() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    profile(dir, "");
    refused(dir, &[], 3, "the base image base.raw does not exist; check `base:` in the profile");

    small_base(dir);
    let wrong = "0".repeat(64);
    let right = tool("sha256sum", &[text(&dir.join("base.raw"))])[..64].to_owned();
    fs::write(
        dir.join("p.yml"),
        format!("name: small\nversion: 1.0\nbase: {{file: base.raw, sha256: \"{wrong}\"}}\noutputs: {{raw: }}\n"),
    )
    .unwrap();
    let message = format!(
        "the base image base.raw is not the one asked for: its sha256 is {right}, expected {wrong}; \
         fetch it again, or correct `sha256:` in the profile"
    );
    refused(dir, &[], 4, &message);
    let profile_text = fs::read_to_string(dir.join("p.yml")).unwrap().replace(&wrong, "abc");
    fs::write(dir.join("p.yml"), profile_text).unwrap();
    refused(dir, &[], 3, "p.yml:3:32: `abc` is no sha256: 64 hexadecimal digits");
}

#[test]
fn qcow2_bases_that_cannot_be_used() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    small_base(dir);
    let text_of = |name: &str| text(&dir.join(name)).to_owned();
    let (raw, image) = (text_of("base.raw"), text_of("base.qcow2"));
    profile(dir, "");
    let yaml = fs::read_to_string(dir.join("p.yml")).unwrap().replace("base.raw", "base.qcow2");
    fs::write(dir.join("p.yml"), yaml).unwrap();

    tool("qemu-img", &["convert", "-c", "-O", "qcow2", "-f", "raw", &raw, &image]);
    let whole = fs::read(&image).unwrap();
    fs::write(&image, &whole[..whole.len() / 2]).unwrap();
    let ran = run_in(dir, &["build", "p.yml", "--out", "out"]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.err.contains("opening the base image base.qcow2: qcow2: ")
            && ran.err.contains("truncated"),
        "{}",
        ran.err
    );

    let secret = "secret,id=s,data=123456";
    let options = "encrypt.format=luks,encrypt.key-secret=s";
    fs::remove_file(&image).unwrap();
    tool(
        "qemu-img",
        &["create", "-q", "-f", "qcow2", "--object", secret, "-o", options, &image, "64M"],
    );
    refused(
        dir,
        &[],
        3,
        "opening the base image base.qcow2: qcow2: encryption (LUKS) is not supported; \
        make a standalone image with `qemu-img convert -O qcow2 IN OUT` first",
    );

    fs::remove_file(&image).unwrap();
    tool("qemu-img", &["create", "-q", "-f", "qcow2", "-b", &raw, "-F", "raw", &image]);
    refused(
        dir,
        &[],
        3,
        "opening the base image base.qcow2: qcow2: the backing file \"DIR/base.raw\" is not \
        supported; make a standalone image with `qemu-img convert -O qcow2 IN OUT` first",
    );
}

#[test]
fn a_base_without_a_root() {
    let dir = small_project("");
    tool("truncate", &["-s", "0", text(&dir.path().join("base.raw"))]);
    tool("truncate", &["-s", "8M", text(&dir.path().join("base.raw"))]);
    refused(
        dir.path(),
        &[],
        3,
        "looking into the base image: no root file system found: the image holds \
        the disk (no known file system); none is an ext4 labelled cloudimg-rootfs, typed as a root \
        partition or holding an operating system",
    );
}

#[test]
fn profiles_with_mistakes() {
    let dir = small_project("ovrelay: [x]\n");
    refused(dir.path(), &[], 3, "p.yml:5:1: unknown key `ovrelay`; did you mean `overlay`?");
    profile(dir.path(), "overlay: [nowhere]\n");
    refused(dir.path(), &[], 3, "p.yml:5:11: the overlay nowhere is not there, or no folder");
    profile(dir.path(), "disk: {size: 10M}\n");
    refused(
        dir.path(),
        &[],
        3,
        "p.yml:5:14: the disk cannot be smaller than the base: 10MiB is less than 64MiB",
    );
    profile(dir.path(), "units: {enable: [none.service]}\n");
    refused(
        dir.path(),
        &[],
        3,
        "editing the image: none.service: the image has no such unit to enable",
    );
    profile(dir.path(), "");
    refused(
        dir.path(),
        &["--only", "qcow"],
        2,
        "--only: unknown output `qcow`; did you mean `qcow2`?",
    );
    refused(dir.path(), &["--var", "a=b"], 2, "--var a: the profile declares no variables");
    let ran = run_in(dir.path(), &["build", "none.yml"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("error: reading the profile none.yml: No such file"), "{}", ran.err);
}

#[test]
fn overlays_with_mistakes() {
    let dir = small_project("overlay: [files]\n");
    let files = dir.path().join("files");
    fs::create_dir(&files).unwrap();
    fs::write(files.join("a"), "x").unwrap();
    let modes = |text: &str| fs::write(files.join("modes.yml"), text).unwrap();
    modes("/a: {mode: 9999}\n");
    refused(dir.path(), &[], 3, "files/modes.yml:1:12: `9999` is no mode; write it as 0644");
    modes("a: {mode: 0644}\n");
    refused(
        dir.path(),
        &[],
        3,
        "files/modes.yml:1:1: `a` is no path of the guest; start it with /",
    );
    modes("/b: {mode: 0644}\n");
    refused(dir.path(), &[], 3, "editing the image: files/modes.yml: /b is not in the overlay");
    modes("/a: {owner: nobody-here}\n");
    refused(
        dir.path(),
        &[],
        3,
        "editing the image: /a: the image has no user nobody-here; declare it under \
        users, or give its number",
    );
    modes("/a: {template: true}\n");
    fs::write(files.join("a"), "line\n{{ nope }}\n").unwrap();
    let ran = run_in(dir.path(), &["build", "p.yml", "--out", "out"]);
    assert!(
        ran.err.contains("files/a: the template fails in line 2: undefined value"),
        "{}",
        ran.err
    );
}

#[test]
fn an_overlay_that_does_not_fit() {
    let dir = small_project("overlay: [files]\n");
    let files = dir.path().join("files");
    fs::create_dir(&files).unwrap();
    tool("truncate", &["-s", "100M", text(&files.join("big"))]);
    let ran = run_in(dir.path(), &["build", "p.yml", "--out", "out"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    let start = "error: editing the image: / on partition 1 (ext4, cloudimg-rootfs): the edits need 100.0 MiB, \
        but only ";
    assert!(ran.err.contains(start) && ran.err.contains(" MiB too few"), "{}", ran.err);
}

#[test]
fn outputs_that_exist_are_kept() {
    let dir = small_project("");
    ok_in(dir.path(), &["build", "p.yml", "--out", "out"]);
    let before = fs::read(dir.path().join("out/SHA256SUMS")).unwrap();
    let ran = run_in(dir.path(), &["build", "p.yml", "--out", "out"]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.err.ends_with("error: out/small-1.0.qcow2 exists; give --force to replace it\n"),
        "{}",
        ran.err
    );
    assert_eq!(fs::read(dir.path().join("out/SHA256SUMS")).unwrap(), before);
    ok_in(dir.path(), &["build", "p.yml", "--out", "out", "--force"]);
}

/// A small tmpfs, mounted while it lives.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path) -> Self {
        fs::create_dir(at).unwrap();
        root_tool("mount", &["-t", "tmpfs", "-o", "size=4M,mode=777", "tmpfs", text(at)]);
        Self(at)
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        root_tool("umount", &[text(self.0)]);
    }
}

#[test]
fn a_full_target_disk_leaves_nothing_behind() {
    let dir = small_project("overlay: [files]\noutputs: {qcow2: {compression: none}}\n");
    fs::create_dir(dir.path().join("files")).unwrap();
    fs::write(dir.path().join("files/data"), vec![7; 8 << 20]).unwrap();
    let out = dir.path().join("out");
    let _disk = SmallDisk::mount(&out);
    refused(
        dir.path(),
        &[],
        5,
        "out/small-1.0.qcow2 cannot be written: the disk is full; nothing was left behind",
    );
}

#[test]
fn an_interrupt_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let head = format!("name: small\nversion: 1.0\nbase: file:{}\n", text(&base("debian")));
    fs::write(
        dir.path().join("p.yml"),
        head + "outputs: {qcow2: {compression: zstd, level: 19}}\n",
    )
    .unwrap();
    for signal in ["INT", "TERM", "KILL"] {
        let mut child = bootwright()
            .args(["build", "p.yml", "--out", "out"])
            .current_dir(dir.path())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        sleep(Duration::from_millis(2500));
        assert!(child.try_wait().unwrap().is_none(), "the build was too quick to be interrupted");
        tool("kill", &[&format!("-{signal}"), &child.id().to_string()]);
        let ran = ran(child.wait_with_output().unwrap());
        if signal != "KILL" {
            assert_eq!(ran.code, 130, "{}", ran.err);
            assert!(ran.err.ends_with("interrupted; nothing was left behind\n"), "{}", ran.err);
        }
        assert_eq!(names(&dir.path().join("out")), [""; 0], "{signal}");
    }
}

#[test]
fn a_guest_that_never_reports() {
    let dir = tempfile::tempdir().unwrap();
    // A boot sector that says something on the serial port and stops.
    let mut sector = vec![
        0xba, 0xf8, 0x03, // mov dx, 0x3f8
        0xbe, 0x12, 0x7c, // mov si, 0x7c12
        0xac, // lodsb
        0x84, 0xc0, // test al, al
        0x74, 0x03, // jz +3
        0xee, // out dx, al
        0xeb, 0xf8, // jmp lodsb
        0xf4, // hlt
        0xeb, 0xfd, // jmp hlt
        0x90,
    ];
    sector.extend(b"hello from the guest\r\n\0");
    sector.resize(510, 0);
    sector.extend([0x55, 0xaa]);
    fs::write(dir.path().join("disk.raw"), [sector, vec![0; 1 << 20]].concat()).unwrap();
    let ran = run_in(dir.path(), &["boot", "disk.raw", "--timeout", "8"]);
    assert_eq!(ran.code, 6, "{}", ran.err);
    assert!(ran.err.contains("hello from the guest"), "the console's tail is missing: {}", ran.err);
    assert!(ran.err.contains("8 s"), "{}", ran.err);
}

#[test]
fn a_machine_without_qemu() {
    let dir = small_project("");
    let ran = ran(bootwright()
        .args(["boot", "base.raw"])
        .current_dir(dir.path())
        .env("PATH", "/nonexistent")
        .output()
        .unwrap());
    assert_eq!(ran.code, 5);
    assert!(ran.err.contains("qemu-system-x86"), "names no package: {}", ran.err);
}

#[test]
fn images_that_cannot_be_booted() {
    let dir = tempfile::tempdir().unwrap();
    let ran = run_in(dir.path(), &["boot", "none.qcow2"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(ran.err.contains("none.qcow2"), "{}", ran.err);
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let dir = small_project("");
    let shell = format!("{} plan p.yml | head -n 1", env!("CARGO_BIN_EXE_bootwright"));
    let output = Command::new("bash")
        .args(["-o", "pipefail", "-c", &shell])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_eq!(output.stdout, b"schema: 1\n");
}
