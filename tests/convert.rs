//! `bootwright image convert`: every format and both directions, judged by qemu-img.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

mod common;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use common::{bootwright, json, ok_in, ran, run_in, small_base, text, tool};

fn same(dir: &Path, format: &str, file: &str) {
    let (base, file) = (dir.join("base.raw"), dir.join(file));
    tool("qemu-img", &["compare", "-f", "raw", "-F", format, text(&base), text(&file)]);
}

#[test]
fn every_format_is_what_qemu_img_reads_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    small_base(dir);
    let formats: [(&str, &str, &[&str]); 8] = [
        ("zlib.qcow2", "qcow2", &[]),
        ("zstd.qcow2", "qcow2", &["--compression", "zstd", "--level", "9"]),
        ("none.qcow2", "qcow2", &["--compression", "none"]),
        ("stream.vmdk", "vmdk", &[]),
        ("sparse.vmdk", "vmdk", &["--subformat", "monolithicSparse"]),
        ("a.vhdx", "vhdx", &[]),
        ("dynamic.vhd", "vpc", &[]),
        ("fixed.vhd", "vpc", &["--subformat", "fixed", "--flavour", "xenserver"]),
    ];
    for (file, format, options) in formats {
        let made = ok_in(dir, &[&["image", "convert", "base.raw", file], options].concat());
        assert_eq!(made.out, format!("{file}\n"));
        same(dir, format, file);
        if ["qcow2", "vmdk", "vhdx"].contains(&format) {
            tool("qemu-img", &["check", "-f", format, text(&dir.join(file))]);
        }
        ok_in(dir, &["image", "verify", file]);
        ok_in(dir, &["image", "convert", "--force", file, "back.raw"]);
        tool("cmp", &[text(&dir.join("base.raw")), text(&dir.join("back.raw"))]);
        let diff = json(dir, &["image", "diff", "--json", "base.raw", file]);
        assert_eq!(diff["same"], true, "{diff}");
    }
    for (ending, unpack) in [("zst", "zstd"), ("gz", "gzip"), ("xz", "xz")] {
        let file = format!("base.raw.{ending}");
        ok_in(dir, &["image", "convert", "stream.vmdk", &file]);
        let command = format!("cd {} && {unpack} -dc {file} | cmp - base.raw", text(dir));
        tool("sh", &["-c", &command]);
        ok_in(dir, &["image", "convert", "--force", &file, "back.qcow2"]);
        same(dir, "qcow2", "back.qcow2");
    }
    // Identifiers derive from the disk: the same one gives the same bytes.
    ok_in(dir, &["image", "convert", "zstd.qcow2", "b.vhdx"]);
    tool("cmp", &[text(&dir.join("a.vhdx")), text(&dir.join("b.vhdx"))]);
}

#[test]
fn what_others_write_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let raw = small_base(dir);
    let convert = |format: &str, options: &str, file: &str| {
        let file = dir.join(file);
        let args = ["convert", "-f", "raw", "-O", format, "-o", options, text(&raw), text(&file)];
        tool("qemu-img", &args);
    };
    convert("vmdk", "subformat=streamOptimized", "disk.vmdk");
    convert("vmdk", "subformat=monolithicSparse", "sparse.vmdk");
    convert("vhdx", "subformat=dynamic", "disk.vhdx");
    convert("vpc", "subformat=dynamic,force_size=on", "disk.vhd");
    convert("qcow2", "cluster_size=512,refcount_bits=1", "small.qcow2");
    fs::write(dir.join("disk.ovf"), "<Envelope/>").unwrap();
    let archive = |kind: &str, out: &str, names: &str| {
        let command = format!("cd {} && tar --format={kind} -cf {out} {names}", text(dir));
        tool("sh", &["-c", &command]);
    };
    archive("ustar", "disk.ova", "disk.ovf disk.vmdk");
    archive("pax", "pax.ova", "disk.ovf disk.vmdk");
    tool("sh", &["-c", &format!("cd {} && zstd -q disk.vhdx && xz -k disk.vhd", text(dir))]);
    fs::create_dir(dir.join("Ref:4")).unwrap();
    fs::write(dir.join("ova.xml"), "<value/>").unwrap();
    // Chunks of zeros are left out, but the first and the last one.
    let bytes = fs::read(&raw).unwrap();
    let chunks = bytes.chunks(1 << 20).enumerate();
    for (index, chunk) in chunks.filter(|(_, chunk)| chunk.iter().any(|&byte| byte != 0)) {
        fs::write(dir.join(format!("Ref:4/{index:08}")), chunk).unwrap();
        fs::write(dir.join(format!("Ref:4/{index:08}.xxhash")), "0").unwrap();
    }
    assert!(!dir.join("Ref:4/00000060").exists() && dir.join("Ref:4/00000063").exists());
    archive("ustar", "machine.xva", "ova.xml $(ls -d Ref:4/*)");
    let files = [
        ("disk.vmdk", "vmdk"),
        ("sparse.vmdk", "vmdk"),
        ("disk.vhdx", "vhdx"),
        ("disk.vhd", "vhd"),
        ("small.qcow2", "qcow2"),
        ("disk.ova", "vmdk"),
        ("pax.ova", "vmdk"),
        ("disk.vhdx.zst", "vhdx"),
        ("disk.vhd.xz", "vhd"),
        ("machine.xva", "raw"),
    ];
    for (file, format) in files {
        let found = json(dir, &["image", "inspect", "--json", file]);
        assert_eq!(found["container"]["format"], format, "{file}");
        ok_in(dir, &["image", "verify", file]);
        let out = ok_in(dir, &["image", "cat", file, "/etc/machine-id"]).out;
        assert_eq!(out, "0123456789abcdef0123456789abcdef\n", "{file}");
        ok_in(dir, &["image", "convert", "--force", file, "out.qcow2"]);
        same(dir, "qcow2", "out.qcow2");
    }
    let found = json(dir, &["image", "inspect", "--json", "disk.ova"]);
    assert_eq!(found["container"]["archive"], "ova");
}

#[test]
fn standard_streams_are_files_too() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    small_base(dir);
    let piped = |input: &str, args: &[&str], out: &str| {
        let ran = ran(bootwright()
            .args(args)
            .current_dir(dir)
            .stdin(File::open(dir.join(input)).unwrap())
            .stdout(File::create(dir.join(out)).unwrap())
            .stderr(Stdio::piped())
            .output()
            .unwrap());
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
    };
    piped("base.raw", &["image", "convert", "-O", "vmdk", "-", "-"], "a.vmdk");
    same(dir, "vmdk", "a.vmdk");
    piped("a.vmdk", &["image", "convert", "-O", "raw", "-", "-"], "b.raw");
    tool("cmp", &[text(&dir.join("base.raw")), text(&dir.join("b.raw"))]);
    piped("base.raw", &["image", "convert", "-", "c.qcow2"], "printed");
    same(dir, "qcow2", "c.qcow2");
    // Whoever has seen enough may go.
    let shell = format!(
        "{} image convert -O raw --quiet base.raw - | head -c 10 | wc -c",
        env!("CARGO_BIN_EXE_bootwright")
    );
    let head = Command::new("sh").args(["-c", &shell]).current_dir(dir).output().unwrap();
    assert_eq!(String::from_utf8(head.stdout).unwrap().trim(), "10");
}

/// Writes a disk of 64 MiB whose GPT counts in sectors of 4096 bytes, which the partitioning
/// tools at hand do on real disks only.
const GPT_OF_4096: &str = r#"
import struct, sys, uuid, zlib
sector, last = 4096, (64 << 20) // 4096 - 1
kind = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4").bytes_le
entry = kind + uuid.UUID(int=7).bytes_le + struct.pack("<QQQ", 256, 256 + 2047, 0)
entries = (entry + "root".encode("utf-16-le")).ljust(128 * 128, b"\0")
def header(own, other, at):
    def make(crc):
        head = struct.pack("<8sIIII", b"EFI PART", 0x10000, 92, crc, 0)
        lbas = struct.pack("<QQQQ", own, other, 6, last - 5)
        table = struct.pack("<QIII", at, 128, 128, zlib.crc32(entries))
        return head + lbas + uuid.UUID(int=5).bytes_le + table
    return make(zlib.crc32(make(0)))
protective = bytes([0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0xff, 0x3f, 0, 0])
with open(sys.argv[1], "wb") as disk:
    disk.truncate(64 << 20)
    for place, data in [(446, protective), (510, b"\x55\xaa"),
                        (sector, header(1, last, 2)), (2 * sector, entries),
                        ((last - 4) * sector, entries), (last * sector, header(last, 1, last - 4))]:
        disk.seek(place)
        disk.write(data)
"#;

#[test]
fn a_vhdx_has_the_sectors_that_its_partitions_count_in() {
    let dir = tempfile::tempdir().unwrap();
    let raw = dir.path().join("a.raw");
    tool("python3", &["-c", GPT_OF_4096, text(&raw)]);
    ok_in(dir.path(), &["image", "convert", "a.raw", "a.vhdx"]);
    let found = json(dir.path(), &["image", "inspect", "--json", "a.vhdx"]);
    assert_eq!(found["container"]["sector_sizes"], serde_json::json!([4096, 4096]));
    assert_eq!(found["volumes"][0]["size"], 8 << 20);
    ok_in(dir.path(), &["image", "verify", "a.vhdx"]);
}

#[test]
fn arguments_that_do_not_go_together() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("a.raw"), vec![1; 4096]).unwrap();
    fs::write(dir.join("there.raw"), "x").unwrap();
    let refused = |args: &[&str], code: i32, message: &str| {
        let ran = run_in(dir, &[&["image"], args].concat());
        assert_eq!(ran.code, code, "{args:?}: {}", ran.err);
        assert!(ran.err.contains(message), "{args:?}: {}", ran.err);
    };
    refused(&["convert", "a.raw", "b.tar"], 2, "the ending of b.tar tells no format");
    refused(&["convert", "a.raw", "-"], 2, "give --format");
    refused(&["convert", "-O", "qcow2", "a.raw", "-"], 2, "cannot be written to a pipe");
    refused(&["convert", "--subformat", "fixed", "a.raw", "b.vhdx"], 2, "no such subformat");
    refused(&["convert", "--compression", "xz", "a.raw", "b.qcow2"], 2, "zlib, zstd or none");
    refused(&["convert", "--level", "12", "a.raw", "b.qcow2"], 2, "levels 1 to 9");
    refused(&["convert", "--level", "2", "a.raw", "b.vhdx"], 2, "compressed formats alone");
    refused(&["convert", "--flavour", "hyper-v", "a.raw", "b.qcow2"], 2, "for vhd alone");
    refused(&["convert", "a.raw", "there.raw"], 3, "there.raw exists; give --force");
    refused(&["convert", "none.raw", "b.qcow2"], 3, "reading the image none.raw: No such file");
    refused(&["convert", "-f", "qcow2", "a.raw", "b.vmdk"], 3, "this is not a qcow2 file");
    refused(&["inspect", "."], 2, ". is a folder");
    refused(&["ls", "a.raw"], 3, "no root file system found");
    refused(&["verify", "."], 2, "neither manifest.json nor SHA256SUMS");
    assert_eq!(fs::read(dir.join("there.raw")).unwrap(), b"x");
    assert!(!dir.join("b.qcow2").exists() && !dir.join("b.vmdk").exists());
}
