//! Other people's tools read the media we write.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs;
use std::path::Path;

use bootwright_seed::medium::Kind;
use common::{files, run, written};

/// Every file of the kind, as read from `root`, is what was written.
fn assert_same_files(kind: Kind, root: &Path) {
    for file in files(kind).files {
        let found = fs::read(root.join(&*file.path)).unwrap();
        assert_eq!(found, file.content, "{}", file.path);
    }
}

#[test]
fn blkid_sees_type_and_label() {
    let dir = tempfile::tempdir().unwrap();
    for kind in Kind::ALL {
        let image = written(dir.path(), kind);
        let seen = run("util-linux", "blkid", &["-p", "-o", "export", &image]);
        assert!(seen.contains("TYPE=iso9660\n"), "{seen}");
        assert!(seen.contains(&format!("LABEL={kind}\n")), "{seen}");
    }
}

#[test]
fn isoinfo_lists_every_tree() {
    let dir = tempfile::tempdir().unwrap();
    let image = written(dir.path(), Kind::Cidata);
    let list =
        |args: &[&str]| run("genisoimage", "isoinfo", &[args, &["-f", "-i", &image]].concat());
    assert_eq!(list(&["-R"]), "/meta-data\n/user-data\n");
    assert_eq!(list(&["-J"]), "/meta-data\n/user-data\n");
    assert_eq!(list(&[]), "/META_DATA.;1\n/USER_DATA.;1\n");

    let image = written(dir.path(), Kind::Config2);
    let listed = run("genisoimage", "isoinfo", &["-R", "-f", "-i", &image]);
    assert!(listed.contains("/openstack/latest/user_data\n"), "{listed}");
}

/// Upstream media carried the builder's uid and the time of the build (domain.md B04).
#[test]
fn b04_isoinfo_shows_root_and_0400() {
    let dir = tempfile::tempdir().unwrap();
    let image = written(dir.path(), Kind::Cidata);
    let listed = run("genisoimage", "isoinfo", &["-R", "-l", "-i", &image]);
    let line = listed.lines().find(|line| line.ends_with("user-data ")).unwrap();
    let fields: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(fields[0], "-r--------");
    assert_eq!(fields[2..4], ["0", "0"]);
    assert!(line.contains("Nov 14 2023"), "{line}");
}

#[test]
fn seven_zip_extracts_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    for kind in Kind::ALL {
        let image = written(dir.path(), kind);
        let out = dir.path().join(format!("7z-{kind}"));
        run("p7zip-full", "7z", &["x", "-y", &format!("-o{}", out.display()), &image]);
        assert_same_files(kind, &out);
    }
}

#[test]
fn xorriso_extracts_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    for kind in Kind::ALL {
        let image = written(dir.path(), kind);
        let out = dir.path().join(format!("xorriso-{kind}"));
        let out_path = out.to_str().unwrap();
        run("xorriso", "xorriso", &["-osirrox", "on", "-indev", &image, "-extract", "/", out_path]);
        assert_same_files(kind, &out);
        let volume = run("xorriso", "xorriso", &["-indev", &image, "-pvd_info"]);
        assert!(volume.contains(&format!("Volume Id    : {kind}\n")), "{volume}");
    }
}

#[test]
fn ssh_keygen_accepts_every_key_type_we_do() {
    let dir = tempfile::tempdir().unwrap();
    for kind in
        [&["ed25519"][..], &["rsa", "-b", "2048"], &["ecdsa", "-b", "256"], &["ecdsa", "-b", "521"]]
    {
        let path = dir.path().join(kind.join(""));
        let path = path.to_str().unwrap();
        let args = [&["-q", "-N", "", "-C", "a comment", "-f", path, "-t"], kind].concat();
        run("openssh-client", "ssh-keygen", &args);
        let public = fs::read_to_string(format!("{path}.pub")).unwrap();
        let keys = bootwright_seed::create::PublicKey::parse_file("k.pub", &public).unwrap();
        assert_eq!(keys[0].line(), public.trim_end());
        let private = fs::read_to_string(path).unwrap();
        assert!(bootwright_seed::create::PublicKey::parse_file("k", &private).is_err());
    }
}
