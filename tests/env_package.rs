//! `bootwright env package` and `env recover`: gpg opens the archive, poppler renders the
//! paper, zbar reads it by the instructions on it, and pages come back scanned, shuffled and
//! turned.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

#[path = "common/mod.rs"]
mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{names, ok_in, run_in, text, tool};

/// An env of the size and kind that sites have: keys in PEM form, text in any script.
fn site(dir: &Path, file: &str) -> Vec<u8> {
    let key = |bits: &str| {
        let pem = tool("openssl", &["genrsa", bits]);
        pem.lines().map(|line| format!("      {line}\n")).collect::<String>()
    };
    let mut env = format!(
        "#cloud-config\n# Österreich, 漢字, a trailing blank \nappliance:\n  domain: site.test\n  dkim:\n    key: |\n{}",
        key("2048")
    );
    for name in ["backup", "vault"] {
        env += &format!("  {name}:\n    key: |\n{}", key("2048"));
    }
    env +=
        &format!("  long: \"{}\"\n\ttail", "0123456789abcdef".repeat(30)).replace("\n\ttail", "\n");
    fs::write(dir.join(file), &env).unwrap();
    env.into_bytes()
}

/// A throw-away GnuPG home with a key of these parameters.
struct Gpg {
    home: tempfile::TempDir,
}

impl Gpg {
    /// A primary key and one for encryption, as gpg makes them.
    fn new(name: &str, passphrase: &str) -> Self {
        Self::with(name, passphrase, "default", "default")
    }

    fn with(name: &str, passphrase: &str, algorithm: &str, usage: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let gpg = Self { home };
        gpg.run(&["--passphrase", passphrase, "--quick-gen-key", name, algorithm, usage, "never"]);
        gpg
    }

    fn run(&self, args: &[&str]) -> Vec<u8> {
        let output = Command::new("gpg")
            .args(["--batch", "--yes", "--quiet", "--pinentry-mode", "loopback"])
            .args(args)
            .env("GNUPGHOME", self.home.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf")
            .args(["--kill", "all"])
            .env("GNUPGHOME", self.home.path())
            .status();
    }
}

fn package(dir: &Path, args: &[&str]) -> common::Ran {
    ok_in(dir, &[&["env", "package"], args].concat())
}

/// gpg opens the archive for one of its recipients, and so does `env recover`.
fn opens(dir: &Path, (gpg, passphrase): (&Gpg, &str), archive: &Path, env: &[u8]) {
    let tar = gpg.run(&["--passphrase", passphrase, "--decrypt", text(archive)]);
    fs::write(dir.join("a.tar.gz"), tar).unwrap();
    let listed = tool("tar", &["-tzvf", text(&dir.join("a.tar.gz"))]);
    assert_eq!(listed.matches("-rw------- 0/0").count(), 4, "{listed}");
    fs::create_dir_all(dir.join("x")).unwrap();
    tool("tar", &["-xzf", text(&dir.join("a.tar.gz")), "-C", text(&dir.join("x"))]);
    assert_eq!(fs::read(dir.join("x/production.yml")).unwrap(), env);
    assert_eq!(
        names(&dir.join("x")),
        ["env-cidata.iso", "env-config-2.iso", "production.yml", "production.yml.pdf"]
    );
    for (iso, file) in
        [("env-cidata.iso", "/user-data"), ("env-config-2.iso", "/openstack/latest/user_data")]
    {
        let inside = tool("isoinfo", &["-R", "-x", file, "-i", text(&dir.join("x").join(iso))]);
        assert_eq!(inside.as_bytes(), env);
    }
    fs::write(dir.join("key"), gpg.run(&["--passphrase", passphrase, "--export-secret-keys"]))
        .unwrap();
    fs::write(dir.join("pass"), format!("{passphrase}\n")).unwrap();
    let args = [
        "env",
        "recover",
        "--force",
        "--out",
        "back.yml",
        "--key",
        "key",
        "--passphrase-file",
        "pass",
    ];
    ok_in(dir, &[&args[..], &[text(archive)]].concat());
    assert_eq!(fs::read(dir.join("back.yml")).unwrap(), env);
}

#[test]
fn gpg_opens_the_archive_for_every_recipient_and_so_do_we() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    // Another name than env.yml: b52.
    let env = site(dir, "production.yml");
    // The one key for everything is the form that upstream makes.
    let alice = Gpg::with("alice@x.test", "", "rsa2048", "cert,sign,encr");
    let bob = Gpg::new("bob@x.test", "open sesame");
    let both = [alice.run(&["--armor", "--export"]), bob.run(&["--armor", "--export"])].concat();
    fs::write(dir.join("keys.asc"), both).unwrap();
    fs::create_dir(dir.join("safe")).unwrap();
    let made = package(dir, &["--to", "keys.asc", "--out", "safe", "production.yml"]);
    assert_eq!(made.err.matches("to ").count(), 2, "{}", made.err);
    let archive = dir.join(made.out.trim_end());
    let name = names(&dir.join("safe")).concat();
    assert!(name.starts_with("site.test.env.20") && name.ends_with(".tar.gz.gpg"), "{name}");
    assert_eq!(names(dir), ["keys.asc", "production.yml", "safe"], "nothing else is left on disk");

    for (gpg, passphrase) in [(&alice, ""), (&bob, "open sesame")] {
        opens(dir, (gpg, passphrase), &archive, &env);
    }
    let refused = |args: &[&str], message: &str| {
        let ran = run_in(
            dir,
            &[&["env", "recover", "--out", "no.yml"], args, &[text(&archive)]].concat(),
        );
        assert!(ran.code == 3 && ran.err.contains(message), "{} {}", ran.code, ran.err);
        assert!(!dir.join("no.yml").exists());
    };
    refused(&[], "give the secret key of a recipient with --key");
    refused(&["--key", "keys.asc"], "holds no OpenPGP secret key");
    fs::write(dir.join("key"), Gpg::new("eve@x.test", "").run(&["--export-secret-keys"])).unwrap();
    refused(&["--key", "key"], "cannot be opened");
    let mut torn = fs::read(&archive).unwrap();
    let middle = torn.len() / 2;
    torn[middle] ^= 1;
    fs::write(dir.join("torn.gpg"), torn).unwrap();
    fs::write(dir.join("key"), alice.run(&["--export-secret-keys"])).unwrap();
    let ran = run_in(dir, &["env", "recover", "--out", "no.yml", "--key", "key", "torn.gpg"]);
    assert!(ran.code == 3 && ran.err.contains("cannot be opened"), "{}", ran.err);
}

/// The paper copy and its pages at 150 dpi, as pdftoppm renders them.
fn printed(dir: &Path) -> Vec<PathBuf> {
    package(dir, &["--paper", "env.pdf", "env.yml"]);
    tool("pdftoppm", &["-r", "150", "-png", text(&dir.join("env.pdf")), text(&dir.join("page"))]);
    let pages = names(dir).into_iter().filter(|name| name.ends_with(".png"));
    pages.map(|name| dir.join(name)).collect()
}

/// Turns a picture by quarters or by a few degrees, as a careless scan does.
const TURN: &str = "
import sys
from PIL import Image
picture = Image.open(sys.argv[1]).convert('L')
picture.rotate(float(sys.argv[2]), expand=True, fillcolor=255, resample=Image.BICUBIC).save(sys.argv[3], quality=80)
";

fn turn(from: &Path, degrees: &str, to: &Path) {
    tool("/usr/bin/python3", &["-c", TURN, text(from), degrees, text(to)]);
}

#[test]
fn shuffled_and_turned_pages_come_back_and_missing_codes_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let env = site(dir, "env.yml");
    let pages = printed(dir);
    assert!(pages.len() >= 5, "{pages:?}");
    let (upside, askew) = (dir.join("upside.png"), dir.join("askew.jpg"));
    turn(&pages[1], "180", &upside);
    turn(&pages[2], "4.5", &askew);
    let rest: Vec<&str> = pages[3..].iter().rev().map(|page| text(page)).collect();
    let all = [&rest[..], &[text(&askew), text(&pages[0]), text(&upside)]].concat();
    let recovered = |inputs: &[&str]| {
        run_in(dir, &[&["env", "recover", "--force", "--out", "back.yml"], inputs].concat())
    };
    let ran = recovered(&all);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(fs::read(dir.join("back.yml")).unwrap(), env);
    let sum = tool("sha256sum", &[text(&dir.join("env.yml"))]);
    assert!(ran.err.contains(&sum[..64]), "{}", ran.err);

    // A page short, then a code blotted out.
    let short = recovered(&[&rest[..], &[text(&upside)]].concat());
    assert_eq!(short.code, 3);
    assert!(
        short.err.contains("codes 7, 8, 9, 10, 11, 12 of ") && short.err.contains("are missing"),
        "{}",
        short.err
    );
    let blot = "
import sys
from PIL import Image, ImageDraw
picture = Image.open(sys.argv[1]).convert('L')
ImageDraw.Draw(picture).rectangle((100, 150, 560, 560), fill=255)
picture.save(sys.argv[2])
";
    let blotted = dir.join("blotted.png");
    tool("/usr/bin/python3", &["-c", blot, text(&pages[1]), text(&blotted)]);
    let missing = recovered(&[&rest[..], &[text(&askew), text(&blotted)]].concat());
    assert_eq!(missing.code, 3);
    assert!(
        missing.err.contains("code 1 of ") && missing.err.contains("is missing"),
        "{}",
        missing.err
    );
}

#[test]
fn a_pdf_comes_back_ours_and_a_scanners() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let env = site(dir, "env.yml");
    let pages = printed(dir);
    ok_in(dir, &["env", "recover", "--out", "a.yml", "env.pdf"]);
    assert_eq!(fs::read(dir.join("a.yml")).unwrap(), env);
    assert!(
        run_in(dir, &["env", "recover", "--out", "a.yml", "env.pdf"]).err.contains("give --force")
    );
    // What a scanner makes: a JPEG a page.
    let scan = "
import sys
from PIL import Image
pages = [Image.open(name).convert('L') for name in sys.argv[2:]]
pages[0].save(sys.argv[1], save_all=True, append_images=pages[1:], resolution=150, quality=75)
";
    let scanned = dir.join("scan.pdf");
    let inputs: Vec<&str> = pages.iter().map(|page| text(page)).collect();
    tool("/usr/bin/python3", &[&["-c", scan, text(&scanned)], &inputs[..]].concat());
    ok_in(dir, &["env", "recover", "--out", "b.yml", "scan.pdf"]);
    assert_eq!(fs::read(dir.join("b.yml")).unwrap(), env);
    // The listing is text: everything that fits the encoding can be found in it.
    let listing = tool("pdftotext", &["-layout", text(&dir.join("env.pdf")), "-"]);
    for part in [
        "#cloud-config",
        "Österreich, <U+6F22><U+5B57>, a trailing blank·",
        "domain: site.test",
        "-----END PRIVATE KEY-----",
    ] {
        assert!(listing.contains(part), "{part}");
    }
    let fonts = tool("pdffonts", &[text(&dir.join("env.pdf"))]);
    assert!(fonts.contains("Courier") && fonts.contains("WinAnsi"), "{fonts}");
    for (name, content, message) in [
        ("bad.pdf", "%PDF-1.7 nothing", "no PDF that can be read"),
        ("bad.png", "\u{89}PNG", "is no PDF, PNG or JPEG"),
        ("bad.txt", "plain", "is no PDF, PNG or JPEG"),
    ] {
        fs::write(dir.join(name), content).unwrap();
        let ran = run_in(dir, &["env", "recover", "--out", "c.yml", name]);
        assert!(
            ran.code == 3 && ran.err.contains(message) && ran.err.contains(name),
            "{}",
            ran.err
        );
    }
}

/// The instructions on the first page, followed to the letter with zbar, sort and base32.
#[test]
fn a_stranger_can_follow_the_instructions() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let env = site(dir, "env.yml");
    printed(dir);
    fs::rename(dir.join("env.yml"), dir.join("original")).unwrap();
    let cover = tool("pdftotext", &["-layout", "-l", "1", text(&dir.join("env.pdf")), "-"]);
    let start = cover.find("zbarimg").unwrap();
    let end = cover.find("> env.yml").unwrap() + "> env.yml".len();
    let status = Command::new("bash").args(["-c", &cover[start..end]]).current_dir(dir).status();
    assert!(status.unwrap().success(), "{}", &cover[start..end]);
    assert_eq!(fs::read(dir.join("env.yml")).unwrap(), env);
}

/// Upstream's form, made by qrencode: one code, and several with their numbers.
#[test]
fn upstreams_codes_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let env = site(dir, "env.yml");
    let make = "set -euo pipefail
gzip -9 -n -c env.yml | base32 -w 0 > all
split -b 2100 -d all part.
for part in part.*; do
    printf '%s %s' \"${part#part.}\" \"$(cat \"$part\")\" | qrencode -i -l M -s 4 -o \"code-${part#part.}.png\"
done
printf '#cloud-config\\nsmall: env\\n' | gzip -9 -n | base32 -w 0 | qrencode -l M -o alone.png";
    let made = Command::new("bash").args(["-c", make]).current_dir(dir).status().unwrap();
    assert!(made.success());
    let codes: Vec<String> =
        names(dir).into_iter().filter(|name| name.starts_with("code-")).collect();
    let codes: Vec<&str> = codes.iter().map(String::as_str).rev().collect();
    assert!(codes.len() > 1);
    ok_in(dir, &[&["env", "recover", "--out", "back.yml"], &codes[..]].concat());
    assert_eq!(fs::read(dir.join("back.yml")).unwrap(), env);
    ok_in(dir, &["env", "recover", "--out", "small.yml", "alone.png"]);
    assert_eq!(fs::read(dir.join("small.yml")).unwrap(), b"#cloud-config\nsmall: env\n");
}

#[test]
fn b51_only_what_was_asked_for_is_written_and_closed_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    site(dir, "env.yml");
    package(dir, &["--paper", "env.pdf", "env.yml"]);
    assert_eq!(names(dir), ["env.pdf", "env.yml"]);
    assert_eq!(fs::metadata(dir.join("env.pdf")).unwrap().permissions().mode() & 0o777, 0o600);
    let usage = run_in(dir, &["env", "package", "env.yml"]);
    assert_eq!(usage.code, 2, "{}", usage.err);
}

#[test]
fn b52_failures_are_failures_and_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    site(dir, "env.yml");
    let refused = |args: &[&str], message: &str| {
        let before = names(dir);
        let ran = run_in(dir, &[&["env", "package"], args].concat());
        assert!(ran.code == 3 && ran.err.contains(message), "{} {}", ran.code, ran.err);
        assert_eq!(names(dir), before);
    };
    refused(
        &["--to", "none.asc", "--paper", "p.pdf", "env.yml"],
        "reading the public key none.asc",
    );
    fs::write(dir.join("text"), "no key").unwrap();
    refused(&["--to", "text", "--paper", "p.pdf", "env.yml"], "holds no OpenPGP public key");
    let gpg = Gpg::new("a@x.test", "");
    fs::write(dir.join("secret"), gpg.run(&["--armor", "--export-secret-keys"])).unwrap();
    refused(&["--to", "secret", "env.yml"], "holds a secret key");
    let fingerprint = String::from_utf8(gpg.run(&["--with-colons", "--list-keys"])).unwrap();
    let fingerprint =
        fingerprint.lines().find_map(|line| line.strip_prefix("fpr:::::::::")).unwrap();
    gpg.run(&["--quick-set-expire", fingerprint.trim_end_matches(':'), "seconds=1"]);
    std::thread::sleep(std::time::Duration::from_secs(2));
    fs::write(dir.join("expired"), gpg.run(&["--export"])).unwrap();
    refused(&["--to", "expired", "env.yml"], "has expired");
    fs::write(
        dir.join("todo.yml"),
        "#cloud-config\nappliance: {domain: a.test}\npassword: <PASSWORD>\n",
    )
    .unwrap();
    refused(&["--paper", "p.pdf", "todo.yml"], "todo.yml:3:11");
    fs::write(dir.join("other.yml"), "#cloud-config\nserver: a.test\n").unwrap();
    refused(&["--paper", "p.pdf", "other.yml"], "--name-key");
    let big: String = (0..40_000).map(|i| format!("# {}\n", i * 7919 % 99_991 * 31)).collect();
    fs::write(dir.join("big.yml"), format!("#cloud-config\nappliance: {{domain: a.test}}\n{big}"))
        .unwrap();
    refused(&["--paper", "p.pdf", "big.yml"], "leave the PDF out");
    ok_in(dir, &["env", "package", "--paper", "p.pdf", "--name-key", "server", "other.yml"]);
}
