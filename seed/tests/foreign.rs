//! Our reader takes the media that other people's tools make.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs::File;
use std::path::Path;

use bootwright_seed::medium::read::{Contents, identify, read};
use bootwright_seed::medium::{Filesystem, Kind};
use common::{ENV, loose, run, seed};

/// Identifies and reads the image at `path`, which must be a cidata seed.
fn read_image(path: &str, filesystem: Filesystem) -> Contents {
    let identity = identify(File::open(path).unwrap()).unwrap().unwrap();
    assert_eq!((identity.kind, identity.filesystem), (Some(Kind::Cidata), filesystem), "{path}");
    let contents = read(File::open(path).unwrap(), Kind::Cidata).unwrap();
    assert_eq!(contents.user_data, ENV, "{path}");
    assert_eq!(contents.instance_id, Some(seed().instance_id()), "{path}");
    contents
}

fn image(dir: &Path, name: &str) -> String {
    dir.join(name).to_str().unwrap().to_owned()
}

#[test]
fn genisoimage_with_and_without_extensions() {
    let dir = tempfile::tempdir().unwrap();
    let files = loose(dir.path());
    for (name, options, user_data) in [
        ("both", &["-J", "-R"][..], "user-data"),
        ("joliet", &["-J"], "user-data"),
        ("rock", &["-R"], "user-data"),
        ("level1", &[], "USER_DAT"),
        ("level3", &["-iso-level", "3"], "USER_DATA"),
    ] {
        let path = image(dir.path(), name);
        let mut args = vec!["-quiet", "-V", "CIDATA", "-o", &path];
        args.extend(options);
        args.extend(files.iter().map(String::as_str));
        run("genisoimage", "genisoimage", &args);
        assert_eq!(read_image(&path, Filesystem::Iso9660).user_data_file, user_data, "{name}");
    }
}

#[test]
fn xorriso_with_and_without_rock_ridge() {
    let dir = tempfile::tempdir().unwrap();
    let files = loose(dir.path());
    for (name, options) in [("rock", &["-R"][..]), ("joliet", &["-J"]), ("plain", &[])] {
        let path = image(dir.path(), name);
        let mut args = vec!["-as", "mkisofs", "-quiet", "-V", "cidata", "-o", &path];
        args.extend(options);
        args.extend(files.iter().map(String::as_str));
        run("xorriso", "xorriso", &args);
        read_image(&path, Filesystem::Iso9660);
    }
}

#[test]
fn cloud_localds_iso_and_vfat() {
    let dir = tempfile::tempdir().unwrap();
    let files = loose(dir.path());
    let file = |name: &str| files.iter().find(|path| path.ends_with(name)).unwrap().as_str();
    for (format, filesystem) in [("iso", Filesystem::Iso9660), ("vfat", Filesystem::Vfat)] {
        let path = image(dir.path(), format);
        let args = ["--filesystem", format, &path, file("user-data"), file("meta-data")];
        run("cloud-image-utils", "cloud-localds", &args);
        read_image(&path, filesystem);
    }
}

#[test]
fn mkfs_vfat_12_16_and_32() {
    let dir = tempfile::tempdir().unwrap();
    let files = loose(dir.path());
    for (bits, label, kib) in
        [("12", "cidata", "1440"), ("16", "CIDATA", "20000"), ("32", "cidata", "70000")]
    {
        let path = image(dir.path(), bits);
        run("dosfstools", "mkfs.vfat", &["-F", bits, "-n", label, "-C", &path, kib]);
        let mut args = vec!["-i", &path];
        args.extend(files.iter().map(String::as_str));
        args.push("::");
        run("mtools", "mcopy", &args);
        assert_eq!(read_image(&path, Filesystem::Vfat).user_data_file, "user-data");
    }
}

#[test]
fn vfat_label_in_the_root_directory_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = image(dir.path(), "label.img");
    run("dosfstools", "mkfs.vfat", &["-n", "OTHER", "-C", &path, "1440"]);
    // mlabel changes the root directory; fatlabel would change the boot sector as well.
    run("mtools", "mlabel", &["-i", &path, "::CIDATA"]);
    let identity = identify(File::open(&path).unwrap()).unwrap().unwrap();
    assert_eq!((identity.labels[0].as_str(), identity.kind), ("CIDATA", Some(Kind::Cidata)));
}

#[test]
fn config_drive_made_by_genisoimage() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    std::fs::create_dir_all(tree.join("openstack/latest")).unwrap();
    for file in seed().files(Kind::Config2).files {
        std::fs::write(tree.join(&*file.path), &file.content).unwrap();
    }
    for (name, options) in [("joliet", &["-J"][..]), ("plain", &[])] {
        let path = image(dir.path(), name);
        let mut args = vec!["-quiet", "-V", "config-2", "-o", &path];
        args.extend(options);
        args.push(tree.to_str().unwrap());
        run("genisoimage", "genisoimage", &args);
        let contents = read(File::open(&path).unwrap(), Kind::Config2).unwrap();
        assert_eq!(contents.user_data, ENV, "{name}");
        assert_eq!(contents.instance_id, Some(seed().instance_id()), "{name}");
    }
}
