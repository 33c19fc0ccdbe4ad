//! The second judge beside qemu-img: dissect.hypervisor, a reader in Python.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use bootwright_disk::view::View;
use bootwright_disk::{Format, Sha256};

use crate::tools::run;

/// The version that these tests were written against.
const DISSECT: &str = "dissect.hypervisor==3.21";

/// The Python that has dissect.hypervisor: a virtual environment below `target`, made once
/// from the package index that this machine's pip is set up for.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dissect-3.21");
        fs::create_dir_all(&folder).unwrap();
        // Other test programs may be at the same.
        let lock = File::create(folder.join("lock")).unwrap();
        lock.lock().unwrap();
        let (venv, ready) = (folder.join("venv"), folder.join("ready"));
        let python = venv.join("bin/python");
        if !ready.exists() {
            run("python3", &["-m", "venv", "--clear", venv.to_str().unwrap()]);
            let program = python.to_str().unwrap();
            run(program, &["-m", "pip", "install", "--quiet", DISSECT]);
            fs::write(&ready, DISSECT).unwrap();
        }
        python
    })
}

/// dissect.hypervisor reads `disk` from the image, and its size.
pub fn dissect_agrees(format: Format, image: &str, disk: &dyn View) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/read_disk.py");
    let said = run(python().to_str().unwrap(), &[script, format.name(), image]);
    let expected = format!("{} {}", disk.size(), Sha256::of_view(&disk).unwrap());
    assert_eq!(said.trim(), expected, "{format:?}");
}
