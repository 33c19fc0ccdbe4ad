//! What the tests share: base images, small file systems, and the judges.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use bootwright_disk::raw::Raw;
use bootwright_disk::view::{Cow, CowOptions, ExtentKind, View, WriteView, read_vec};

pub mod look;
pub mod model;

/// Runs a tool that must be there and succeed; gives what it prints.
pub fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program)
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("{program} does not run ({error}): run ci/setup"));
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{program} {args:?}: {}\n{text}", output.status);
    text
}

/// The path of a test base, which `ci/base` makes if it is not in the cache.
pub fn base(name: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ci/base");
    let output = Command::new(&script).arg(name).output().unwrap();
    assert!(output.status.success(), "ci/base {name}: {}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end())
}

/// A copy-on-write layer over an image file.
pub fn layer(image: &Path) -> Arc<dyn WriteView> {
    let base = bootwright_disk::open(image, None).unwrap().view;
    Arc::new(Cow::new(base, CowOptions::default()))
}

/// A copy-on-write layer over a new file system made by mke2fs.
pub fn ext4(dir: &Path, size_mib: u64, options: &[&str]) -> Arc<dyn WriteView> {
    let path = dir.join("fs.img");
    let (path, size) = (path.to_str().unwrap(), format!("{size_mib}M"));
    let mut args = vec!["-q", "-F", "-L", "cloudimg-rootfs"];
    args.extend(options);
    args.extend([path, &size]);
    run("mke2fs", &args);
    let raw = Raw::new(std::fs::File::open(path).unwrap()).unwrap();
    Arc::new(Cow::new(raw, CowOptions::default()))
}

/// Writes a view into a file, holes as holes.
pub fn save(view: &dyn View, path: &Path) {
    let file = std::fs::File::create(path).unwrap();
    file.set_len(view.size()).unwrap();
    let mut at = 0;
    while at < view.size() {
        let extent = view.extent_at(at).unwrap();
        while at < extent.end {
            let len = (extent.end - at).min(1 << 20);
            if extent.kind == ExtentKind::Data {
                file.write_all_at(&read_vec(view, at, len).unwrap(), at).unwrap();
            }
            at += len;
        }
    }
}

/// e2fsck finds nothing to say about the file system in a file.
pub fn fsck(path: &Path) {
    run("e2fsck", &["-f", "-n", path.to_str().unwrap()]);
}

/// A file system mounted by the kernel, for reading alone.
pub struct Mounted {
    pub at: PathBuf,
}

impl Mounted {
    pub fn new(image: &Path, at: &Path) -> Self {
        std::fs::create_dir_all(at).unwrap();
        let mount = |args: &[&str]| as_root("mount", args);
        mount(&[
            "-t",
            "ext4",
            "-o",
            "ro,loop,noload",
            image.to_str().unwrap(),
            at.to_str().unwrap(),
        ]);
        Self { at: at.to_owned() }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        as_root("umount", &[self.at.to_str().unwrap()]);
    }
}

/// The one thing that needs root: letting the kernel judge.
fn as_root(program: &str, args: &[&str]) {
    if rustix::process::geteuid().is_root() {
        run(program, args);
    } else {
        run("sudo", &[&["-n", program], args].concat());
    }
}

/// A digest of everything a reader gives.
pub fn digest(mut reader: impl Read) -> [u8; 32] {
    use sha2::Digest;
    struct Hash(sha2::Sha256);
    impl Write for Hash {
        fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
            self.0.update(buf);
            Ok(buf.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut hash = Hash(sha2::Sha256::new());
    std::io::copy(&mut reader, &mut hash).unwrap();
    hash.0.finalize().into()
}

/// Numbers that look random and are the same in every run.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }

    pub fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.below(256) as u8).collect()
    }
}
