//! A server with images, a key that signs them, and a store that fetches from it.

#![allow(dead_code, reason = "the black-box tests of the program use a part of it")]

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;

use bootwright_source::config::{Catalog, Config, Layout};
use bootwright_source::lock::Lock;
use bootwright_source::{Base, Details, DownloadOptions, Error, Event, Location, Store, Watch};

/// Runs a tool that must be there and succeed; gives its stdout.
pub fn tool(program: &str, args: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{program} ({error}): run ci/setup"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {text}");
    output.stdout
}

/// The server, with all it needs in a folder.
pub struct Site {
    pub dir: tempfile::TempDir,
    server: Child,
    port: u16,
    /// Fingerprint of the key that signs.
    pub key: String,
    /// What the store said.
    pub notes: RefCell<Vec<String>>,
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Site {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["www", "gpg", "cache"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        fs::set_permissions(dir.path().join("gpg"), fs::Permissions::from_mode(0o700)).unwrap();
        certificates(dir.path());
        let path = |name: &str| dir.path().join(name);
        let script = dir.path().join("server.py");
        fs::write(&script, include_str!("server.py")).unwrap();
        let mut server = Command::new("python3")
            .arg(script)
            .args([path("www"), path("server.crt"), path("server.key"), path("log")])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap();
        let mut site = Self { dir, server, port, key: String::new(), notes: RefCell::default() };
        site.key = site.make_key("signer", &[]);
        fs::write(site.path("keyring.gpg"), site.gpg(&["--export"])).unwrap();
        site
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn gpg(&self, args: &[&str]) -> Vec<u8> {
        let home = self.path("gpg");
        let home = ["--homedir", home.to_str().unwrap(), "--batch", "--quiet", "--yes"];
        let quiet = ["--passphrase", "", "--pinentry-mode", "loopback"];
        tool("gpg", &[&home[..], &quiet[..], args].concat())
    }

    /// Makes a key; gives its fingerprint.
    pub fn make_key(&self, name: &str, more: &[&str]) -> String {
        self.gpg(&[more, &["--quick-generate-key", name, "ed25519", "sign", "1y"]].concat());
        let listed = self.gpg(&["--with-colons", "--list-keys", name]);
        let listed = String::from_utf8(listed).unwrap();
        let line = listed.lines().find(|line| line.starts_with("fpr:")).unwrap();
        line.split(':').nth(9).unwrap().to_owned()
    }

    /// Puts a file on the server.
    pub fn put(&self, name: &str, data: &[u8]) -> PathBuf {
        let path = self.path("www").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, data).unwrap();
        path
    }

    /// Puts a file on the server, signed by `key`.
    pub fn put_signed(&self, name: &str, data: &[u8], key: &str, more: &[&str]) {
        let path = self.put(name, data);
        let (path, signature) = (path.to_str().unwrap(), format!("{}.gpg", path.display()));
        let args = ["--local-user", key, "--output", &signature, "--detach-sign", path];
        self.gpg(&[more, &args].concat());
    }

    pub fn url(&self, fault: &str, name: &str) -> String {
        format!("https://127.0.0.1:{}/{fault}/{name}", self.port)
    }

    /// A configuration whose mirrors all have one fault.
    pub fn config(&self, fault: &str) -> Config {
        let mirrors = vec![self.url(fault, "")];
        let plain = Catalog { mirrors, ..Catalog::default() };
        Config {
            ubuntu: Catalog {
                layout: Layout::Streams,
                keyring: Some(self.path("keyring.gpg")),
                fingerprints: vec![self.key.clone()],
                ..plain.clone()
            },
            debian: plain.clone(),
            alpine: plain,
            download: DownloadOptions {
                stall_seconds: 1,
                attempts: 3,
                backoff_ms: 10,
                ca: Some(self.path("ca.crt")),
            },
            cache_gib: None,
            file: self.path("catalog.yml"),
        }
    }

    pub fn store(&self, config: Config) -> Store {
        Store::new(config, &self.path("cache"), false)
    }

    /// Fetches `text` with a store.
    pub fn fetch(&self, store: &Store, text: &str, lock: &mut Lock) -> Result<Base, Error> {
        self.fetch_with(store, text, &Details::default(), lock)
    }

    pub fn fetch_with(
        &self,
        store: &Store,
        text: &str,
        details: &Details<'_>,
        lock: &mut Lock,
    ) -> Result<Base, Error> {
        let location = Location::parse(text, details, self.dir.path()).unwrap();
        let tell = |event: Event<'_>| {
            if let Event::Note(text) = event {
                self.notes.borrow_mut().push(text.to_owned());
            }
        };
        store.fetch(&location, lock, &Watch { tell: &tell, cancel: &AtomicBool::new(false) })
    }

    /// Fetches a file of the server by its address.
    pub fn fetch_url(&self, fault: &str, name: &str, data: &[u8]) -> Result<Base, Error> {
        let sha256 = Some(bootwright_disk::Sha256::of(data));
        let details = Details { sha256, ..Details::default() };
        let store = self.store(self.config(fault));
        self.fetch_with(&store, &self.url(fault, name), &details, &mut Lock::default())
    }

    /// The server's log, a line a request.
    pub fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub fn noted(&self, text: &str) -> bool {
        self.notes.borrow().iter().any(|note| note.contains(text))
    }

    /// Names in the cache with one of the endings.
    pub fn cached(&self, endings: &[&str]) -> Vec<String> {
        let entries = fs::read_dir(self.path("cache")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> =
            names.filter(|name| endings.iter().any(|ending| name.ends_with(ending))).collect();
        names.sort();
        names
    }
}

/// A certificate authority and a certificate for 127.0.0.1 by it.
fn certificates(dir: &Path) {
    let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let new = ["req", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj"];
    let ca = ["/CN=test-ca", "-x509", "-keyout", &path("ca.key"), "-out", &path("ca.crt")];
    tool("openssl", &[&new[..], &ca].concat());
    let request = ["/CN=127.0.0.1", "-keyout", &path("server.key"), "-out", &path("server.csr")];
    tool("openssl", &[&new[..], &request].concat());
    fs::write(dir.join("extensions"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
        .unwrap();
    tool(
        "openssl",
        &[
            "x509",
            "-req",
            "-days",
            "2",
            "-set_serial",
            "1",
            "-in",
            &path("server.csr"),
            "-CA",
            &path("ca.crt"),
            "-CAkey",
            &path("ca.key"),
            "-extfile",
            &path("extensions"),
            "-out",
            &path("server.crt"),
        ],
    );
}

/// Bytes that do not compress, and are others for another seed.
pub fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    (0..len).map(step).collect()
}
