//! `bootwright build` and `plan` from outside: what they make, judged by foreign tools.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use common::{
    base, bootwright, debugfs, judge, names, ok_in, profile, ran, small_base, small_project, text,
    tool,
};

/// A profile that uses every key there is.
const FULL: &str = "\
description: Everything at once
disk: {size: 128MiB}
overlay: [files]
users: [{name: app, home: /app, groups: [sudo], ssh_keys: [ssh-ed25519 AAAA x]}]
units: {enable: [app.service], disable: [old.service], mask: [bad.timer]}
kernel_cmdline: [console=ttyS0, quiet]
generalise: default
machine: {cpus: 4, memory: 1GiB, firmware: [uefi]}
";

fn overlay(dir: &Path) {
    let file = |path: &str, content: &str| {
        let path = dir.join("files").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    file("etc/systemd/system/app.service", "[Install]\nWantedBy=multi-user.target\n");
    file("etc/motd", "{{ name }} {{ version }}\n");
    file("app/secret", "x\n");
    file("boot/efi/EFI/extra.txt", "on the ESP\n");
    file("usr/bin/tool", "#!/bin/sh\n");
    fs::set_permissions(dir.join("files/usr/bin/tool"), fs::Permissions::from_mode(0o700)).unwrap();
    file(
        "modes.yml",
        "/etc/motd: {template: true}\n/app/secret: {owner: app, group: app, mode: 0600}\n\
         /usr/bin/tool: {xattrs: {security.capability: 0x0100000200040000000000000000000000000000}}\n",
    );
}

#[test]
fn everything_at_once() {
    let dir = small_project(FULL);
    overlay(dir.path());
    let built = ok_in(dir.path(), &["build", "p.yml", "--out", "out"]);
    let listed: Vec<&str> = built.out.lines().collect();
    assert_eq!(listed[..2], ["out/small-1.0.qcow2", "out/small-1.0.raw"]);
    let out = dir.path().join("out");
    judge(&out);
    let raw = out.join("small-1.0.raw");
    assert_eq!(fs::metadata(&raw).unwrap().len(), 128 << 20);
    let cat = |path: &str| debugfs(&raw, &format!("cat {path}"));
    let stat = |path: &str| debugfs(&raw, &format!("stat {path}"));
    assert!(cat("/etc/motd").contains("small 1.0\n"));
    assert!(cat("/etc/passwd").contains("app:x:1000:1000::/app:/bin/bash\n"));
    assert!(cat("/etc/group").contains("sudo:x:27:app\n"));
    assert!(cat("/etc/shadow").contains("root:*:19000"));
    assert!(cat("/app/.ssh/authorized_keys").contains("ssh-ed25519 AAAA x\n"));
    let secret = stat("/app/secret");
    assert!(secret.contains("Mode:  0600") && secret.contains("User:  1000"), "{secret}");
    assert!(stat("/usr/bin/tool").contains("Mode:  0755"));
    assert!(debugfs(&raw, "ea_list /usr/bin/tool").contains("security.capability (20)"));
    let link = "/etc/systemd/system/multi-user.target.wants/app.service";
    assert!(stat(link).contains("Fast link dest: \"/etc/systemd/system/app.service\""));
    assert!(stat("/etc/systemd/system/bad.timer").contains("/dev/null"));
    assert!(cat("/boot/grub/grub.cfg").contains("root=LABEL=x ro console=ttyS0 quiet\n"));
    assert!(cat("/etc/default/grub.d/90-bootwright.cfg").contains("console=ttyS0 quiet\""));
    assert!(
        cat("/etc/bootwright/agent.yml").contains("profile: {name: \"small\", version: \"1.0\"}")
    );
    assert!(stat("/usr/lib/bootwright/bootwright-agent").contains("Mode:  0755"));
    assert!(stat("/etc/machine-id").contains("Size: 0"));
    assert!(debugfs(&raw, "ls /etc/ssh").find("ssh_host").is_none());
    assert!(debugfs(&raw, "ls /var/log").find("syslog.1").is_none());
    let esp = tool("mtype", &["-i", &format!("{}@@49M", text(&raw)), "::/EFI/extra.txt"]);
    assert_eq!(esp, "on the ESP\n");
}

#[test]
fn what_was_deleted_is_gone() {
    let dir = small_project("");
    ok_in(dir.path(), &["build", "p.yml", "--out", "out", "--only", "raw"]);
    let bytes = fs::read(dir.path().join("out/small-1.0.raw")).unwrap();
    let secret = b"SECRET-HOST-KEY";
    let base = fs::read(dir.path().join("base.raw")).unwrap();
    assert!(base.windows(secret.len()).any(|window| window == secret));
    assert!(!bytes.windows(secret.len()).any(|window| window == secret));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let dir = small_project(FULL);
    overlay(dir.path());
    let sums = |out: &str| fs::read_to_string(dir.path().join(out).join("SHA256SUMS")).unwrap();
    ok_in(dir.path(), &["build", "p.yml", "--out", "a", "--jobs", "1"]);
    ok_in(dir.path(), &["build", "p.yml", "--out", "b", "--jobs", "7"]);
    assert_eq!(sums("a"), sums("b"));
    // Another machine: another folder, other files' times, another umask, another day.
    let other = tempfile::tempdir().unwrap();
    fs::copy(dir.path().join("base.raw"), other.path().join("base.raw")).unwrap();
    profile(other.path(), FULL);
    overlay(other.path());
    tool("touch", &["-d", "2001-02-03", text(&other.path().join("files/etc/motd"))]);
    let shell = format!("umask 077; exec {} build p.yml --out c", env!("CARGO_BIN_EXE_bootwright"));
    let built = std::process::Command::new("sh")
        .args(["-c", &shell])
        .current_dir(other.path())
        .env("TZ", "Asia/Tokyo")
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let c = fs::read_to_string(other.path().join("c/SHA256SUMS")).unwrap();
    assert_eq!(sums("a"), c);
    // And another time on purpose.
    let later = bootwright()
        .args(["build", "p.yml", "--out", "d"])
        .current_dir(dir.path())
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .output()
        .unwrap();
    assert!(later.status.success());
    assert_ne!(sums("a"), sums("d"));
    let raw = dir.path().join("d/small-1.0.raw");
    assert!(debugfs(&raw, "stat /etc/motd").contains("mtime: 0x6553f100"));
}

#[test]
fn every_compression_gives_the_same_disk() {
    let dir = small_project("");
    let mut sizes = Vec::new();
    for compression in ["none", "zlib", "zstd"] {
        profile(
            dir.path(),
            &format!("outputs: {{raw: , qcow2: {{compression: {compression}}}}}\n"),
        );
        ok_in(dir.path(), &["build", "p.yml", "--out", "out", "--force"]);
        judge(&dir.path().join("out"));
        sizes.push(fs::metadata(dir.path().join("out/small-1.0.qcow2")).unwrap().len());
    }
    assert!(sizes[1] < sizes[0] && sizes[2] < sizes[0], "{sizes:?}");
}

#[test]
fn untouched_clusters_are_passed_through() {
    let dir = small_project("generalise: none\nagent: false\noutputs: {qcow2: }\n");
    let (raw, qcow2) = (dir.path().join("base.raw"), dir.path().join("base.qcow2"));
    tool("qemu-img", &["convert", "-c", "-f", "raw", "-O", "qcow2", text(&raw), text(&qcow2)]);
    fs::write(
        dir.path().join("p.yml"),
        "name: small\nversion: 1.0\nbase: file:base.qcow2\n\
        generalise: none\nagent: false\noutputs: {qcow2: }\n",
    )
    .unwrap();
    ok_in(dir.path(), &["build", "p.yml", "--out", "out"]);
    let out = dir.path().join("out/small-1.0.qcow2");
    tool("qemu-img", &["check", text(&out)]);
    // Only super block and descriptors differ: everything else is the base's, compressed
    // stream for compressed stream.
    let (base, made) = (fs::read(&qcow2).unwrap(), fs::read(&out).unwrap());
    let streams = base[65536..base.len() - 65536].chunks(4096).step_by(16);
    let (mut found, mut all) = (0, 0);
    for piece in streams.filter(|piece| piece.iter().any(|&byte| byte != 0) && piece.len() == 4096)
    {
        all += 1;
        found += usize::from(made.windows(64).any(|window| window == &piece[2000..2064]));
    }
    assert!(all >= 3 && found * 10 >= all * 7, "{found} of {all} pieces are the base's");
}

#[test]
fn the_esp_is_untouched_unless_an_overlay_writes_to_it() {
    let dir = small_project("");
    let esp = |out: &str| {
        let text = fs::read_to_string(dir.path().join(out).join("manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
        (manifest["esp"]["before"].clone(), manifest["esp"]["after"].clone())
    };
    ok_in(dir.path(), &["build", "p.yml", "--out", "plain"]);
    let (before, after) = esp("plain");
    assert!(before.is_string() && before == after);
    overlay(dir.path());
    profile(dir.path(), "overlay: [files]\nusers: [{name: app}]\n");
    ok_in(dir.path(), &["build", "p.yml", "--out", "changed"]);
    let (same, changed) = esp("changed");
    assert!(same == before && changed != before);
}

#[test]
fn the_plan_says_it_all() {
    let dir = small_project(FULL);
    overlay(dir.path());
    let plan = ok_in(dir.path(), &["plan", "p.yml"]).out;
    // What depends on the bytes of the agent and the base is cut out of the golden.
    let mut in_agent = false;
    let stable: Vec<String> = plan
        .lines()
        .map(|line| {
            if !line.starts_with(' ') {
                in_agent = line == "agent:";
            }
            match line.split_once(": ") {
                Some((key, _)) if key.ends_with("sha256") || key == "id" || in_agent => {
                    format!("{key}: …")
                }
                _ => line.to_owned(),
            }
        })
        .collect();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/plan.yml");
    let expected = fs::read_to_string(&golden).unwrap();
    assert_eq!(stable.join("\n") + "\n", expected, "tests/golden/plan.yml");
    let again = ok_in(dir.path(), &["plan", "p.yml"]).out;
    assert_eq!(plan, again);
    let json = ok_in(dir.path(), &["plan", "p.yml", "--json"]).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["disk"]["size"], "128MiB");
    assert_eq!(names(dir.path()), ["base.raw", "esp.fat", "files", "p.yml", "root.ext4"]);
}

#[test]
fn the_manifest_embeds_the_plan() {
    let dir = small_project("");
    let json = ok_in(dir.path(), &["build", "p.yml", "--out", "out", "--json"]).out;
    let file = fs::read_to_string(dir.path().join("out/manifest.json")).unwrap();
    assert_eq!(json, file);
    let manifest: serde_json::Value = serde_json::from_str(&file).unwrap();
    let plan = ok_in(dir.path(), &["plan", "p.yml", "--json"]).out;
    assert_eq!(manifest["plan"], serde_json::from_str::<serde_json::Value>(&plan).unwrap());
    let output = &manifest["outputs"][0];
    assert_eq!((&output["file"], &output["format"]), (&"small-1.0.qcow2".into(), &"qcow2".into()));
    assert!(!file.contains(text(dir.path())), "the manifest names a folder of this machine");
}

#[test]
fn real_layouts_build_and_pass_the_judges() {
    for (name, offset) in [("mbr", Some(1 << 20)), ("xboot", None)] {
        let dir = tempfile::tempdir().unwrap();
        let base = base(name);
        let head = format!("name: small\nversion: 1.0\nbase: file:{}\n", text(&base));
        let rest = "disk: {size: 2GiB}\nusers: [{name: app}]\nkernel_cmdline: []\noutputs: {raw: , qcow2: }\n";
        fs::write(dir.path().join("p.yml"), head + rest).unwrap();
        ok_in(dir.path(), &["build", "p.yml", "--out", "out"]);
        let (raw, qcow2) =
            (dir.path().join("out/small-1.0.raw"), dir.path().join("out/small-1.0.qcow2"));
        tool("qemu-img", &["check", text(&qcow2)]);
        tool("qemu-img", &["compare", "-f", "qcow2", "-F", "raw", text(&qcow2), text(&raw)]);
        if let Some(offset) = offset {
            tool("e2fsck", &["-f", "-n", &format!("{}?offset={offset}", text(&raw))]);
        } else {
            let verdict = tool("sgdisk", &["-v", text(&raw)]);
            assert!(verdict.contains("No problems found"), "{verdict}");
            for number in ["1", "16"] {
                let info = tool("sgdisk", &["-i", number, text(&raw)]);
                let line = info.lines().find(|line| line.starts_with("First sector")).unwrap();
                let sector: u64 = line.split_whitespace().nth(2).unwrap().parse().unwrap();
                tool("e2fsck", &["-f", "-n", &format!("{}?offset={}", text(&raw), sector * 512)]);
            }
        }
    }
}

#[test]
fn a_base_is_never_changed() {
    let dir = tempfile::tempdir().unwrap();
    let base = small_base(dir.path());
    let mut permissions = fs::metadata(&base).unwrap().permissions();
    permissions.set_mode(0o444);
    fs::set_permissions(&base, permissions).unwrap();
    let before = tool("sha256sum", &[text(&base)]);
    profile(dir.path(), "");
    ok_in(dir.path(), &["build", "p.yml", "--out", "out"]);
    assert_eq!(tool("sha256sum", &[text(&base)]), before);
    let quiet = ran(bootwright()
        .args(["--quiet", "build", "p.yml", "--out", "out", "--force"])
        .current_dir(dir.path())
        .output()
        .unwrap());
    assert_eq!((quiet.code, quiet.err.as_str()), (0, ""));
}
