//! What the tests share: base images, small file systems, and the judges.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bootwright_disk::raw::Raw;
use bootwright_disk::view::{Cow, CowOptions, ExtentKind, View, Window, WriteView, read_vec};

use bootwright_rootfs::{Edit, Result, Tree, volumes};

pub mod look;
pub mod model;

/// The time of every change.
pub const NOW: i64 = 1_700_000_000;

/// Runs a tool that must be there and succeed; gives what it prints.
pub fn run(program: &str, args: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(args);
    checked(command)
}

fn checked(mut command: Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?} does not run ({error}): run ci/setup"));
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{command:?}: {}\n{text}", output.status);
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

/// A copy-on-write layer over a raw image file.
pub fn raw(path: &Path) -> Arc<dyn WriteView> {
    let raw = Raw::new(std::fs::File::open(path).unwrap()).unwrap();
    Arc::new(Cow::new(raw, CowOptions::default()))
}

/// A new file system made by mke2fs, as a file.
pub fn mke2fs(path: &Path, size: &str, options: &[&str]) {
    let args = [&["-q", "-F"], options, &[path.to_str().unwrap(), size]].concat();
    run("mke2fs", &args);
}

/// A copy-on-write layer over a new file system made by mke2fs.
pub fn ext4(dir: &Path, size_mib: u64, options: &[&str]) -> Arc<dyn WriteView> {
    let path = dir.join("fs.img");
    let options = [&["-L", "cloudimg-rootfs"], options].concat();
    mke2fs(&path, &format!("{size_mib}M"), &options);
    raw(&path)
}

/// Makes edits in a session of their own.
pub fn edit(disk: &Arc<dyn WriteView>, edits: &[Edit]) -> Result<()> {
    let mut tree = Tree::open(disk, NOW)?;
    tree.apply(edits)?;
    tree.finish()
}

/// An error and what caused it, as people see it.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// What an edit is refused with.
pub fn refusal(disk: &Arc<dyn WriteView>, edits: &[Edit]) -> String {
    chain(&edit(disk, edits).unwrap_err())
}

/// A small root file system, and room to judge it.
pub struct Sandbox {
    pub dir: tempfile::TempDir,
    pub disk: Arc<dyn WriteView>,
}

impl Sandbox {
    pub fn new(size_mib: u64, options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let disk = ext4(dir.path(), size_mib, options);
        Self { dir, disk }
    }

    /// An ordinary one, with edits made already.
    pub fn with(edits: &[Edit]) -> Self {
        let sandbox = Self::new(32, &["-t", "ext4"]);
        edit(&sandbox.disk, edits).unwrap();
        sandbox
    }

    pub fn tree(&self) -> Tree {
        Tree::open(&self.disk, NOW).unwrap()
    }

    /// What a file holds, as text.
    pub fn text(&self, path: &str) -> Option<String> {
        let bytes = self.tree().read(path.as_bytes()).unwrap();
        bytes.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    /// Lets e2fsck look at the file system and the kernel mount it.
    pub fn judge(&self) -> Mounted {
        judge(&self.disk, self.dir.path())
    }
}

/// Lets e2fsck look at the file system on a view and the kernel mount it.
pub fn judge(view: &Arc<dyn WriteView>, dir: &Path) -> Mounted {
    let image = dir.join("judged.img");
    save(view.as_ref(), &image);
    fsck(&image);
    Mounted::new(&image, &dir.join("judged"))
}

/// The bytes of a whole view.
pub fn bytes_of(view: &Arc<dyn WriteView>) -> Vec<u8> {
    read_vec(view, 0, view.size()).unwrap()
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

/// A file system mounted by the kernel.
pub struct Mounted {
    pub at: PathBuf,
}

impl Mounted {
    /// Mounts one for reading alone.
    pub fn new(image: &Path, at: &Path) -> Self {
        Self::with_options(image, at, "ro,loop,noload")
    }

    /// Mounts one to make a base as the kernel would leave it.
    pub fn writable(image: &Path, at: &Path) -> Self {
        Self::with_options(image, at, "loop")
    }

    fn with_options(image: &Path, at: &Path, options: &str) -> Self {
        std::fs::create_dir_all(at).unwrap();
        let (image, target) = (image.to_str().unwrap(), at.to_str().unwrap());
        as_root("mount", &["-t", "ext4", "-o", options, image, target]);
        Self { at: at.to_owned() }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let args = ["umount", self.at.to_str().unwrap()];
        // A child that another test is just starting may still hold our files.
        for _ in 0..100 {
            if root_command(&args).output().is_ok_and(|output| output.status.success()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        // A panic here would hide the one that may be under way.
        as_root(args[0], &[args[1], "--lazy"]);
    }
}

/// A command as root: letting the kernel judge is the one thing that needs it.
fn root_command(args: &[&str]) -> Command {
    let sudo: &[&str] = if rustix::process::geteuid().is_root() { &[] } else { &["sudo", "-n"] };
    let all = [sudo, args].concat();
    let mut command = Command::new(all[0]);
    command.args(&all[1..]);
    command
}

/// Runs a tool as root, as [`run`] does.
pub fn as_root(program: &str, args: &[&str]) -> String {
    checked(root_command(&[&[program], args].concat()))
}

/// A partition of a disk as a view of its own.
pub fn partition(disk: &Arc<dyn WriteView>, number: u32) -> Arc<dyn WriteView> {
    let volumes = volumes(disk).unwrap();
    let partitions = volumes.iter().filter_map(|volume| volume.partition.as_ref());
    let found = partitions.into_iter().find(|partition| partition.number == number).unwrap();
    Arc::new(Window::new(Arc::clone(disk), found.start, found.len).unwrap())
}

/// The root file system of a base, mounted.
pub fn mount_root(disk: &Arc<dyn WriteView>, dir: &Path) -> Mounted {
    judge(&partition(disk, 1), dir)
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
