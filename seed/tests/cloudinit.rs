//! cloud-init's own datasources read the media we write.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::io::Cursor;
use std::path::Path;

use bootwright_seed::create::{Network, Seed, SeedFiles, StaticAddress};
use bootwright_seed::inspect::Medium;
use bootwright_seed::medium::Kind;
use bootwright_seed::medium::write::{iso, vfat};
use bootwright_seed::sealed::Identity;
use bootwright_seed::verify::{Outcome, verify};
use common::{ENV, KEY, run, seed, written};

/// Runs `script` with the distribution's Python, where the package cloud-init lives, on our
/// medium and its extracted files.
fn ask(kind: Kind, script: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let image = written(dir.path(), kind);
    ask_image(&image, script)
}

/// The same for a medium in a file.
fn ask_image(image: &str, script: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let files = dir.path().join("files");
    run("p7zip-full", "7z", &["x", "-y", &format!("-o{}", files.display()), image]);
    let script = format!("{PRELUDE}\n{script}");
    let cloud = dir.path().join("cloud");
    run("cloud-init", "/usr/bin/python3", &["-c", &script, image, path(&files), path(&cloud)])
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Stands in for the machine: its block devices are our image, which the real blkid judges,
/// and mounting it leads to the extracted files.
const PRELUDE: &str = r#"
import json, subprocess, sys
try:
    from cloudinit import dmi, helpers, util
except ImportError as e:
    sys.exit(f"{e}: install the package cloud-init")
image, files, cloud = sys.argv[1:4]
paths = helpers.Paths({"cloud_dir": cloud, "run_dir": cloud})
dmi.read_dmi_data = lambda key: None
util.get_cmdline = lambda: ""
def find_devs_with(criteria):
    seen = subprocess.run(["/sbin/blkid", "-p", "-o", "export", image], capture_output=True, text=True)
    return [image] if criteria in seen.stdout.splitlines() else []
util.find_devs_with = find_devs_with
util.mount_cb = lambda device, callback, data=None, **rest: callback(files, data)
"#;

/// Prints what the datasource `ds` gives to the rest of cloud-init.
const TELL: &str = r#"
print(json.dumps({
    "instance-id": ds.get_instance_id(),
    "user-data": util.decode_binary(ds.get_userdata_raw()),
    "keys": ds.get_public_ssh_keys(),
    "hostname": ds.metadata["local-hostname"],
    "types": [part.get_content_type() for part in ds.get_userdata().walk()],
}))
"#;

fn assert_all_arrived(answer: &str) {
    let answer: serde_json::Value = serde_json::from_str(answer).unwrap();
    assert_eq!(answer["instance-id"], seed().instance_id());
    assert_eq!(answer["user-data"].as_str().unwrap().as_bytes(), ENV);
    assert_eq!(answer["keys"], serde_json::json!([KEY]));
    assert_eq!(answer["hostname"], "site.example.test");
    let types = answer["types"].as_array().unwrap();
    assert!(types.contains(&"text/cloud-config".into()), "{types:?}");
}

#[test]
fn nocloud_takes_our_cidata_medium() {
    let script = r#"
from cloudinit.sources.DataSourceNoCloud import DataSourceNoCloud
ds = DataSourceNoCloud({"datasource": {"NoCloud": {}}}, None, paths)
assert ds._get_data(), "not recognised as a seed"
assert ds.seed == image, ds.seed
"#;
    assert_all_arrived(&ask(Kind::Cidata, &format!("{script}{TELL}")));
}

#[test]
fn config_drive_takes_our_config_2_medium() {
    let script = r#"
from unittest import mock
from cloudinit.sources import DataSourceConfigDrive as cd
assert cd.find_candidate_devs(probe_optical=False) == [image]
ds = cd.DataSourceConfigDrive({}, mock.MagicMock(), paths)
results = cd.read_config_drive(files)
ds.metadata, ds.userdata_raw = results["metadata"], results["userdata"]
"#;
    assert_all_arrived(&ask(Kind::Config2, &format!("{script}{TELL}")));
}

/// The static address of [`with_network`], as cloud-init's renderers get it.
const RENDERED: &str = r#"
from cloudinit.net import network_state
state = network_state.parse_net_config_data(config)
nics = [i for i in state.iter_interfaces()]
assert len(nics) == 1, nics
nic = nics[0]
assert nic["mac_address"] == "52:54:00:12:34:56", nic
subnet = [s for s in nic["subnets"] if s.get("address")][0]
assert subnet["address"] == "192.0.2.10" and str(subnet["prefix"]) == "24", subnet
routes = [r for s in nic["subnets"] for r in s.get("routes", [])] + list(state.iter_routes())
assert any(r.get("gateway") == "192.0.2.1" and str(r.get("prefix")) == "0" for r in routes), routes
servers = list(state.dns_nameservers) + [d for s in nic["subnets"] for d in s.get("dns_nameservers", [])]
assert "192.0.2.53" in servers, servers
print("ok")
"#;

fn with_network(kind: Kind) -> SeedFiles {
    let text = "52:54:00:12:34:56,192.0.2.10/24,gateway=192.0.2.1,dns=192.0.2.53";
    let network = Network::of_static(&[StaticAddress::parse(text).unwrap()]).unwrap();
    let seed = seed().with_network(&network, kind).unwrap();
    seed.with_vendor_data("v", b"#cloud-config\nb: 1\n".to_vec()).unwrap().files(kind)
}

fn place(dir: &Path, image: &[u8]) -> String {
    let file = dir.join("medium");
    std::fs::write(&file, image).unwrap();
    path(&file).to_owned()
}

/// Upstream's example of a static address used keys that cloud-init does not have and a fixed
/// interface name (domain.md B06).
#[test]
fn b06_nocloud_finds_the_static_interface_by_its_mac() {
    let dir = tempfile::tempdir().unwrap();
    let image = place(dir.path(), &iso(&with_network(Kind::Cidata), 0).unwrap());
    let script = r#"
from cloudinit.sources.DataSourceNoCloud import DataSourceNoCloud
ds = DataSourceNoCloud({"datasource": {"NoCloud": {}}}, None, paths)
assert ds._get_data()
assert "b: 1" in util.decode_binary(ds.get_vendordata_raw())
config = ds.network_config
"#;
    assert_eq!(ask_image(&image, &format!("{script}{RENDERED}")), "ok\n");
}

#[test]
fn config_drive_finds_the_static_interface_by_its_mac() {
    let dir = tempfile::tempdir().unwrap();
    let image = place(dir.path(), &vfat(&with_network(Kind::Config2), 0).unwrap());
    let script = r#"
from cloudinit.sources import DataSourceConfigDrive as cd
from cloudinit.sources.helpers import openstack
assert cd.find_candidate_devs(probe_optical=False) == [image]
results = cd.read_config_drive(files)
vendor = openstack.convert_vendordata(results["vendordata"]) if hasattr(openstack, "convert_vendordata") else None
if vendor is None:
    from cloudinit import sources
    vendor = sources.convert_vendordata(results["vendordata"])
assert "b: 1" in vendor, vendor
config = openstack.convert_net_json(results["networkdata"], known_macs={"52:54:00:12:34:56": "ens7"})
"#;
    assert_eq!(ask_image(&image, &format!("{script}{RENDERED}")), "ok\n");
}

#[test]
fn nocloud_takes_our_fat_medium() {
    let dir = tempfile::tempdir().unwrap();
    let image = place(dir.path(), &vfat(&seed().files(Kind::Cidata), 0).unwrap());
    let script = r#"
from cloudinit.sources.DataSourceNoCloud import DataSourceNoCloud
ds = DataSourceNoCloud({"datasource": {"NoCloud": {}}}, None, paths)
assert ds._get_data(), "not recognised as a seed"
"#;
    assert_all_arrived(&ask_image(&image, &format!("{script}{TELL}")));
}

/// What `seed verify` says of NoCloud is what NoCloud does.
#[test]
fn nocloud_does_what_we_say_it_does() {
    let script = r#"
from cloudinit.sources.DataSourceNoCloud import DataSourceNoCloud
ds = DataSourceNoCloud({"datasource": {"NoCloud": {}}}, None, paths)
try:
    took = bool(ds._get_data())
except Exception:
    took = False
print(took)
"#;
    let whole = seed().files(Kind::Cidata);
    let without = |path: &str| {
        let mut files = whole.clone();
        files.files.retain(|file| file.path != path);
        files
    };
    let with = |path: &str, content: &[u8]| {
        let mut files = whole.clone();
        files
            .files
            .iter_mut()
            .filter(|f| f.path == path)
            .for_each(|f| f.content = content.to_vec());
        files
    };
    let recipient = Identity::generate().unwrap().recipient();
    let sealed = seed().sealed_to(&[recipient]).unwrap().files(Kind::Cidata);
    for (name, image) in [
        ("whole", iso(&whole, 0)),
        ("fat", vfat(&whole, 0)),
        ("sealed", iso(&sealed, 0)),
        ("no meta-data", iso(&without("meta-data"), 0)),
        ("no user-data", iso(&without("user-data"), 0)),
        ("empty meta-data", iso(&with("meta-data", b""), 0)),
        ("a list as meta-data", iso(&with("meta-data", b"- a\n"), 0)),
        ("broken meta-data", iso(&with("meta-data", b"a: [\n"), 0)),
        ("config-2", iso(&seed().files(Kind::Config2), 0)),
    ] {
        let image = image.unwrap();
        let medium = Medium::read(Cursor::new(&image)).unwrap().unwrap();
        let verdicts = verify(&medium, Cursor::new(&image));
        let ours = verdicts.iter().find(|v| v.consumer == "cloud-init-nocloud").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let took = ask_image(&place(dir.path(), &image), script);
        let says = if ours.outcome == Outcome::Accept { "True\n" } else { "False\n" };
        assert_eq!(took, says, "{name}: {}", ours.reason);
    }
}

/// cloud-init's own schema has nothing against the user-data we write ourselves.
#[test]
fn cloud_init_schema_accepts_our_presets() {
    use bootwright_seed::create::{PublicKey, presets};
    let keys = PublicKey::parse_file("k", KEY).unwrap();
    let grow = vec![presets::grow_root()];
    let dir = tempfile::tempdir().unwrap();
    for text in [
        presets::access(&keys),
        presets::vagrant(false, b"").unwrap(),
        presets::vagrant(true, b"").unwrap(),
    ] {
        let seed = Seed::merged("preset", text.as_bytes(), grow.clone()).unwrap();
        let file = place(dir.path(), &seed.files(Kind::Cidata).files[1].content);
        let script = r#"
import sys, yaml
from cloudinit.config import schema
config = yaml.safe_load(open(sys.argv[1]))
schema.validate_cloudconfig_schema(config, schema.get_schema(), strict=True)
print("ok")
"#;
        let said = run("cloud-init", "/usr/bin/python3", &["-c", script, &file]);
        assert_eq!(said, "ok\n");
    }
}
