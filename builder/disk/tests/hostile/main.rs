//! Small valid images with bytes changed: every reader survives every one of them, in
//! bounded time and memory.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

#[path = "../common/feed.rs"]
mod feed;
#[path = "../common/reseal.rs"]
mod reseal;
#[path = "../common/tools.rs"]
mod tools;
#[path = "../common/walk.rs"]
mod walk;

use std::alloc::System;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bootwright_disk::unit::Writer;
use bootwright_disk::view::{Memory, View};
use bootwright_disk::{Format, Result, archive, check, gpt, open_view, qcow2, vhd, vhdx, vmdk};
use cap::Cap;
use uuid::Uuid;

use feed::{mixed_disk, noise, write_image};
use tools::{path, qemu_convert, run};

/// Aborts the program when more is allocated than a test allows.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Memory that a reader may take beside the file.
const MEMORY: usize = 16 << 20;
/// Places that are changed in an image, and how long one change may take.
const PLACES: usize = 4000;
const PATIENCE: Duration = Duration::from_secs(20);

/// Memory is counted for the whole program: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A disk with little on it, so that most of an image's bytes that are not zero are its
/// metadata.
fn disk() -> Vec<u8> {
    let mut disk = vec![0; (1 << 20) + 512];
    disk[..40].fill(7);
    disk[300_000..300_090].fill(9);
    disk[400_000..400_200].copy_from_slice(&mixed_disk(200, 3));
    disk
}

/// Places around the bytes that are not zero: fields, and the upper halves of fields.
fn places(image: &[u8]) -> Vec<usize> {
    let used = (0..image.len()).filter(|&at| image[at] != 0);
    let near: BTreeSet<usize> = used.flat_map(|at| at.saturating_sub(4)..at + 5).collect();
    let near: Vec<usize> = near.into_iter().filter(|&at| at < image.len()).collect();
    let step = near.len().div_ceil(PLACES).max(1);
    let mut random = noise(1);
    near.chunks(step).map(|chunk| chunk[random() % chunk.len()]).collect()
}

/// What is done at a place.
const CHANGES: [fn(&mut [u8]); 5] = [
    |bytes| bytes[0] ^= 1,
    |bytes| bytes[0] ^= 0x80,
    |bytes| bytes[0] = 0,
    |bytes| bytes[0] = 0xff,
    |bytes| bytes.fill(0xff),
];

/// Checks an image and walks through it; a raw one's backup GPT is moved first.
fn read(file: Memory, format: Format) -> Result<()> {
    let _ = check::container(&file, format);
    let _ = gpt::check(&file);
    if format == Format::Raw {
        gpt::move_backup(&file)?;
    }
    let file: Arc<dyn View> = Arc::new(file);
    match archive::open(&file)? {
        Some(archived) => walk::walk(archived.image.view.as_ref()),
        None => walk::walk(open_view(file, Some(format))?.view.as_ref()),
    }
}

/// Changes the image at many places and walks through each result.
fn attack(image: Vec<u8>, format: Format, reseal: fn(&mut [u8])) {
    let _alone = alone();
    let places = places(&image);
    let total = places.len() * CHANGES.len();
    let file_len = image.len();
    let done = Arc::new(AtomicUsize::new(0));
    let progress = Arc::clone(&done);
    let worker = thread::spawn(move || {
        let mut accepted = 0;
        for &at in &places {
            for change in CHANGES {
                let mut bytes = image.clone();
                let end = (at + 8).min(bytes.len());
                change(&mut bytes[at..end]);
                reseal(&mut bytes);
                ALLOCATOR.set_limit(ALLOCATOR.allocated() + MEMORY + file_len).unwrap();
                let outcome = read(Memory::new(bytes), format);
                ALLOCATOR.set_limit(usize::MAX).unwrap();
                accepted += usize::from(outcome.is_ok());
                progress.fetch_add(1, Ordering::Relaxed);
            }
        }
        accepted
    });
    let (mut seen, mut since) = (0, Instant::now());
    while !worker.is_finished() {
        thread::sleep(Duration::from_millis(20));
        let now = done.load(Ordering::Relaxed);
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        assert!(since.elapsed() < PATIENCE, "{format:?}: change {now} of {total} never ends");
    }
    let accepted = worker.join().unwrap();
    assert!(accepted > 0 && accepted < total, "{format:?}: {accepted} of {total} were accepted");
}

/// The image that a writer makes of `disk()`.
fn written(mut writer: Box<dyn Writer>) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("image");
    write_image(&Memory::new(disk()), writer.as_mut(), &image);
    fs::read(image).unwrap()
}

/// The image that qemu-img makes of `disk()`.
fn converted(format: Format, options: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let (raw, image) = (path(dir.path(), "raw"), path(dir.path(), "image"));
    fs::write(&raw, disk()).unwrap();
    qemu_convert(&raw, format.qemu_name(), options, &image);
    fs::read(image).unwrap()
}

fn size() -> u64 {
    disk().len() as u64
}

#[test]
fn qcow2_survives() {
    let compressed = qcow2::Writer::new(size(), qcow2::Compression::Zlib(6));
    attack(written(Box::new(compressed)), Format::Qcow2, |_| {});
    let compressed = qcow2::Writer::new(size(), qcow2::Compression::Zstd(3));
    attack(written(Box::new(compressed)), Format::Qcow2, |_| {});
    attack(converted(Format::Qcow2, "cluster_size=512"), Format::Qcow2, |_| {});
}

#[test]
fn vmdk_survives() {
    let options = vmdk::Options::new("disk.vmdk", Uuid::nil());
    let stream = vmdk::StreamWriter::new(size(), 6, &options).unwrap();
    attack(written(Box::new(stream)), Format::Vmdk, |_| {});
    let sparse = vmdk::SparseWriter::new(size(), &options).unwrap();
    attack(written(Box::new(sparse)), Format::Vmdk, |_| {});
    attack(converted(Format::Vmdk, "subformat=streamOptimized"), Format::Vmdk, |_| {});
}

#[test]
fn vhdx_survives() {
    let writer = vhdx::Writer::new(size(), vhdx::Options::new(Uuid::from_u128(5))).unwrap();
    let image = written(Box::new(writer));
    attack(image.clone(), Format::Vhdx, reseal::vhdx);
    attack(image, Format::Vhdx, |_| {});
}

#[test]
fn a_vhdx_log_survives() {
    // QEMU's last log entry, which it has marked as done, is made undone again.
    let mut image = converted(Format::Vhdx, "block_size=1M");
    let entry = image[1 << 20..(1 << 20) + 48].to_vec();
    assert!(entry.starts_with(b"loge"));
    for header in [64 << 10, 128 << 10] {
        image[header + 48..header + 64].copy_from_slice(&entry[32..48]);
    }
    reseal::vhdx(&mut image);
    attack(image, Format::Vhdx, reseal::vhdx);
}

#[test]
fn vhd_survives() {
    for flavour in [vhd::Flavour::HyperV, vhd::Flavour::XenServer] {
        let options = vhd::Options { flavour, id: Uuid::from_u128(5), time: 0 };
        let dynamic = vhd::DynamicWriter::new(size(), &options).unwrap();
        attack(written(Box::new(dynamic)), Format::Vhd, reseal::vhd);
    }
    let options = "subformat=fixed,force_size=off";
    attack(converted(Format::Vhd, options), Format::Vhd, reseal::vhd);
}

/// A disk that a partitioning tool has written.
fn partitioned(tool: impl FnOnce(&str)) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let raw = path(dir.path(), "disk");
    fs::File::create(Path::new(&raw)).unwrap().set_len(2 << 20).unwrap();
    tool(&raw);
    fs::read(raw).unwrap()
}

#[test]
fn partition_tables_survive() {
    let gpt = partitioned(|raw| {
        let args = [
            "-a",
            "1",
            "-n",
            "1:100:900",
            "-n",
            "14:1000:1200",
            "-c",
            "1:root",
            "-t",
            "14:ef02",
            raw,
        ];
        run("sgdisk", &args);
    });
    attack(gpt, Format::Raw, reseal::gpt);
    let mbr = partitioned(|raw| {
        let script = "label: dos\nstart=64,size=64\nstart=256,size=3000,type=f\n\
                      start=300,size=100\nstart=600,size=100\n";
        let command = format!("printf '{script}' | sfdisk -q {raw}");
        run("sh", &["-c", &command]);
    });
    attack(mbr, Format::Raw, |_| {});
}

/// The archive that tar makes of these files.
fn archived(files: &[(&str, &[u8])]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let file = dir.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    let out = path(dir.path(), "archive");
    let folder = dir.path().to_str().unwrap();
    run("tar", &[&["--format=ustar", "-C", folder, "-cf", &out], &names[..]].concat());
    fs::read(out).unwrap()
}

#[test]
fn archives_survive() {
    let options = vmdk::Options::new("disk.vmdk", Uuid::nil());
    let stream = written(Box::new(vmdk::StreamWriter::new(size(), 6, &options).unwrap()));
    let ova = archived(&[("a.ovf", b"<Envelope/>"), ("a.vmdk", &stream)]);
    attack(ova, Format::Raw, reseal::tar);
    let mut chunk = vec![0; 1 << 20];
    chunk[..40].fill(7);
    let xva = [
        ("ova.xml", &b"<value/>"[..]),
        ("Ref:4/00000000", &chunk),
        ("Ref:4/00000003", b"the last one may be short"),
    ];
    attack(archived(&xva), Format::Raw, reseal::tar);
    attack(archived(&xva), Format::Raw, |_| {});
}
