//! Runs the foreign tools that judge our media and make media for our reader.

#![allow(dead_code, reason = "every test file uses a part of it")]

use std::path::Path;
use std::process::{Command, Output};

use bootwright_seed::create::{PublicKey, Seed, SeedFiles};
use bootwright_seed::medium::Kind;
use bootwright_seed::medium::write::iso;
use hadris_fat::{FatKind, FatOptions, VolumeLabel};
use hadris_fs::{Content, Node, Tree};
use hadris_storage::{BlockSize, MemDevice};

pub const ENV: &[u8] =
    b"#cloud-config\nappliance:\n  domain: site.example.test\n  secret: \"p\xc3\xa4ss: #1\"\n";

pub const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ops \"a: b\"";

/// Runs `tool`, which the Debian package `package` has, and returns what it printed.
pub fn run(package: &str, tool: &str, args: &[&str]) -> String {
    let output = output(package, tool, args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {args:?} failed: {}{stderr}", text(&output));
    text(&output)
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn output(package: &str, tool: &str, args: &[&str]) -> Output {
    // blkid and mkfs.vfat are in sbin, which is not on every user's PATH.
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    Command::new(tool).args(args).env("PATH", path).env("LC_ALL", "C").output().unwrap_or_else(
        |e| panic!("{tool} cannot be run ({e}); install the package {package} (ci/setup does)"),
    )
}

pub fn seed() -> Seed {
    Seed::new("env.yml", ENV.to_vec())
        .unwrap()
        .with_public_keys(PublicKey::parse_file("key.pub", KEY).unwrap())
        .with_hostname("site.example.test")
        .unwrap()
}

pub fn files(kind: Kind) -> SeedFiles {
    seed().files(kind)
}

/// Writes our medium of this kind into `dir` and returns its path.
pub fn written(dir: &Path, kind: Kind) -> String {
    let path = dir.join(format!("{kind}.iso"));
    std::fs::write(&path, iso(&files(kind), 1_700_000_000).unwrap()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Lays the files of a cidata seed out in `dir` and returns their paths.
pub fn loose(dir: &Path) -> Vec<String> {
    let place = |name: &str, content: &[u8]| {
        let path = dir.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let files = files(Kind::Cidata).files;
    files.iter().map(|file| place(&file.path, &file.content)).collect()
}

/// The files as a tree for the writers of hadris.
pub fn tree_of(seed: &SeedFiles) -> Tree {
    let mut tree = Tree::new();
    for file in &seed.files {
        put(&mut tree, &file.path, &file.content);
    }
    tree
}

pub fn put(tree: &mut Tree, path: &str, content: &[u8]) {
    tree.insert(path, Node::file(Content::bytes(content))).unwrap();
}

/// A FAT volume of `size` bytes labelled CIDATA.
pub fn fat(tree: &Tree, kind: FatKind, size: usize) -> Vec<u8> {
    let label = VolumeLabel::new("CIDATA").unwrap();
    let options = FatOptions::new().with_kind(kind).with_label(label);
    let mut device = MemDevice::new(vec![0; size], BlockSize::new(512).unwrap());
    hadris_fat::sync::write(&mut device, tree, &options).unwrap();
    device.into_inner()
}
