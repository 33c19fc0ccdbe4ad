//! The cache: packed images, damage, eviction and runs side by side.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use bootwright_disk::Sha256;
use bootwright_source::Error;
use bootwright_source::lock::Lock;

use crate::site::{Site, noise};

const HOLE: usize = 4 << 20;

/// A disk with a hole in it.
fn disk() -> Vec<u8> {
    [noise(200_000, 1), vec![0; HOLE], noise(200_000, 2)].concat()
}

/// Packs `disk.raw` in `dir` with a shell command; gives the bytes of `file`.
fn pack(dir: &Path, command: &str, file: &str) -> Vec<u8> {
    let status = Command::new("bash").args(["-c", command]).current_dir(dir).status().unwrap();
    assert!(status.success(), "{command}");
    fs::read(dir.join(file)).unwrap()
}

#[test]
fn packed_images_are_unpacked_once() {
    let site = Site::new();
    let dir = site.path("work");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("disk.raw"), disk()).unwrap();
    for (command, file) in [
        ("xz -k -0 disk.raw", "disk.raw.xz"),
        ("gzip -k disk.raw", "disk.raw.gz"),
        ("zstd -q disk.raw", "disk.raw.zst"),
        ("zip -q disk.zip disk.raw", "disk.zip"),
        ("tar czf disk.tar.gz disk.raw", "disk.tar.gz"),
        ("tar cJf disk.tar.xz ./disk.raw", "disk.tar.xz"),
        ("tar cSf - disk.raw | zstd -q > sparse.tar.zst", "sparse.tar.zst"),
        ("(head -c 100000 disk.raw | xz; tail -c +100001 disk.raw | xz) > two.xz", "two.xz"),
    ] {
        let packed = pack(&dir, command, file);
        site.put(file, &packed);
        let base = site.fetch_url("plain", file, &packed).unwrap();
        assert!(fs::read(&base.path).unwrap() == disk(), "{file}");
        assert_eq!(base.sha256, Sha256::of(&disk()));
        let taken = fs::metadata(&base.path).unwrap().blocks() * 512;
        assert!(taken < HOLE as u64 / 2, "{file} takes {taken} bytes");
        drop(base);
        let requests = site.log().len();
        site.fetch_url("plain", file, &packed).unwrap();
        assert_eq!(site.log().len(), requests, "{file}");
        // A file of this machine goes the same way.
        let store = site.store(site.config("plain"));
        let base = site.fetch(&store, &format!("file:work/{file}"), &mut Lock::default()).unwrap();
        assert!(base.is_cached() && fs::read(&base.path).unwrap() == disk());
    }
}

#[test]
fn packed_images_that_are_none() {
    let site = Site::new();
    let dir = site.path("work");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("disk.raw"), disk()).unwrap();
    let whole = pack(&dir, "xz -k -0 disk.raw", "disk.raw.xz");
    for (command, file, reason) in [
        (
            "echo x > y; tar czf two.tar.gz disk.raw y",
            "two.tar.gz",
            "more than one file (disk.raw, y)",
        ),
        ("zip -q two.zip disk.raw y", "two.zip", "more than one file"),
        ("mkdir d; tar czf none.tar.gz d", "none.tar.gz", "holds no file"),
        ("head -c 5000 disk.raw.xz > cut.xz", "cut.xz", ""),
        ("head -c 5000 two.zip > cut.zip", "cut.zip", ""),
    ] {
        let packed = pack(&dir, command, file);
        site.put(file, &packed);
        let error = site.fetch_url("plain", file, &packed).unwrap_err();
        assert!(matches!(error, Error::Unpack { .. }), "{file}: {error:?}");
        assert!(error.to_string().contains(reason), "{error}");
        assert_eq!(site.cached(&[".image", ".json", ".part", ".tmp"]), [""; 0]);
    }
    for at in (6..whole.len()).step_by(whole.len() / 40) {
        let mut broken = whole.clone();
        broken[at] ^= 0xff;
        fs::write(dir.join("broken.xz"), broken).unwrap();
        let store = site.store(site.config("plain"));
        assert!(site.fetch(&store, "file:work/broken.xz", &mut Lock::default()).is_err(), "{at}");
    }
}

#[test]
fn damage_is_found_and_mended() {
    let site = Site::new();
    let data = noise(200_000, 1);
    site.put("x.img", &data);
    let base = site.fetch_url("plain", "x.img", &data).unwrap();
    let path = base.path.clone();
    drop(base);
    let damage = |offset: usize| {
        let mut bytes = fs::read(&path).unwrap();
        bytes[offset] ^= 1;
        fs::write(&path, bytes).unwrap();
    };
    damage(1000);
    let base = site.fetch_url("plain", "x.img", &data).unwrap();
    assert!(fs::read(&base.path).unwrap() == data && site.noted("was damaged"));
    drop(base);
    let store = site.store(site.config("plain"));
    let record = store.cache.list().unwrap().remove(0);
    let tell = |_: bootwright_source::Event<'_>| {};
    let cancel = std::sync::atomic::AtomicBool::new(false);
    let watch = bootwright_source::Watch { tell: &tell, cancel: &cancel };
    assert!(store.cache.verify(&record, &watch).unwrap());
    damage(0);
    assert!(!store.cache.verify(&record, &watch).unwrap());
    assert_eq!(store.cache.list().unwrap(), []);
}

#[test]
fn the_oldest_goes_first_and_what_is_in_use_stays() {
    let site = Site::new();
    let mut config = site.config("plain");
    config.cache_gib = Some(0);
    let images: Vec<_> = (1..=3).map(|seed| noise(200_000, seed)).collect();
    let mut bases = Vec::new();
    for (index, image) in images.iter().enumerate() {
        site.put(&format!("{index}.img"), image);
        let details =
            bootwright_source::Details { sha256: Some(Sha256::of(image)), ..Default::default() };
        let url = site.url("plain", &format!("{index}.img"));
        let store = site.store(config.clone());
        bases.push(site.fetch_with(&store, &url, &details, &mut Lock::default()).unwrap());
        if index == 1 {
            // No longer in use.
            bases.remove(0);
        }
    }
    let left = site.cached(&[".image"]);
    let stem = |image: &[u8]| format!("sha256-{}.image", Sha256::of(image));
    let mut expected = [stem(&images[1]), stem(&images[2])];
    expected.sort();
    assert_eq!(left, expected);
}

#[test]
fn runs_side_by_side_fetch_once() {
    let site = Site::new();
    let data = noise(3_000_000, 4);
    site.put("x.img", &data);
    let fetch = || {
        let details =
            bootwright_source::Details { sha256: Some(Sha256::of(&data)), ..Default::default() };
        let location =
            bootwright_source::Location::parse(&site.url("cut", "x.img"), &details, Path::new("/"));
        (location.unwrap(), site.config("cut"), site.path("cache"))
    };
    let jobs: Vec<_> = (0..6).map(|_| fetch()).collect();
    std::thread::scope(|scope| {
        for (location, config, cache) in jobs {
            let data = &data;
            scope.spawn(move || {
                let store = bootwright_source::Store::new(config, &cache, false);
                let cancel = std::sync::atomic::AtomicBool::new(false);
                let watch = bootwright_source::Watch { tell: &|_| {}, cancel: &cancel };
                let base = store.fetch(&location, &mut Lock::default(), &watch).unwrap();
                assert!(fs::read(&base.path).unwrap() == *data);
            });
        }
    });
    assert_eq!(site.log().len(), 2, "{:?}", site.log());
}
