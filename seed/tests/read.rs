//! What the reader says about media that lack something or hold something odd.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use bootwright_seed::medium::read::{Contents, MAX_META_DATA, identify, read};
use bootwright_seed::medium::{Kind, ReadError};
use bootwright_seed::userdata;
use common::{ENV, fat, files, put, tree_of};
use hadris_fat::FatKind;
use hadris_fs::{Node, Tree};
use hadris_iso::{IsoId, IsoOptions};

fn iso_of(tree: &Tree, label: &str) -> Vec<u8> {
    let mut image = Vec::new();
    let options = IsoOptions::new().with_id(IsoId::Volume, label).with_joliet().with_rock_ridge();
    hadris_iso::sync::write(&mut image, tree, &options).unwrap();
    image
}

fn tree(entries: &[(&str, &[u8])]) -> Tree {
    let mut tree = Tree::new();
    for (path, content) in entries {
        put(&mut tree, path, content);
    }
    tree
}

fn read_iso(kind: Kind, entries: &[(&str, &[u8])]) -> Result<Contents, ReadError> {
    read(Cursor::new(iso_of(&tree(entries), kind.name())), kind)
}

/// The error and, after it, its sources: what the agent reports.
fn message(result: Result<Contents, ReadError>) -> String {
    let error = result.unwrap_err();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

/// Upstream took a drive without the file for a success (domain.md B30).
#[test]
fn missing_files_are_named() {
    let without_user_data = [("meta-data", &b"instance-id: i\n"[..])];
    assert_eq!(
        message(read_iso(Kind::Cidata, &without_user_data)),
        "user-data is missing; a cidata medium needs both user-data and meta-data"
    );
    let without_meta_data = tree(&[("user-data", ENV)]);
    let image = fat(&without_meta_data, FatKind::Fat12, 1 << 20);
    assert_eq!(
        message(read(Cursor::new(image), Kind::Cidata)),
        "meta-data is missing; a cidata medium needs both user-data and meta-data"
    );
    assert_eq!(
        message(read_iso(Kind::Config2, &[("openstack/latest/meta_data.json", b"{}")])),
        "openstack/latest/user_data is missing; a config-2 medium needs both openstack/latest/user_data and openstack/latest/meta_data.json"
    );
    // The way there is a file instead of a directory.
    assert!(
        message(read_iso(Kind::Config2, &[("openstack", b"")])).contains("user_data is missing")
    );
}

#[test]
fn instance_ids() {
    let id = |meta_data: &[u8]| {
        read_iso(Kind::Cidata, &[("user-data", ENV), ("meta-data", meta_data)])
            .map(|c| c.instance_id)
    };
    assert_eq!(id(b"instance-id: iid-1\nother: [1]\n").unwrap().as_deref(), Some("iid-1"));
    assert_eq!(id(b"instance-id: 0815\n").unwrap().as_deref(), Some("0815"));
    assert_eq!(id(b"{\"instance-id\": \"json\"}").unwrap().as_deref(), Some("json"));
    assert_eq!(id(b"").unwrap(), None);
    assert_eq!(id(b"# nothing\n").unwrap(), None);
    assert_eq!(id(b"local-hostname: x\n").unwrap(), None);
}

#[test]
fn bad_meta_data() {
    let cidata = |meta_data: &[u8]| {
        message(read_iso(Kind::Cidata, &[("user-data", ENV), ("meta-data", meta_data)]))
    };
    assert_eq!(
        cidata(b"instance-id: a\ninstance-id: b\n"),
        "meta-data is not usable meta-data; it must be a YAML mapping with an instance-id: \
         line 2, column 1: the key `instance-id` stands twice in one mapping"
    );
    assert!(cidata(b"\xff").ends_with("line 1, column 1: not UTF-8 text; save the file as UTF-8"));
    assert_eq!(
        cidata(format!("instance-id: {}\n", "x".repeat(256)).as_bytes()),
        "the instance-id in meta-data has 256 bytes; cloud-init can use at most 255"
    );
    let config = |json: &[u8]| {
        let entries =
            [("openstack/latest/user_data", ENV), ("openstack/latest/meta_data.json", json)];
        message(read_iso(Kind::Config2, &entries))
    };
    assert_eq!(
        config(b"{\"name\": 1}"),
        "openstack/latest/meta_data.json:1:11: a value of the wrong type, or no uuid; it must be a JSON object with a uuid"
    );
    assert!(config(b"uuid: x").contains(": not JSON;"));
}

#[test]
fn sizes_are_checked_before_reading() {
    let large = vec![b'#'; usize::try_from(userdata::MAX_SIZE).unwrap() + 1];
    assert_eq!(
        message(read_iso(Kind::Cidata, &[("user-data", &large), ("meta-data", b"")])),
        "user-data has 16777217 bytes, more than the limit of 16777216; make it smaller"
    );
    let large = vec![b'#'; usize::try_from(MAX_META_DATA).unwrap() + 1];
    assert!(
        message(read_iso(Kind::Cidata, &[("user-data", ENV), ("meta-data", &large)]))
            .starts_with("meta-data has")
    );
}

#[test]
fn the_largest_user_data_fits_the_budget() {
    let mut large = ENV.to_vec();
    large.resize(usize::try_from(userdata::MAX_SIZE).unwrap(), b'\n');
    let tree = tree(&[("user-data", &large), ("meta-data", b"")]);
    let media = [iso_of(&tree, "cidata"), fat(&tree, FatKind::Fat16, 40 << 20)];
    for image in media {
        assert_eq!(read(Cursor::new(image), Kind::Cidata).unwrap().user_data.len(), large.len());
    }
}

#[test]
fn odd_files() {
    let mut odd = tree(&[("meta-data", b"")]);
    odd.insert("user-data", Node::symlink("/etc/shadow")).unwrap();
    assert_eq!(
        message(read(Cursor::new(iso_of(&odd, "cidata")), Kind::Cidata)),
        "user-data is not a regular file; make the medium anew"
    );
    let many: Vec<String> = (0..2000).map(|i| format!("file-{i:04}")).collect();
    let entries: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), &b""[..])).collect();
    assert!(
        message(read_iso(Kind::Cidata, &entries))
            .starts_with("the directory / has more than 1024 entries")
    );
}

#[test]
fn optional_files_are_listed() {
    let contents = read_iso(
        Kind::Cidata,
        &[
            ("user-data", ENV),
            ("meta-data", b""),
            ("network-config", b"version: 2\n"),
            ("extra", b""),
        ],
    );
    assert_eq!(contents.unwrap().files, ["user-data", "meta-data", "network-config"]);
}

#[test]
fn labels_decide_the_kind() {
    let kind_of = |label| {
        let image = iso_of(&tree_of(&files(Kind::Cidata)), label);
        identify(Cursor::new(image)).unwrap().unwrap().kind
    };
    assert_eq!(kind_of("cidata"), Some(Kind::Cidata));
    assert_eq!(kind_of("CONFIG-2"), Some(Kind::Config2));
    assert_eq!(kind_of("Cidata"), None);
}

#[test]
fn truncated_media() {
    let image = iso_of(&tree_of(&files(Kind::Cidata)), "cidata");
    for length in [0, 512, 32 * 1024 + 100] {
        assert_eq!(identify(Cursor::new(&image[..length])).unwrap(), None, "{length}");
    }
    // The descriptors are there, so the label is known; what they point to is gone.
    let cut = &image[..20 * 2048];
    assert_eq!(identify(Cursor::new(cut)).unwrap().unwrap().kind, Some(Kind::Cidata));
    let text = message(read(Cursor::new(cut), Kind::Cidata));
    assert!(text.starts_with("the iso9660 file system is damaged or cut short ("), "{text}");
}

#[test]
fn contents_do_not_show_the_user_data() {
    let contents = read_iso(Kind::Cidata, &[("user-data", ENV), ("meta-data", b"")]).unwrap();
    assert!(!format!("{contents:?}").contains("site.example"));
}

#[test]
fn a_failing_drive_is_told_apart_from_a_bad_medium() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("sector unreadable"))
        }
    }
    impl Seek for Failing {
        fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
            Ok(1 << 20)
        }
    }
    assert!(matches!(identify(Failing), Err(ReadError::Device(_))));
    assert_eq!(
        message(read(Failing, Kind::Cidata)),
        "the drive cannot be read; check that the medium is whole and attached: sector unreadable"
    );
}
