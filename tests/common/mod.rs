//! What the black-box tests share: the program, small base images, and the judges.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]
#![allow(dead_code, reason = "each test file uses its part")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The program under test.
pub fn bootwright() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bootwright"));
    command.env_remove("SOURCE_DATE_EPOCH").env_remove("RUST_BACKTRACE").stdin(Stdio::null());
    command
}

/// What a run of the program came to.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs the program in a folder.
pub fn run_in(dir: &Path, args: &[&str]) -> Ran {
    ran(bootwright().args(args).current_dir(dir).output().unwrap())
}

pub fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs the program, which must succeed.
pub fn ok_in(dir: &Path, args: &[&str]) -> Ran {
    let ran = run_in(dir, args);
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
    ran
}

/// Runs the program, which must succeed and print JSON.
pub fn json(dir: &Path, args: &[&str]) -> serde_json::Value {
    serde_json::from_str(&ok_in(dir, args).out).unwrap()
}

/// Runs a tool that must be there and succeed; gives what it prints.
pub fn tool(program: &str, args: &[&str]) -> String {
    let output = Command::new(program)
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("{program} does not run ({error}): run ci/setup"));
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{program} {args:?}: {}\n{text}", output.status);
    text
}

/// Runs a tool as root.
pub fn root_tool(program: &str, args: &[&str]) -> String {
    match tool("id", &["-u"]).trim() {
        "0" => tool(program, args),
        _ => tool("sudo", &[&["-n", program], args].concat()),
    }
}

/// A Python that has the readers of other people which judge our outputs: a virtual
/// environment below `target`, made once from the package index that this machine's pip is
/// set up for.
pub fn judges() -> PathBuf {
    const PACKAGES: [&str; 5] = [
        "dissect.archive==1.8",
        "dissect.hypervisor==3.21",
        "tree-sitter==0.26.1",
        "tree-sitter-powershell==0.26.4",
        "xxhash==4.1.0",
    ];
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("judges-1");
    fs::create_dir_all(&folder).unwrap();
    // Other test programs may be at the same.
    let lock = fs::File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let (venv, ready) = (folder.join("venv"), folder.join("ready"));
    let python = venv.join("bin/python");
    if !ready.exists() {
        tool("python3", &["-m", "venv", "--clear", text(&venv)]);
        tool(text(&python), &[&["-m", "pip", "install", "--quiet"], &PACKAGES[..]].concat());
        fs::write(&ready, "").unwrap();
    }
    python
}

/// The path of a test base, which `ci/base` makes if it is not in the cache.
pub fn base(name: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ci/base");
    let output = Command::new(&script).arg(name).output().unwrap();
    assert!(output.status.success(), "ci/base {name}: {}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end())
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Names in a folder, sorted.
pub fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Where the root partition of [`small_base`] starts.
pub const SMALL_ROOT: u64 = 1 << 20;

/// A disk of 64 MiB with a GPT, an ext4 root that looks like a small Debian, and a FAT ESP.
pub fn small_base(dir: &Path) -> PathBuf {
    let tree = dir.join("tree");
    small_tree(&tree);
    let (root, esp, disk) = (dir.join("root.ext4"), dir.join("esp.fat"), dir.join("base.raw"));
    let clock = [("E2FSPROGS_FAKE_TIME", "1600000000"), ("SOURCE_DATE_EPOCH", "1600000000")];
    let made = Command::new("mke2fs")
        .args(["-q", "-t", "ext4", "-b", "4096", "-L", "cloudimg-rootfs"])
        .args(["-U", "11111111-2222-3333-4444-555555555555"])
        .args(["-E", "hash_seed=11111111-2222-3333-4444-555555555555,root_owner=0:0"])
        .args(["-d", text(&tree), text(&root), "48M"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .envs(clock)
        .status()
        .unwrap();
    assert!(made.success(), "mke2fs");
    tool("mkfs.vfat", &["-C", "-n", "UEFI", "-i", "12345678", "--invariant", text(&esp), "8192"]);
    tool("truncate", &["-s", "64M", text(&disk)]);
    tool(
        "sgdisk",
        &[
            "-U",
            "AAAAAAAA-0000-4000-8000-000000000000",
            "-n1:2048:+48M",
            "-t1:8300",
            "-u1:AAAAAAAA-0000-4000-8000-000000000001",
            "-n15:0:+8M",
            "-t15:ef00",
            "-u15:AAAAAAAA-0000-4000-8000-000000000015",
            text(&disk),
        ],
    );
    for (file, start) in [(&root, 1), (&esp, 49)] {
        let (from, to) = (format!("if={}", text(file)), format!("of={}", text(&disk)));
        let seek = format!("seek={start}");
        tool("dd", &[&from, &to, "bs=1M", &seek, "conv=notrunc,sparse", "status=none"]);
    }
    fs::remove_dir_all(&tree).unwrap();
    disk
}

fn small_tree(tree: &Path) {
    let file = |path: &str, content: &str, mode: u32| {
        let path = tree.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    file("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n", 0o644);
    file("etc/shadow", "root:$6$salt$hash:19000:0:99999:7:::\n", 0o640);
    file("etc/group", "root:x:0:\nsudo:x:27:\n", 0o644);
    file("etc/gshadow", "root:*::\nsudo:*::\n", 0o640);
    file(
        "etc/fstab",
        "LABEL=cloudimg-rootfs / ext4 defaults 0 1\nLABEL=UEFI /boot/efi vfat umask=0077 0 1\n",
        0o644,
    );
    file("etc/machine-id", "0123456789abcdef0123456789abcdef\n", 0o444);
    file("etc/ssh/ssh_host_ed25519_key", "SECRET-HOST-KEY\n", 0o600);
    file("etc/skel/.profile", "# profile\n", 0o644);
    file("boot/grub/grub.cfg", "menuentry x {\n\tlinux /boot/vmlinuz root=LABEL=x ro\n}\n", 0o444);
    file("var/log/syslog.1", "old\n", 0o640);
    file("usr/lib/systemd/system/old.service", "[Install]\nWantedBy=multi-user.target\n", 0o644);
    for dir in ["boot/efi", "root", "home", "etc/systemd/system", "tmp", "usr/bin"] {
        fs::create_dir_all(tree.join(dir)).unwrap();
    }
    symlink("usr/bin", tree.join("bin")).unwrap();
    fs::write(tree.join("usr/bin/sh"), program()).unwrap();
    for path in walk(tree) {
        tool("touch", &["-h", "-d", "@1600000000", text(&path)]);
    }
}

/// The head of a program for amd64, to tell an image's architecture by.
pub fn program() -> Vec<u8> {
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(64, 0);
    elf[16] = 2;
    elf[18] = 62;
    elf
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            paths.extend(walk(&path));
        }
        paths.push(path);
    }
    paths
}

/// A folder with the small base and a profile `p.yml` that builds it; `more` is added to
/// the profile.
pub fn small_project(more: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    small_base(dir.path());
    profile(dir.path(), more);
    dir
}

/// Writes `p.yml`.
pub fn profile(dir: &Path, more: &str) {
    let head = "name: small\nversion: 1.0\nbase: file:base.raw\n";
    let outputs = if more.contains("outputs:") { "" } else { "outputs: {qcow2: , raw: }\n" };
    fs::write(dir.join("p.yml"), format!("{head}{outputs}{more}")).unwrap();
}

/// debugfs on the root of a raw output of the small base.
pub fn debugfs(raw: &Path, command: &str) -> String {
    let place = format!("{}?offset={SMALL_ROOT}", text(raw));
    tool("debugfs", &["-R", command, &place])
}

/// Every judge accepts the outputs of the small base in `out`.
pub fn judge(out: &Path) {
    let (raw, qcow2) = (out.join("small-1.0.raw"), out.join("small-1.0.qcow2"));
    tool("qemu-img", &["check", "-f", "qcow2", text(&qcow2)]);
    tool("qemu-img", &["compare", "-f", "qcow2", "-F", "raw", text(&qcow2), text(&raw)]);
    tool("e2fsck", &["-f", "-n", &format!("{}?offset={SMALL_ROOT}", text(&raw))]);
    let verdict = tool("sgdisk", &["-v", text(&raw)]);
    assert!(verdict.contains("No problems found"), "{verdict}");
    let sums = Command::new("sha256sum").args(["-c", "SHA256SUMS"]).current_dir(out).output();
    assert!(sums.unwrap().status.success(), "sha256sum -c");
}
