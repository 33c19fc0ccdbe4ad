//! `bootwright seed create`, `keygen`, `inspect`, `verify` and `reseed` from outside.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use common::{names, ok_in, run_in, text, tool};

const ENV: &str =
    "#cloud-config\n# the site\npackages: [qrcode]\ndomain: example.org\npassword: hunter2\n";

/// A folder with an env, an SSH key and documents to add.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("env.yml"), ENV).unwrap();
    fs::write(dir.path().join("more.yml"), "packages: [curl]\nusers: [default]\n").unwrap();
    fs::write(dir.path().join("meta.yml"), "dsmode: local\npublic-keys: [second]\n").unwrap();
    let key = dir.path().join("id");
    tool("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", "ops", "-f", text(&key)]);
    dir
}

fn read(dir: &Path, medium: &str, path: &str) -> String {
    tool("isoinfo", &["-R", "-x", path, "-i", text(&dir.join(medium))])
}

/// Upstream: options only after the mode, and any unknown word became the output's name
/// (domain.md B01); its README gave an option that the script took for a file (B05).
#[test]
fn b01_b05_options_in_any_order_and_unknown_ones_refused() {
    let dir = folder();
    let create = |args: &[&str]| run_in(dir.path(), &[&["seed", "create"], args].concat());
    for args in [
        &["--grow-root", "--key", "id.pub", "a.iso"][..],
        &["--key", "id.pub", "b.iso", "--grow-root"],
        &["c.iso", "--growroot", "--key", "id.pub"],
        &["--custom", "env.yml", "--grow-root", "d.iso"],
        &["env.yml", "e.iso", "--grow-root"],
    ] {
        assert_eq!(create(args).code, 0, "{args:?}");
    }
    let bytes = |name: &str| fs::read(dir.path().join(name)).unwrap();
    assert!(bytes("a.iso") == bytes("b.iso") && bytes("b.iso") == bytes("c.iso"));
    assert_eq!(bytes("d.iso"), bytes("e.iso"));
    assert!(read(dir.path(), "a.iso", "/user-data").contains("resize_rootfs: true\n"));
    assert!(read(dir.path(), "a.iso", "/user-data").contains("disable_root: false\n"));
    for args in [
        &["--key", "id.pub", "--grow-rot", "x.iso"][..],
        &["--key", "id.pub", "x.iso", "y.iso", "z.iso"],
        &["x.iso"],
        &["--vagrant", "--key", "id.pub", "x.iso"],
        &["--vagrant", "env.yml", "x.iso"],
    ] {
        assert_eq!(create(args).code, 2, "{args:?}");
    }
    assert!(!names(dir.path()).iter().any(|name| name.starts_with(['x', 'y', 'z'])));
}

/// Upstream pasted texts together, and of a key in both only the last counted (domain.md B02).
#[test]
fn b02_added_documents_are_merged() {
    let dir = folder();
    let args = ["--add-user-data", "more.yml", "--add-meta-data", "meta.yml", "--key", "id.pub"];
    ok_in(dir.path(), &[&["seed", "create"], &args[..], &["env.yml", "a.iso"]].concat());
    let user_data = read(dir.path(), "a.iso", "/user-data");
    assert!(
        user_data.contains("# the site\npackages:\n  - qrcode\n  - curl\ndomain: example.org\n")
    );
    assert!(user_data.ends_with("users:\n  - default\n"), "{user_data}");
    let meta_data = read(dir.path(), "a.iso", "/meta-data");
    assert!(meta_data.contains("\n  - second\ndsmode: local\n"), "{meta_data}");
    assert!(meta_data.contains("public-keys:\n  - \"ssh-ed25519 "), "{meta_data}");
    // Without additions, byte for byte.
    ok_in(dir.path(), &["seed", "create", "env.yml", "b.iso"]);
    assert_eq!(read(dir.path(), "b.iso", "/user-data"), ENV);
}

/// Upstream media had one hash for all, and no default user (domain.md B03).
#[test]
fn b03_vagrant_media_log_in_with_the_known_key_and_password() {
    let dir = folder();
    let ran = ok_in(dir.path(), &["seed", "create", "--all-vagrant", "boxes"]);
    assert!(ran.err.contains("warning: everybody can log in"), "{}", ran.err);
    let made = ["password-growroot", "password", "publickey-growroot", "publickey"];
    let made = made.map(|name| format!("vagrant-{name}.iso"));
    assert_eq!(names(&dir.path().join("boxes")), made);
    let user_data = read(dir.path(), "boxes/vagrant-password.iso", "/user-data");
    let hash =
        |text: &str| text.split("passwd: \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let script = "import crypt,sys; sys.exit(crypt.crypt('vagrant', sys.argv[1]) != sys.argv[1])";
    tool("/usr/bin/python3", &["-W", "ignore", "-c", script, &hash(&user_data)]);
    let other = read(dir.path(), "boxes/vagrant-password-growroot.iso", "/user-data");
    assert_ne!(hash(&user_data), hash(&other));
    // The fingerprint that is known for the key.
    let line = user_data.lines().find(|line| line.contains("ssh-rsa")).unwrap();
    fs::write(dir.path().join("v.pub"), line.trim().trim_start_matches("- ").trim_matches('"'))
        .unwrap();
    let shown = tool("ssh-keygen", &["-l", "-f", text(&dir.path().join("v.pub"))]);
    assert!(shown.contains("SHA256:1M4RzhMyWuFS/86uPY/ce2prh/dVTHW7iD2RhpquOZA"), "{shown}");
    // The same again gives the same bytes.
    let first = fs::read(dir.path().join("boxes/vagrant-password.iso")).unwrap();
    ok_in(dir.path(), &["seed", "create", "--all-vagrant", "--force", "boxes"]);
    assert_eq!(first, fs::read(dir.path().join("boxes/vagrant-password.iso")).unwrap());
}

#[test]
fn every_kind_container_and_format_holds_the_same_files() {
    let dir = folder();
    for kind in ["cidata", "config-2"] {
        for (container, raw) in [("iso", "m.iso"), ("vfat", "m.img")] {
            let create = |out: &str| {
                let args = ["seed", "create", "--force", "--kind", kind, "--filesystem", container];
                ok_in(dir.path(), &[&args[..], &["env.yml", out]].concat());
                let mode = fs::metadata(dir.path().join(out)).unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o600);
                fs::read(dir.path().join(out)).unwrap()
            };
            let image = create(raw);
            assert_eq!(image, create(raw));
            let path = dir.path().join(raw);
            let label = if container == "iso" { kind.to_owned() } else { kind.to_uppercase() };
            let seen = tool("blkid", &["-p", "-o", "export", text(&path)]);
            assert!(seen.contains(&format!("LABEL={label}\n")), "{seen}");
            let listed = tool("7z", &["l", "-ba", text(&path)]);
            assert!(listed.contains(if kind == "cidata" { "user-data" } else { "user_data" }));
            if container == "vfat" {
                tool("fsck.vfat", &["-n", text(&path)]);
                tool("mdir", &["-/", "-i", text(&path), "::"]);
            }
            for format in ["qcow2", "vmdk", "vhdx"] {
                let disk = format!("m.{format}");
                let first = create(&disk);
                assert_eq!(first, create(&disk), "{format}");
                let disk = dir.path().join(&disk);
                tool("qemu-img", &["check", "-f", format, text(&disk)]);
                // The disk is longer than the medium, by zeros.
                tool("qemu-img", &["compare", "-f", format, "-F", "raw", text(&disk), text(&path)]);
                let shown = ok_in(dir.path(), &["seed", "inspect", text(&disk)]);
                assert!(shown.out.contains(&format!("format       {format}\n")), "{}", shown.out);
                assert!(shown.out.contains(&format!("kind         {kind}\n")), "{}", shown.out);
            }
        }
    }
}

#[test]
fn inspect_masks_secrets_of_anybodys_media() {
    let dir = folder();
    let at = |name: &str| text(&dir.path().join(name)).to_owned();
    fs::write(at("user-data"), ENV).unwrap();
    fs::write(at("meta-data"), "instance-id: iid-local01\nlocal-hostname: h\n").unwrap();
    tool("cloud-localds", &[&at("c.iso"), &at("user-data"), &at("meta-data")]);
    tool(
        "cloud-localds",
        &["-f", "vfat", "-d", "qcow2", &at("c.qcow2"), &at("user-data"), &at("meta-data")],
    );
    tool(
        "genisoimage",
        &["-quiet", "-V", "CIDATA", "-o", &at("g.iso"), &at("user-data"), &at("meta-data")],
    );
    ok_in(
        dir.path(),
        &["seed", "create", "--instance-id", "iid-local01", "-H", "h", "env.yml", "o.iso"],
    );
    for medium in ["c.iso", "c.qcow2", "g.iso", "o.iso"] {
        let shown = ok_in(dir.path(), &["seed", "inspect", medium]).out;
        for part in [
            "instance-id  iid-local01\n",
            "host name    h\n",
            "user-data    cloud-config\n",
            "domain: example.org\npassword: \"***\"\n",
        ] {
            assert!(shown.contains(part), "{medium}: {shown}");
        }
        let json = ok_in(dir.path(), &["seed", "inspect", "--json", medium]).out;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["instance_id"], "iid-local01", "{medium}");
        assert!(!format!("{shown}{json}").contains("hunter2"), "{medium}");
    }
    let ran = run_in(dir.path(), &["seed", "inspect", "env.yml"]);
    assert!(ran.code == 3 && ran.err.contains("no ISO 9660 or FAT"), "{}", ran.err);
    assert_eq!(run_in(dir.path(), &["seed", "inspect", "none.iso"]).code, 3);
}

#[test]
fn verify_tells_by_its_exit_code() {
    let dir = folder();
    ok_in(dir.path(), &["seed", "create", "env.yml", "a.iso"]);
    let verdicts = ok_in(dir.path(), &["seed", "verify", "a.iso"]).out;
    assert!(verdicts.starts_with("bootwright-agent       accept "), "{verdicts}");
    let ran = run_in(dir.path(), &["seed", "verify", "--for", "afterburn-proxmoxve", "a.iso"]);
    assert!(ran.code == 4 && ran.err.contains("vendor-data is missing"), "{}", ran.err);
    let ran = run_in(dir.path(), &["seed", "verify", "--for", "afterbrun-proxmoxve", "a.iso"]);
    assert!(
        ran.code == 2 && ran.err.contains("did you mean `afterburn-proxmoxve`?"),
        "{}",
        ran.err
    );
    tool(
        "genisoimage",
        &[
            "-quiet",
            "-V",
            "CiData",
            "-J",
            "-o",
            text(&dir.path().join("m.iso")),
            text(&dir.path().join("env.yml")),
        ],
    );
    let ran = run_in(dir.path(), &["seed", "verify", "m.iso"]);
    assert!(ran.code == 4 && ran.err.contains("its label is CiData"), "{}", ran.err);
}

/// Upstream's constant instance-id hid a changed env from a machine (domain.md B08).
#[test]
fn b08_reseed_changes_the_env_and_the_instance_id() {
    let dir = folder();
    let options =
        ["--hostname", "h", "--key", "id.pub", "--static", "52:54:00:12:34:56,192.0.2.10/24"];
    let new = ENV.replace("hunter2", "hunter3");
    fs::write(dir.path().join("new.yml"), &new).unwrap();
    for medium in ["a.iso", "a.qcow2", "a.vhdx"] {
        ok_in(dir.path(), &[&["seed", "create"], &options[..], &["env.yml", medium]].concat());
        let before = fs::read(dir.path().join(medium)).unwrap();
        let fresh = format!("fresh-{medium}");
        ok_in(dir.path(), &[&["seed", "create"], &options[..], &["new.yml", &fresh]].concat());
        let said = ok_in(dir.path(), &["seed", "reseed", medium, "new.yml"]);
        let after = fs::read(dir.path().join(medium)).unwrap();
        // What would have been made with the new env in the first place.
        assert_eq!(after, fs::read(dir.path().join(&fresh)).unwrap(), "{medium}");
        assert_ne!(after, before);
        assert!(!said.err.contains("hunter"));
        ok_in(dir.path(), &["seed", "reseed", medium, "env.yml"]);
        assert_eq!(fs::read(dir.path().join(medium)).unwrap(), before, "{medium}");
    }
    fs::write(dir.path().join("bad.yml"), "a: 1\n").unwrap();
    let before = fs::read(dir.path().join("a.iso")).unwrap();
    assert_eq!(run_in(dir.path(), &["seed", "reseed", "a.iso", "bad.yml"]).code, 3);
    assert_eq!(fs::read(dir.path().join("a.iso")).unwrap(), before);
}

/// A medium of others stays what it is but for the env: network, vendor-data, other files.
#[test]
fn reseed_takes_other_peoples_media() {
    let dir = folder();
    let at = |name: &str| text(&dir.path().join(name)).to_owned();
    fs::write(at("meta-data"), "instance-id: iid-local01\nlocal-hostname: h\nx-more: 1\n").unwrap();
    fs::write(at("net"), "version: 2\nethernets: {a: {dhcp4: true}}\n").unwrap();
    tool("cloud-localds", &["-N", &at("net"), &at("c.iso"), &at("env.yml"), &at("meta-data")]);
    fs::write(at("new.yml"), "#cloud-config\nb: 2\n").unwrap();
    ok_in(dir.path(), &["seed", "reseed", "c.iso", "new.yml"]);
    assert_eq!(read(dir.path(), "c.iso", "/user-data"), "#cloud-config\nb: 2\n");
    assert_eq!(
        read(dir.path(), "c.iso", "/network-config"),
        fs::read_to_string(at("net")).unwrap()
    );
    let meta_data = read(dir.path(), "c.iso", "/meta-data");
    assert!(meta_data.contains("local-hostname: h\nx-more: 1\n"), "{meta_data}");
    assert!(!meta_data.contains("iid-local01"), "{meta_data}");
}

/// Secrets on a medium stay readable for whoever gets at it or at the drive of the running
/// machine (domain.md B07): encrypted to its machine they are not.
#[test]
fn b07_user_data_encrypted_to_a_machine() {
    let dir = folder();
    let made = ok_in(dir.path(), &["seed", "keygen", "site.key"]);
    let key = dir.path().join("site.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(tool("age-keygen", &["-y", text(&key)]), made.out);
    assert!(!format!("{}{}", made.out, made.err).contains("AGE-SECRET-KEY"));
    assert_eq!(run_in(dir.path(), &["seed", "keygen", "site.key"]).code, 3);
    fs::write(dir.path().join("site.recipient"), &made.out).unwrap();
    for to in ["site.recipient", made.out.trim()] {
        let args = ["seed", "create", "--force", "--encrypt-to", to, "env.yml", "s.iso"];
        ok_in(dir.path(), &args);
        let medium = fs::read(dir.path().join("s.iso")).unwrap();
        assert!(!medium.windows(7).any(|part| part == b"hunter2"));
        fs::write(dir.path().join("sealed"), read(dir.path(), "s.iso", "/user-data")).unwrap();
        let sealed = dir.path().join("sealed");
        assert_eq!(tool("age", &["-d", "-i", text(&key), text(&sealed)]), ENV);
    }
    assert!(ok_in(dir.path(), &["seed", "inspect", "s.iso"]).out.contains("encrypted (age)\n"));
    let verdicts = ok_in(dir.path(), &["seed", "verify", "s.iso"]).out;
    assert!(verdicts.contains("if the machine has the key"), "{verdicts}");
    let ran =
        run_in(dir.path(), &["seed", "create", "--encrypt-to", "site.key", "env.yml", "x.iso"]);
    assert!(ran.code == 3 && ran.err.contains("this is the machine's secret"), "{}", ran.err);
    assert!(!ran.err.contains("AGE-SECRET-KEY-1"));
}
