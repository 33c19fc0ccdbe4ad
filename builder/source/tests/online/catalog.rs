//! Names of catalogs, with their signatures and every way in which they can be wrong.

use std::fs;

use bootwright_disk::Sha256;
use bootwright_source::config::Layout;
use bootwright_source::lock::Lock;
use bootwright_source::{Details, Error};

use crate::site::{Site, noise, tool};

const LEN: usize = 300_000;
const OLD: &str = "server/releases/noble/release-20260101";
const NEW: &str = "server/releases/noble/release-20260202";
const NAME: &str = "ubuntu-24.04-server-cloudimg-amd64.img";

/// Publishes two builds of noble with streams, as Ubuntu does. Gives their images.
fn publish(site: &Site, key: &str, more: &[&str]) -> [Vec<u8>; 2] {
    let images = [noise(LEN, 1), noise(LEN, 2)];
    let mut versions = Vec::new();
    for (folder, image) in [OLD, NEW].into_iter().zip(&images) {
        let serial = folder.rsplit_once('-').unwrap().1;
        let digest = Sha256::of(image);
        site.put(&format!("{folder}/{NAME}"), image);
        let sums = format!("{} *other.img\n{digest} *{NAME}\n", Sha256::of(b""));
        site.put_signed(&format!("{folder}/SHA256SUMS"), sums.as_bytes(), key, more);
        versions.push(format!(
            r#""{serial}": {{"items": {{"disk1.img": {{"ftype": "disk1.img", "size": {LEN},
                "path": "{folder}/{NAME}", "sha256": "{digest}"}}}}}}"#
        ));
    }
    let products = format!(
        r#"{{"format": "products:1.0", "products": {{"com.ubuntu.cloud:server:24.04:amd64":
            {{"arch": "amd64", "release": "noble", "version": "24.04",
              "versions": {{{}}}}}}}}}"#,
        versions.join(",")
    );
    let index = r#"{"format": "index:1.0", "index": {"com.ubuntu.cloud:released:download":
        {"datatype": "image-downloads", "path": "streams/v1/products.json"}}}"#;
    site.put_signed("streams/v1/products.json", products.as_bytes(), key, more);
    site.put_signed("streams/v1/index.json", index.as_bytes(), key, more);
    images
}

#[test]
fn ubuntu_by_streams_pinned_by_the_lock() {
    let site = Site::new();
    let [old, new] = publish(&site, &site.key, &[]);
    let store = site.store(site.config("plain"));
    let mut lock = Lock::default();
    let base = site.fetch(&store, "ubuntu:noble", &mut lock).unwrap();
    assert!(fs::read(&base.path).unwrap() == new);
    assert_eq!(base.name.as_deref(), Some("ubuntu:noble/20260202 (amd64 disk1)"));
    let entry = &lock.bases[0];
    assert_eq!(entry.signed_by.as_deref(), Some(site.key.as_str()));
    assert_eq!((entry.path.as_str(), entry.size), (&*format!("{NEW}/{NAME}"), Some(LEN as u64)));

    let base = site.fetch(&store, "ubuntu:noble/20260101", &mut lock).unwrap();
    assert!(fs::read(&base.path).unwrap() == old);
    assert_eq!(lock.bases.len(), 2);

    // What is locked and cached needs no network, and what is not says so.
    let offline = bootwright_source::Store::new(site.config("plain"), &site.path("cache"), true);
    let before = site.log().len();
    assert!(site.fetch(&offline, "ubuntu:noble/20260202", &mut lock).is_ok());
    for (name, mut lock) in [("ubuntu:noble", Lock::default()), ("debian:trixie", lock.clone())] {
        let error = site.fetch(&offline, name, &mut lock).unwrap_err();
        assert!(matches!(error, Error::Offline { .. }), "{error}");
    }
    assert_eq!(site.log().len(), before);

    for (name, reason) in [
        ("ubuntu:jammy", "no ubuntu:jammy (amd64 disk1)"),
        ("ubuntu:noble/20250101", "no ubuntu:noble/20250101"),
    ] {
        let error = site.fetch(&store, name, &mut lock).unwrap_err();
        assert!(matches!(error, Error::NotPublished { .. }), "{error:?}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn ubuntu_by_folders_with_variants() {
    let site = Site::new();
    let (mbr, gpt, new) = (noise(LEN, 1), noise(LEN, 2), noise(LEN, 3));
    let names =
        ["xenial-server-cloudimg-amd64-disk1.img", "xenial-server-cloudimg-amd64-uefi1.img"];
    let sums = format!("{} *{}\n{} *{}\n", Sha256::of(&mbr), names[0], Sha256::of(&gpt), names[1]);
    site.put(&format!("xenial/current/{}", names[0]), &mbr);
    site.put(&format!("xenial/current/{}", names[1]), &gpt);
    site.put_signed("xenial/current/SHA256SUMS", sums.as_bytes(), &site.key, &[]);
    let name = "jammy-server-cloudimg-arm64.img";
    site.put(&format!("jammy/20260101/{name}"), &new);
    let sums = format!("{} *{name}\n", Sha256::of(&new));
    site.put_signed("jammy/20260101/SHA256SUMS", sums.as_bytes(), &site.key, &[]);
    let mut config = site.config("plain");
    config.ubuntu.layout = Layout::Folders;
    let store = site.store(config);
    let mut lock = Lock::default();
    let mut fetch = |name, arch, variant| {
        let details = Details { sha256: None, arch, variant };
        fs::read(site.fetch_with(&store, name, &details, &mut lock).unwrap().path).unwrap()
    };
    assert!(fetch("ubuntu:xenial", None, None) == mbr);
    assert!(fetch("ubuntu:xenial", None, Some("uefi1")) == gpt);
    assert!(fetch("ubuntu:jammy/20260101", Some("arm64"), None) == new);
    assert_eq!(lock.bases.len(), 3);
}

#[test]
fn debian_and_alpine_are_pinned_on_first_use() {
    let site = Site::new();
    let image = noise(LEN, 1);
    let path = site.put("trixie/latest/debian-13-generic-amd64.qcow2", &image);
    let sums = tool("sha512sum", &[path.to_str().unwrap()]);
    let digits = String::from_utf8(sums).unwrap()[..128].to_owned();
    let sums = format!("{digits}  debian-13-generic-amd64.qcow2\n");
    site.put("trixie/latest/SHA512SUMS", sums.as_bytes());
    let mut lock = Lock::default();
    let store = site.store(site.config("plain"));
    let base = site.fetch(&store, "debian:trixie", &mut lock).unwrap();
    assert!(fs::read(&base.path).unwrap() == image);
    assert_eq!(base.sha256, Sha256::of(&image));
    assert!(site.noted("SHA512SUMS is not signed") && lock.bases[0].signed_by.is_none());
    drop(base);

    // The catalog moves on: the lock does not, and a fresh cache finds out.
    site.put("trixie/latest/debian-13-generic-amd64.qcow2", &noise(LEN, 9));
    assert!(site.fetch(&store, "debian:trixie", &mut lock).is_ok());
    fs::remove_dir_all(site.path("cache")).unwrap();
    let error = site.fetch(&store, "debian:trixie", &mut lock).unwrap_err().to_string();
    assert!(error.contains("its sha512 is") && error.contains("bootwright base update"), "{error}");

    let name = "v3.22/releases/cloud/nocloud_alpine-3.22.1-x86_64-bios-cloudinit-r0.qcow2";
    site.put(name, &image);
    site.put(&format!("{name}.sha512"), digits.as_bytes());
    assert!(site.fetch(&store, "alpine:3.22.1", &mut lock).is_ok());

    // Nothing proves such a list but the connection, so it has to be a safe one.
    let mut config = site.config("plain");
    config.debian.mirrors = vec!["http://127.0.0.1:9/".to_owned()];
    let error = site.fetch(&site.store(config), "debian:trixie", &mut Lock::default());
    assert!(error.unwrap_err().to_string().contains("not read over https"));
}

#[test]
fn what_is_tampered_with_or_signed_by_others_is_refused() {
    let site = Site::new();
    publish(&site, &site.key, &[]);
    let store = site.store(site.config("plain"));
    let refused = |reason: &str| {
        let error = site.fetch(&store, "ubuntu:noble", &mut Lock::default()).unwrap_err();
        assert!(matches!(error, Error::Signature { .. } | Error::Digest { .. }), "{error:?}");
        assert!(error.to_string().contains(reason), "{error}");
        if site.path("cache").exists() {
            assert_eq!(site.cached(&[".image", ".json", ".part"]), [""; 0]);
        }
    };
    let www = |name: &str| site.path("www").join(name);
    let edit = |name: &str, change: &dyn Fn(String) -> String| {
        let text = fs::read_to_string(www(name)).unwrap();
        fs::write(www(name), change(text)).unwrap();
    };
    // The image.
    fs::write(www(&format!("{NEW}/{NAME}")), noise(LEN, 8)).unwrap();
    refused("its sha256 is");
    // The sums.
    edit(&format!("{NEW}/SHA256SUMS"), &|text| text + "\n");
    refused("SHA256SUMS cannot be trusted: its signature does not fit");
    // The streams.
    edit("streams/v1/products.json", &|text| text.replace("noble", "nobel"));
    refused("products.json cannot be trusted");
    // Streams and sums that contradict each other, though both are signed.
    publish(&site, &site.key, &[]);
    let sums = format!("{} *{NAME}\n", Sha256::of(b"x"));
    site.put_signed(&format!("{NEW}/SHA256SUMS"), sums.as_bytes(), &site.key, &[]);
    refused("the stream gives sha256:");
    // Another key, in the keyring or not.
    let other = site.make_key("other", &[]);
    fs::write(site.path("keyring.gpg"), site.gpg(&["--export"])).unwrap();
    publish(&site, &other, &[]);
    refused("it is signed by the key");
}

#[test]
fn expired_and_revoked_keys_are_refused() {
    let site = Site::new();
    let past = ["--faked-system-time", "20200101T000000!"];
    let expired = site.make_key("expired", &past);
    publish(&site, &expired, &past);
    fs::write(site.path("keyring.gpg"), site.gpg(&["--export"])).unwrap();
    let mut config = site.config("plain");
    config.ubuntu.fingerprints = vec![expired];
    let mut lock = Lock::default();
    let error = site.fetch(&site.store(config), "ubuntu:noble", &mut lock).unwrap_err();
    assert!(error.to_string().contains("expired"), "{error}");

    let revocation = site.path(&format!("gpg/openpgp-revocs.d/{}.rev", site.key));
    let text = fs::read_to_string(revocation).unwrap().replace(":-----BEGIN", "-----BEGIN");
    fs::write(site.path("revocation"), text).unwrap();
    publish(&site, &site.key, &[]);
    site.gpg(&["--import", site.path("revocation").to_str().unwrap()]);
    fs::write(site.path("keyring.gpg"), site.gpg(&["--export"])).unwrap();
    let store = site.store(site.config("plain"));
    let error = site.fetch(&store, "ubuntu:noble", &mut lock).unwrap_err();
    assert!(error.to_string().contains("was revoked"), "{error}");
    assert_eq!(lock, Lock::default());
}

#[test]
fn mirrors_are_tried_in_order_and_missing_ones_are_named() {
    let site = Site::new();
    let [_, new] = publish(&site, &site.key, &[]);
    let mut config = site.config("plain");
    config.ubuntu.mirrors.insert(0, "https://127.0.0.1:9/".to_owned());
    let store = site.store(config);
    let base = site.fetch(&store, "ubuntu:noble", &mut Lock::default()).unwrap();
    assert!(fs::read(&base.path).unwrap() == new && site.noted("127.0.0.1:9"));
    let mut config = site.config("plain");
    config.ubuntu.mirrors.clear();
    let error = site.fetch(&site.store(config), "ubuntu:noble", &mut Lock::default()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("catalog.yml") && text.contains("ubuntu: {mirrors:"), "{text}");
}
