//! What servers and networks do, and what comes of it.

use std::fs;

use bootwright_source::Error;

use crate::site::{Site, noise, tool};

const LEN: usize = 1 << 20;

#[test]
fn good_transfers_and_ones_that_break_off() {
    let site = Site::new();
    for (seed, fault) in
        (1..).zip(["plain", "hop", "busy", "cut", "bare", "norange", "stall", "changed"])
    {
        let data = noise(LEN, seed);
        let name = format!("{fault}.img");
        site.put(&name, &data);
        let base = site.fetch_url(fault, &name, &data).unwrap();
        assert!(base.is_cached() && fs::read(&base.path).unwrap() == data, "{fault}");
    }
    assert_eq!(site.cached(&[".part", ".from"]), [""; 0]);
    let log = site.log();
    let of = |fault: &str| -> Vec<&str> {
        let prefix = format!("/{fault}/{fault}.img ");
        log.iter().filter_map(|line| line.strip_prefix(&prefix)).collect()
    };
    let half = format!("bytes={}-", LEN / 2);
    assert_eq!(of("plain"), ["- - 200"]);
    assert_eq!(of("busy"), ["- - 503", "- - 503", "- - 200"]);
    assert_eq!(of("cut"), ["- - 200", &format!("{half} \"cut-2\" 206")]);
    assert_eq!(of("stall"), ["- - 200", &format!("{half} \"stall-2\" 206")]);
    assert_eq!(of("bare"), ["- - 200", &format!("{half} - 206")]);
    assert_eq!(of("norange"), ["- - 200", &format!("{half} \"norange-2\" 200")]);
    // The file was replaced in between: what was there is thrown away, not mixed.
    assert_eq!(of("changed"), ["- - 200", &format!("{half} \"changed-1\" 200")]);
    assert!(site.noted("the server starts over") && site.noted("stalls after"));
}

#[test]
fn what_does_not_pass_is_an_error_with_the_address() {
    let site = Site::new();
    let data = noise(LEN, 1);
    site.put("x.img", &data);
    let failed = |fault: &str, name: &str, reason: &str| {
        let error = site.fetch_url(fault, name, &data).unwrap_err();
        assert!(matches!(error, Error::Http { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(reason) && text.contains(&format!("/{fault}/{name}")), "{text}");
    };
    failed("plain", "none.img", "404");
    failed("loop", "x.img", "redirects more than 10 times");
    failed("down", "x.img", "not https");
    failed("stuck", "x.img", "stalls after");
    assert_eq!(site.cached(&[".image", ".json"]), [""; 0]);
    // Other certificates than the one that signed the server's are not trusted.
    let mut config = site.config("plain");
    fs::rename(site.path("ca.crt"), site.path("old.crt")).unwrap();
    let new = ["req", "-newkey", "rsa:2048", "-nodes", "-x509", "-subj", "/CN=other", "-keyout"];
    let (key, crt) = (site.path("o.key"), site.path("ca.crt"));
    tool("openssl", &[&new[..], &[key.to_str().unwrap(), "-out", crt.to_str().unwrap()]].concat());
    failed("plain", "x.img", "certificate");
    config.download.ca = Some(site.path("server.key"));
    let error = site.fetch(&site.store(config), "debian:trixie", &mut Default::default());
    assert!(error.unwrap_err().to_string().contains("holds no certificate"));
}

#[test]
fn a_later_run_goes_on_and_a_useless_rest_is_thrown_away() {
    let site = Site::new();
    let data = noise(LEN, 7);
    site.put("x.img", &data);
    // A run that gave up leaves its half.
    assert!(site.fetch_url("stuck", "x.img", &data).is_err());
    let part = site.cached(&[".part"]).remove(0);
    assert!(fs::metadata(site.path("cache").join(&part)).unwrap().len() >= LEN as u64 / 2);
    let base = site.fetch_url("plain", "x.img", &data).unwrap();
    assert!(fs::read(&base.path).unwrap() == data);
    let last = site.log().pop().unwrap();
    assert!(last.contains("bytes=") && last.ends_with(" 206"), "{last}");
    drop(base);

    // A rest of something else is found out by the digest, and replaced.
    fs::remove_dir_all(site.path("cache")).unwrap();
    fs::create_dir(site.path("cache")).unwrap();
    fs::write(site.path("cache").join(&part), noise(LEN / 4, 99)).unwrap();
    let base = site.fetch_url("plain", "x.img", &data).unwrap();
    assert!(fs::read(&base.path).unwrap() == data && site.noted("starting over"));
    drop(base);

    // One that is longer than the file is not even asked about twice.
    fs::remove_dir_all(site.path("cache")).unwrap();
    fs::create_dir(site.path("cache")).unwrap();
    fs::write(site.path("cache").join(&part), noise(LEN + 5, 99)).unwrap();
    assert!(site.fetch_url("plain", "x.img", &data).is_ok());
}

#[test]
fn a_wrong_image_is_never_there() {
    let site = Site::new();
    let data = noise(LEN, 3);
    let mut tampered = data.clone();
    tampered[LEN / 2] ^= 1;
    site.put("x.img", &tampered);
    let error = site.fetch_url("plain", "x.img", &data).unwrap_err();
    assert!(matches!(error, Error::Digest { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("its sha256 is") && text.contains("/plain/x.img"), "{text}");
    assert_eq!(site.cached(&[".image", ".json", ".part", ".from"]), [""; 0]);
}

#[test]
fn a_full_disk_is_said_to_be_full() {
    let site = Site::new();
    let data = noise(4 << 20, 5);
    site.put("x.img", &data);
    let cache = site.path("cache");
    let cache = cache.to_str().unwrap();
    root("mount", &["-t", "tmpfs", "-o", "size=1m,mode=777", "none", cache]);
    let fetched = site.fetch_url("plain", "x.img", &data);
    let left = site.cached(&[".image", ".json", ".part", ".from"]);
    root("umount", &[cache]);
    let error = fetched.unwrap_err();
    assert!(matches!(error, Error::Full { .. }), "{error:?}");
    assert!(error.to_string().contains("no room left for"), "{error}");
    assert_eq!(left, [""; 0]);
}

/// Runs a tool as root.
fn root(program: &str, args: &[&str]) {
    match tool("id", &["-u"]).as_slice() {
        b"0\n" => tool(program, args),
        _ => tool("sudo", &[&["-n", program], args].concat()),
    };
}
