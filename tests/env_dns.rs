//! `bootwright env dns`, judged by BIND (its checker of zones and its server) and by a DKIM
//! verifier that knows nothing but the record.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

#[path = "common/mod.rs"]
mod common;

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{ok_in, run_in, text, tool};

const SOA: &str = "$TTL 3600\n@ IN SOA ns.example.org. admin.example.org. 1 7200 900 1209600 300\n\
                   @ IN NS ns.example.org.\n";

/// An env for `domain`, with a new DKIM key.
fn site(dir: &Path, domain: &str) {
    let key = dir.join("dkim.pem");
    tool("openssl", &["genrsa", "-out", text(&key), "2048"]);
    let pem: String =
        fs::read_to_string(&key).unwrap().lines().map(|line| format!("      {line}\n")).collect();
    let env = format!("#cloud-config\nappliance:\n  domain: {domain}\n  dkim:\n    key: |\n{pem}");
    fs::write(dir.join("env.yml"), env).unwrap();
}

const ADDRESSES: [&str; 4] = ["--address", "203.0.113.7", "--address", "2001:db8::7"];

fn dns(dir: &Path, more: &[&str]) -> common::Ran {
    run_in(dir, &[&["env", "dns"], &ADDRESSES[..], more, &["env.yml"]].concat())
}

#[test]
fn bind_takes_the_zones() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for (domain, zone) in [("whatever.me", "whatever.me"), ("sub.whatever.me", "whatever.me")] {
        site(dir, domain);
        let part = dns(dir, &["--zone", zone]).out;
        assert!(part.contains("A ") && !part.contains("PRIVATE"), "{part}");
        fs::write(dir.join("part"), &part).unwrap();
        fs::write(dir.join("zone"), format!("{SOA}$INCLUDE {}\n", dir.join("part").display()))
            .unwrap();
        let checked = tool("named-checkzone", &["-D", zone, text(&dir.join("zone"))]);
        assert!(checked.contains("\nOK\n") && !checked.contains("warning"), "{checked}");
        let mx = format!("{domain}.\t");
        assert!(
            checked
                .lines()
                .any(|l| l.starts_with(&mx) && l.ends_with(&format!("MX\t10 {domain}."))),
            "{checked}"
        );
        let reverse = dns(dir, &["--zone", zone, "--format", "reverse"]).out;
        let (v4, v6) = reverse.split_once('\n').unwrap();
        for (zone, line) in [("113.0.203.in-addr.arpa", v4), ("8.b.d.0.1.0.0.2.ip6.arpa", v6)] {
            fs::write(dir.join("zone"), format!("{SOA}{line}\n")).unwrap();
            tool("named-checkzone", &["-i", "none", zone, text(&dir.join("zone"))]);
        }
    }
}

/// A name server of its own, with the zone as printed, on a free port.
struct Server(Child);

impl Server {
    fn start(dir: &Path, port: u16) -> Self {
        let folder = text(dir);
        fs::write(dir.join("named.conf"), format!(
            "options {{ directory \"{folder}\"; pid-file none; session-keyfile none; recursion no;\n\
             listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n\
             managed-keys-directory \"{folder}\"; dnssec-validation no; max-udp-size 512; }};\n\
             controls {{ }};\n\
             zone \"whatever.me\" {{ type primary; file \"zone\"; }};\n\
             zone \"113.0.203.in-addr.arpa\" {{ type primary; file \"reverse4\"; }};\n\
             zone \"8.b.d.0.1.0.0.2.ip6.arpa\" {{ type primary; file \"reverse6\"; }};\n"
        )).unwrap();
        let log = fs::File::create(dir.join("named.log")).unwrap();
        let child = Command::new("named")
            .args(["-g", "-c", text(&dir.join("named.conf")), "-n", "1"])
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("named ({error}): run ci/setup"));
        let server = Self(child);
        let deadline = Instant::now() + Duration::from_secs(30);
        while !fs::read_to_string(dir.join("named.log")).unwrap().contains("running") {
            assert!(
                Instant::now() < deadline,
                "{}",
                fs::read_to_string(dir.join("named.log")).unwrap()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Writes the zone files of a site, the forward one changed by `change`.
fn serve(dir: &Path, change: impl Fn(String) -> String) -> (Server, String) {
    let part = change(dns(dir, &["--zone", "whatever.me"]).out);
    fs::write(dir.join("zone"), format!("{SOA}{part}")).unwrap();
    let reverse = dns(dir, &["--zone", "whatever.me", "--format", "reverse"]).out;
    let (v4, v6) = reverse.split_once('\n').unwrap();
    fs::write(dir.join("reverse4"), format!("{SOA}{v4}\n")).unwrap();
    fs::write(dir.join("reverse6"), format!("{SOA}{v6}\n")).unwrap();
    let port = free_port();
    (Server::start(dir, port), format!("127.0.0.1:{port}"))
}

#[test]
fn a_resolver_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    site(dir, "sub.whatever.me");
    let verify = |at: &str| dns(dir, &["--zone", "whatever.me", "--verify", at]);
    {
        // The DKIM answer is cut off over UDP here (max-udp-size), so TCP is used too.
        let (_server, at) = serve(dir, |zone| zone);
        let ran = verify(&at);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert_eq!(
            ran.out.lines().filter(|line| line.starts_with("ok ")).count(),
            8,
            "{}",
            ran.out
        );
    }
    let (_server, at) = serve(dir, |zone| {
        zone.replace("203.0.113.7", "203.0.113.8").replace("_dmarc.sub", "_dmarc.bus").replace(
            "; Records",
            "sub IN TXT \"v=spf1 -all\"\nsub IN TXT \"site-check=1\"\n; Records",
        )
    });
    let ran = verify(&at);
    assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
    for line in [
        "differs sub.whatever.me. A 203.0.113.7\n        there is 203.0.113.8\n",
        "missing _dmarc.sub.whatever.me. TXT v=DMARC1; p=quarantine\n",
        "extra   sub.whatever.me. TXT v=spf1 a mx -all\n        there is v=spf1 -all\n",
        "ok      7.113.0.203.in-addr.arpa. PTR sub.whatever.me.\n",
    ] {
        assert!(ran.out.contains(line), "{line:?} in\n{}", ran.out);
    }
    assert!(!ran.out.contains("site-check"));
    assert!(ran.err.contains("3 of 8 records"), "{}", ran.err);
    let silent = verify(&format!("127.0.0.1:{}", free_port()));
    assert!(silent.code == 1 && silent.err.contains("does not answer"), "{}", silent.err);
}

/// Signs with the private key as opendkim does, and verifies with nothing but what we print.
const DKIM: &str = r#"
import dkim, json, sys
key, records = open(sys.argv[1], "rb").read(), json.load(open(sys.argv[2]))["records"]
txt = {r["name"]: "".join(r["strings"]) for r in records if r["type"] == "TXT"}
mail = b"From: a@whatever.me\r\nTo: b@x.test\r\nSubject: hello\r\n\r\nbody\r\n"
signed = dkim.sign(mail, b"default", b"sub.whatever.me", key,
                   canonicalize=(b"relaxed", b"relaxed")) + mail
look = lambda name, timeout=5: txt[name.decode() if isinstance(name, bytes) else name].encode()
assert dkim.verify(signed, dnsfunc=look), "the signature does not verify"
assert not dkim.verify(signed.replace(b"body", b"bodx"), dnsfunc=look)
print("verified")
"#;

#[test]
fn a_dkim_signature_verifies_against_the_printed_record() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    site(dir, "sub.whatever.me");
    fs::write(dir.join("dns.json"), dns(dir, &["--zone", "whatever.me", "--format", "json"]).out)
        .unwrap();
    let (key, json) = (dir.join("dkim.pem"), dir.join("dns.json"));
    let verdict = tool("/usr/bin/python3", &["-c", DKIM, text(&key), text(&json)]);
    assert_eq!(verdict, "verified\n");
}

#[test]
fn the_env_gets_its_block_and_mistakes_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    site(dir, "whatever.me");
    let before = fs::read_to_string(dir.join("env.yml")).unwrap();
    for _ in 0..2 {
        assert_eq!(dns(dir, &["--update"]).code, 0);
        let after = fs::read_to_string(dir.join("env.yml")).unwrap();
        assert!(after.starts_with("#cloud-config\n# --- DNS records"));
        assert!(after.ends_with(&before["#cloud-config\n".len()..]));
        assert_eq!(after.matches("v=spf1").count(), 1);
    }
    ok_in(dir, &["env", "check", "env.yml"]);
    let refused = dns(dir, &["--zone", "else.where"]);
    assert!(
        refused.code == 3 && refused.err.contains("does not lie in the zone"),
        "{}",
        refused.err
    );
    assert_eq!(dns(dir, &["--policy", "none.yml"]).code, 3);
    assert_eq!(dns(dir, &["--verify", "nowhere"]).code, 2);
}
