//! Bases that are not files as they are: names of catalogs, downloads, compressed images;
//! the lock file and the cache as users see them.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

mod common;
#[path = "../builder/source/tests/online/site.rs"]
mod site;

use std::fs;
use std::path::Path;

use common::{Ran, bootwright, ran, small_base, text, tool};
use site::Site;

/// Runs the program with the site's catalog and cache.
fn run(site: &Site, args: &[&str]) -> Ran {
    run_with(site, args, &[])
}

fn run_with(site: &Site, args: &[&str], environment: &[(&str, &str)]) -> Ran {
    let mut command = bootwright();
    command
        .args(args)
        .envs(environment.iter().copied())
        .current_dir(site.dir.path())
        .env("BOOTWRIGHT_CATALOG", site.path("catalog.yml"))
        .env("XDG_CACHE_HOME", site.path("xdg"));
    ran(command.output().unwrap())
}

fn ok(site: &Site, args: &[&str]) -> Ran {
    let ran = run(site, args);
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
    ran
}

fn profile(site: &Site, base: &str) {
    let text = format!("name: small\nversion: 1.0\nbase: {base}\noutputs: {{raw: }}\n");
    fs::write(site.path("p.yml"), text).unwrap();
}

/// Publishes an image as Debian does.
fn publish(site: &Site, image: &Path) {
    let name = "debian-13-generic-amd64.qcow2";
    site.put(&format!("trixie/latest/{name}"), &fs::read(image).unwrap());
    let sums = tool("sha512sum", &[text(image)]);
    let line = format!("{}  {name}\n", &sums[..128]);
    site.put("trixie/latest/SHA512SUMS", line.as_bytes());
}

#[test]
fn a_name_is_locked_and_then_needs_no_network() {
    let site = Site::new();
    let raw = small_base(site.dir.path());
    let image = site.path("image.qcow2");
    tool("qemu-img", &["convert", "-c", "-f", "raw", "-O", "qcow2", text(&raw), text(&image)]);
    publish(&site, &image);
    profile(&site, "debian:trixie");

    // Nothing says where Debian's images are.
    let missing = run(&site, &["plan", "p.yml"]);
    assert_eq!(missing.code, 1, "{}", missing.err);
    fs::write(site.path("catalog.yml"), "ubuntu: {}\n").unwrap();
    let unknown = run(&site, &["plan", "p.yml"]);
    assert_eq!(unknown.code, 5, "{}", unknown.err);
    assert!(unknown.err.contains("debian: {mirrors: [ADDRESS]}"), "{}", unknown.err);
    fs::write(site.path("catalog.yml"), "debian: {mirors: []}\n").unwrap();
    let typo = run(&site, &["plan", "p.yml"]);
    assert_eq!(typo.code, 3, "{}", typo.err);
    assert!(typo.err.contains("catalog.yml:1:10") && typo.err.contains("mirrors"), "{}", typo.err);

    let mirror = site.url("cut", "");
    let ca = site.path("ca.crt");
    let catalog = format!(
        "debian: {{mirrors: [\"{mirror}\"]}}\ndownload: {{ca: {}, backoff_ms: 10}}\n",
        text(&ca)
    );
    fs::write(site.path("catalog.yml"), catalog).unwrap();
    let offline = run(&site, &["build", "p.yml", "--offline", "--out", "o"]);
    assert_eq!(offline.code, 5, "{}", offline.err);
    assert!(offline.err.contains("--offline forbids"), "{}", offline.err);

    let built = ok(&site, &["build", "p.yml", "--out", "one"]);
    assert!(built.err.contains("is not signed by its publisher"), "{}", built.err);
    let lock = fs::read_to_string(site.path("bootwright.lock")).unwrap();
    assert!(lock.contains("base: debian:trixie") && lock.contains("digest: sha512:"), "{lock}");
    let requests = site.log().len();
    ok(&site, &["build", "p.yml", "--offline", "--out", "two"]);
    assert_eq!(site.log().len(), requests);
    let sums = |out: &str| fs::read_to_string(site.path(out).join("SHA256SUMS")).unwrap();
    assert_eq!(sums("one"), sums("two"));

    // The catalog moves; the lock when asked to.
    tool("qemu-img", &["convert", "-f", "raw", "-O", "qcow2", text(&raw), text(&image)]);
    publish(&site, &image);
    ok(&site, &["build", "p.yml", "--out", "three"]);
    let updated = ok(&site, &["base", "update", "p.yml"]);
    assert!(updated.out.starts_with("- debian:trixie") && updated.out.contains("\n+ "));
    assert!(ok(&site, &["base", "update", "p.yml"]).err.contains("up to date"));
    // A proxy is asked where one is set, unless the server is excepted. Nobody is at this one.
    let proxied = |except| {
        let proxy = [("HTTPS_PROXY", "http://127.0.0.1:9"), ("NO_PROXY", except)];
        run_with(&site, &["base", "update", "p.yml"], &proxy)
    };
    assert_eq!((proxied("example.org").code, proxied("127.0.0.1").code), (1, 0));
    let fetched = ok(&site, &["base", "fetch", "p.yml"]);
    assert_eq!(fs::read(fetched.out.trim()).unwrap(), fs::read(&image).unwrap());
    assert_eq!(ok(&site, &["base", "ls"]).out.lines().count(), 2);
    assert_eq!(ok(&site, &["base", "verify"]).out.matches("good").count(), 2);

    fs::write(fetched.out.trim(), "not what it was").unwrap();
    let damaged = run(&site, &["base", "verify"]);
    assert_eq!(damaged.code, 4, "{}", damaged.err);
    assert_eq!(ok(&site, &["base", "ls"]).out.lines().count(), 1);
}

#[test]
fn downloads_and_compressed_files_are_bases() {
    let site = Site::new();
    let raw = small_base(site.dir.path());
    tool("xz", &["-0", "-k", text(&raw)]);
    let packed = fs::read(site.path("base.raw.xz")).unwrap();
    site.put("base.raw.xz", &packed);
    let ca = site.path("ca.crt");
    fs::write(site.path("catalog.yml"), format!("download: {{ca: {}}}\n", text(&ca))).unwrap();
    let sums = |out: &str| fs::read_to_string(site.path(out).join("SHA256SUMS")).unwrap();
    profile(&site, "file:base.raw");
    ok(&site, &["build", "p.yml", "--out", "plain"]);
    let raw_line =
        |out: &str| sums(out).lines().find(|line| line.ends_with(".raw")).unwrap().to_owned();
    profile(&site, "file:base.raw.xz");
    ok(&site, &["build", "p.yml", "--out", "file"]);
    let url = site.url("plain", "base.raw.xz");
    let digest = tool("sha256sum", &[text(&site.path("base.raw.xz"))])[..64].to_owned();
    profile(&site, &format!("{{url: \"{url}\", sha256: {digest}}}"));
    ok(&site, &["build", "p.yml", "--out", "url"]);
    assert_eq!(raw_line("plain"), raw_line("file"));
    assert_eq!(raw_line("plain"), raw_line("url"));

    profile(&site, &format!("{{url: \"{url}\", sha256: {}}}", "0".repeat(64)));
    let wrong = run(&site, &["build", "p.yml", "--out", "wrong"]);
    assert_eq!(wrong.code, 4, "{}", wrong.err);
    for (base, reason) in [
        (format!("\"{url}\""), "needs its digest"),
        ("{url: x, file: y}".to_owned(), "give one of `file`, `url` and `image`"),
        ("{image: \"ubuntu:noble\", arch: mips}".to_owned(), "amd64 or arm64"),
    ] {
        profile(&site, &base);
        let refused = run(&site, &["plan", "p.yml"]);
        assert_eq!(refused.code, 3, "{}", refused.err);
        assert!(
            refused.err.contains(reason) && refused.err.contains("p.yml:3:"),
            "{}",
            refused.err
        );
    }
}
