//! `bootwright seed batch` from outside.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Stdio};

use common::{Ran, bootwright, names, ok_in, run_in, text, tool};

const TEMPLATE: &str = "#cloud-config\n# the env of {{ site }}\nappliance:\n  domain: {{ site }}.example.test\n  city: {{ city | tojson }}\n";

/// A folder with a template and an inventory of `count` sites.
fn folder(count: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("t.yml"), TEMPLATE).unwrap();
    let mut sites = "site,city,hostname\n".to_owned();
    for i in 0..count {
        writeln!(sites, "s{i},\"Wien: #{i}\",host-{i}").unwrap();
    }
    fs::write(dir.path().join("sites.csv"), sites).unwrap();
    dir
}

fn batch(dir: &Path, sites: &str, out: &str, more: &[&str]) -> Ran {
    run_in(dir, &[&["seed", "batch", sites, "--template", "t.yml", "--out", out], more].concat())
}

/// Every file below a folder with its content; indexes of shards left out.
fn tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for name in names(root) {
        let path = root.join(&name);
        if path.is_dir() {
            for file in names(&path) {
                files.insert(format!("{name}/{file}"), fs::read(path.join(&file)).unwrap());
            }
        } else if !name.contains("-of-") {
            files.insert(name, fs::read(path).unwrap());
        }
    }
    files
}

#[test]
fn a_site_is_what_create_makes() {
    let dir = folder(3);
    let ran = batch(dir.path(), "sites.csv", "out", &[]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "out/index.json\n"), "{}", ran.err);
    assert_eq!(names(&dir.path().join("out")), ["SHA256SUMS", "index.json", "s0", "s1", "s2"]);
    let site = dir.path().join("out/s1");
    assert_eq!(names(&site), ["env.yml", "seed.iso", "seed.json"]);
    assert_eq!(fs::metadata(&site).unwrap().permissions().mode() & 0o777, 0o700);
    let env = fs::read_to_string(site.join("env.yml")).unwrap();
    assert!(env.ends_with("  domain: s1.example.test\n  city: \"Wien: #1\"\n"), "{env}");
    ok_in(dir.path(), &["seed", "create", "--hostname", "host-1", "out/s1/env.yml", "one.iso"]);
    assert_eq!(
        fs::read(dir.path().join("one.iso")).unwrap(),
        fs::read(site.join("seed.iso")).unwrap()
    );
    for name in ["env.yml", "seed.iso", "seed.json"] {
        assert_eq!(fs::metadata(site.join(name)).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let out = dir.path().join("out");
    tool("sh", &["-c", &format!("cd {} && sha256sum -c SHA256SUMS", text(&out))]);
    let index: serde_json::Value =
        serde_json::from_slice(&fs::read(out.join("index.json")).unwrap()).unwrap();
    assert_eq!(index["sites"][1]["site"], "s1");
    assert_eq!(index["sites"][1]["line"], 3);
}

#[test]
fn all_inventories_give_the_same() {
    let dir = folder(2);
    fs::write(
        dir.path().join("sites.yml"),
        "- {site: s0, city: \"Wien: #0\", hostname: host-0}\n- site: s1\n  city: 'Wien: #1'\n  hostname: host-1\n",
    )
    .unwrap();
    let json = r#"{"site":"s0","city":"Wien: #0","hostname":"host-0"},{"site":"s1","city":"Wien: #1","hostname":"host-1"}"#;
    fs::write(dir.path().join("sites.json"), format!("[{json}]\n")).unwrap();
    fs::write(dir.path().join("sites.jsonl"), json.replace("},{", "}\n{")).unwrap();
    let mut trees = Vec::new();
    for kind in ["csv", "yml", "json", "jsonl"] {
        let ran = batch(dir.path(), &format!("sites.{kind}"), kind, &["--jobs", "3"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let mut tree = tree(&dir.path().join(kind));
        // It tells the lines of its inventory.
        tree.remove("index.json");
        trees.push(tree);
    }
    assert!(trees.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_bad_row_names_its_line_and_stops_nothing() {
    let dir = folder(2);
    let bad = "site,city,hostname\na,x,y\nb\n../c,x,y\na,x,y\nd,x,no_host\ne,x,y\n";
    fs::write(dir.path().join("bad.csv"), bad).unwrap();
    let ran = batch(dir.path(), "bad.csv", "out", &["--json"]);
    assert_eq!(ran.code, 3);
    let summary: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(summary, serde_json::json!({"sites": 6, "made": 2, "kept": 0, "failed": 4}));
    for part in [
        "bad.csv:3: 1 fields, the header has 3\n",
        "bad.csv:4: \"../c\" is no name for a site",
        "bad.csv:5: the site stands in line 2 already\n",
        "bad.csv:6: `no_host` is not a host name",
        "error: 4 sites could not be made, the others are complete; see out/index.json\n",
    ] {
        assert!(ran.err.contains(part), "{part}: {}", ran.err);
    }
    assert_eq!(names(&dir.path().join("out")), ["SHA256SUMS", "a", "e", "index.json"]);
    // A template that asks for what no row has, and one whose result is no env.
    for (template, problem) in [
        ("#cloud-config\na: {{ town }}\n", "t.yml:2: undefined value"),
        ("#cloud-config\na: 1\na: {{ city }}\n", "the env:3:1: the key `a` stands twice"),
    ] {
        fs::write(dir.path().join("t.yml"), template).unwrap();
        let ran = batch(dir.path(), "sites.csv", "none", &[]);
        assert!(ran.code == 3 && ran.err.contains(problem), "{}", ran.err);
        assert_eq!(names(&dir.path().join("none")), ["SHA256SUMS", "index.json"]);
    }
    fs::write(dir.path().join("t.yml"), "{{ x\n").unwrap();
    assert_eq!(batch(dir.path(), "sites.csv", "not", &[]).code, 3);
    assert!(!dir.path().join("not").exists());
}

#[test]
fn shards_make_the_whole() {
    let dir = folder(50);
    assert_eq!(batch(dir.path(), "sites.csv", "whole", &[]).code, 0);
    let mut made = 0;
    for shard in ["1/4", "2/4", "3/4", "4/4"] {
        let ran = batch(dir.path(), "sites.csv", "parts", &["--shard", shard, "--json"]);
        let summary: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(summary["kept"], 0);
        made += summary["made"].as_u64().unwrap();
    }
    assert_eq!(made, 50);
    let ran = batch(dir.path(), "sites.csv", "parts", &["--json"]);
    assert!(ran.out.contains("\"kept\": 50"), "{}", ran.out);
    assert_eq!(tree(&dir.path().join("whole")), tree(&dir.path().join("parts")));
    for shard in ["0/4", "5/4", "1", "a/b"] {
        assert_eq!(batch(dir.path(), "sites.csv", "x", &["--shard", shard]).code, 2, "{shard}");
    }
}

/// A run that has made some of its sites.
fn under_way(dir: &Path, out: &str) -> Child {
    let run = bootwright()
        .args(["seed", "batch", "sites.csv", "--template", "t.yml", "--out", out])
        .current_dir(dir)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while !dir.join(out).join("s20").exists() {
        std::thread::yield_now();
    }
    run
}

#[test]
fn an_interrupted_run_ends_between_two_sites() {
    let dir = folder(800);
    let run = under_way(dir.path(), "out");
    tool("kill", &["-INT", &run.id().to_string()]);
    let ended = run.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(130), "{said}");
    assert!(
        said.ends_with("the sites that are there are complete, and another run goes on\n"),
        "{said}"
    );
    let left = names(&dir.path().join("out"));
    assert!(!left.iter().any(|name| name.starts_with('.') || name == "index.json"), "{left:?}");
}

/// However a run ends, what has its name is complete, and the next run goes on.
#[test]
fn a_killed_run_goes_on() {
    let dir = folder(800);
    assert_eq!(batch(dir.path(), "sites.csv", "whole", &[]).code, 0);
    let out = dir.path().join("out");
    let mut run = under_way(dir.path(), "out");
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(!out.join("index.json").exists(), "the run was over too soon");
    let whole = tree(&dir.path().join("whole"));
    let done = tree(&out);
    for (path, content) in done.iter().filter(|(path, _)| !path.starts_with('.')) {
        assert_eq!(Some(content), whole.get(path), "{path}");
    }
    // A machine that lost power may leave a file short: it is made anew.
    fs::write(out.join("s7/seed.iso"), "").unwrap();
    let inode = |site: &str| fs::metadata(out.join(site)).unwrap().ino();
    let (kept, broken) = (inode("s8"), inode("s7"));
    let ran = batch(dir.path(), "sites.csv", "out", &[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(inode("s8") == kept && inode("s7") != broken);
    assert_eq!(tree(&out), whole);
}

/// Upstream wrote over an env that was there, and its secrets were lost (domain.md B11).
#[test]
fn b11_a_site_made_of_other_inputs_is_not_written_over() {
    let dir = folder(2);
    assert_eq!(batch(dir.path(), "sites.csv", "out", &[]).code, 0);
    let before = tree(&dir.path().join("out"));
    let sites =
        fs::read_to_string(dir.path().join("sites.csv")).unwrap().replace("Wien: #1", "Graz");
    fs::write(dir.path().join("sites.csv"), sites).unwrap();
    fs::create_dir(dir.path().join("out/foreign")).unwrap();
    let ran = batch(dir.path(), "sites.csv", "out", &[]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("sites.csv:3: out/s1 was made of another row"), "{}", ran.err);
    let env = |site: &str| fs::read(dir.path().join("out").join(site).join("env.yml")).unwrap();
    assert_eq!(env("s1"), before["s1/env.yml"]);
    assert_eq!(batch(dir.path(), "sites.csv", "out", &["--update"]).code, 0);
    assert!(String::from_utf8(env("s1")).unwrap().contains("Graz"));
    assert_eq!(env("s0"), before["s0/env.yml"]);
}

#[test]
fn networks_formats_and_recipients_of_each_site() {
    let dir = folder(0);
    let key = ok_in(dir.path(), &["seed", "keygen", "k"]).out;
    let net = "version: 2\nethernets:\n  a:\n    match: {macaddress: {{ mac | tojson }}}\n    addresses: [\"{{ ip }}/24\"]\n";
    fs::write(dir.path().join("net.yml"), net).unwrap();
    let sites = format!(
        "site,city,mac,ip,recipient\na,x,52:54:00:00:00:01,192.0.2.1,\nb,x,52:54:00:00:00:02,192.0.2.2,{key}"
    );
    fs::write(dir.path().join("sites.csv"), sites).unwrap();
    let more = ["--network-config", "net.yml", "--kind", "config-2", "--format", "qcow2"];
    let ran = batch(dir.path(), "sites.csv", "out", &more);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let show =
        |site: &str| ok_in(dir.path(), &["seed", "inspect", &format!("out/{site}/seed.qcow2")]).out;
    assert!(show("a").contains("user-data    cloud-config\n") && show("a").contains("192.0.2.1"));
    assert!(show("b").contains("user-data    encrypted (age)\n"), "{}", show("b"));
    tool("qemu-img", &["check", text(&dir.path().join("out/b/seed.qcow2"))]);
}
