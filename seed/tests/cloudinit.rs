//! cloud-init's own datasources read the media we write.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::Path;

use bootwright_seed::medium::Kind;
use common::{ENV, KEY, run, seed, written};

/// Runs `script` with the distribution's Python, where the package cloud-init lives, on our
/// medium and its extracted files.
fn ask(kind: Kind, script: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let image = written(dir.path(), kind);
    let files = dir.path().join("files");
    run("p7zip-full", "7z", &["x", "-y", &format!("-o{}", files.display()), &image]);
    let script = format!("{PRELUDE}\n{script}");
    let cloud = dir.path().join("cloud");
    run("cloud-init", "/usr/bin/python3", &["-c", &script, &image, path(&files), path(&cloud)])
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
