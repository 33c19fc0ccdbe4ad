//! Paths below a mount point land on the partition that the image's own fstab mounts there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bootwright_disk::view::{View, WriteView, read_vec};
use bootwright_rootfs::{Content, Edit, Kind, Meta, Tree, find_root, volumes};

use crate::common::{
    Mounted, NOW, Sandbox, base, digest, edit, fsck, layer, partition, refusal, run, save,
};

fn partition_file(dir: &Path, disk: &Arc<dyn WriteView>, number: u32) -> PathBuf {
    let path = dir.join(format!("p{number}.img"));
    save(&partition(disk, number), &path);
    path
}

fn digest_of(view: &dyn View) -> [u8; 32] {
    digest(&read_vec(view, 0, view.size()).unwrap()[..])
}

fn put(path: &str, text: &str) -> Edit {
    Edit::text(path, text, 0o644)
}

fn mcopy(image: &Path, path: &str) -> String {
    run("mtype", &["-i", image.to_str().unwrap(), &format!("::{path}")])
}

fn vfat_is_sound(image: &Path) {
    run("fsck.vfat", &["-n", image.to_str().unwrap()]);
}

#[test]
fn boot_and_the_esp_of_noble() {
    let disk = layer(&base("xboot"));
    let dir = tempfile::tempdir().unwrap();
    let grub = Tree::open(&disk, NOW).unwrap().read(b"/boot/grub/grub.cfg").unwrap().unwrap();
    let edits = [
        put("/boot/loader/new.conf", "on p16"),
        Edit::Append { path: b"/boot/grub/grub.cfg".to_vec(), text: b"# more\n".to_vec() },
        put("/boot/efi/EFI/bootwright/A long name, with spaces.txt", "on p15"),
        put("/boot/efi/EFI/BOOT/large.bin", &"x".repeat(3 << 20)),
        Edit::remove("/boot/efi/EFI/BOOT/mmx64.efi"),
        Edit::Rewrite {
            path: b"/boot/efi/EFI/debian/grub.cfg".to_vec(),
            content: Content::Bytes(b"configfile elsewhere\n".to_vec()),
        },
        Edit::Rename {
            from: b"/boot/efi/EFI/BOOT/large.bin".to_vec(),
            to: b"/boot/efi/EFI/bootwright/moved.bin".to_vec(),
        },
        Edit::symlink("/etc/esp", "/boot/efi/EFI"),
        put("/etc/esp/through-a-link.txt", "p15, too"),
        put("/etc/on-root", "p1"),
    ];
    edit(&disk, &edits).unwrap();

    let boot = partition_file(dir.path(), &disk, 16);
    fsck(&boot);
    let mounted = Mounted::new(&boot, &dir.path().join("boot"));
    let read = |path: &str| std::fs::read(mounted.at.join(path)).unwrap();
    assert_eq!(read("loader/new.conf"), b"on p16");
    assert_eq!(read("grub/grub.cfg"), [&grub[..], b"# more\n"].concat());
    drop(mounted);

    let esp = partition_file(dir.path(), &disk, 15);
    vfat_is_sound(&esp);
    assert_eq!(mcopy(&esp, "EFI/bootwright/A long name, with spaces.txt"), "on p15");
    assert_eq!(mcopy(&esp, "EFI/through-a-link.txt"), "p15, too");
    assert_eq!(mcopy(&esp, "EFI/debian/grub.cfg"), "configfile elsewhere\n");
    assert_eq!(mcopy(&esp, "EFI/bootwright/moved.bin").len(), 3 << 20);
    let listing = run("mdir", &["-b", "-i", esp.to_str().unwrap(), "::EFI/BOOT"]);
    assert!(!listing.to_lowercase().contains("mmx64"), "{listing}");
    assert!(listing.to_lowercase().contains("bootx64"), "{listing}");

    let root = partition_file(dir.path(), &disk, 1);
    fsck(&root);
    let mounted = Mounted::new(&root, &dir.path().join("root"));
    assert_eq!(std::fs::read(mounted.at.join("etc/on-root")).unwrap(), b"p1");
    let hidden = std::fs::read_dir(mounted.at.join("boot")).unwrap().count();
    assert_eq!(hidden, 0, "nothing is written below the mount point on the root");
}

#[test]
fn other_partitions_stay_as_they_are() {
    let disk = layer(&base("xboot"));
    let before = [15, 16].map(|number| digest_of(&partition(&disk, number)));
    // Reading is no change either.
    let mut tree = Tree::open(&disk, NOW).unwrap();
    assert!(tree.read(b"/boot/efi/EFI/debian/grub.cfg").unwrap().is_some());
    assert!(tree.list(b"/boot/grub").unwrap().contains(&b"grub.cfg".to_vec()));
    tree.apply(&[put("/etc/x", "x"), Edit::remove("/boot/none"), Edit::remove("/boot/efi/none")])
        .unwrap();
    tree.finish().unwrap();
    let after = [15, 16].map(|number| digest_of(&partition(&disk, number)));
    assert!(before == after, "the boot chain has changed");
}

#[test]
fn what_fat_cannot_hold_is_refused() {
    let disk = layer(&base("xboot"));
    let path = |name: &str| format!("/boot/efi/{name}").into_bytes();
    let holds = "partition 15 (FAT, UEFI) is FAT, which holds files and directories only";
    let device = Edit::Special {
        path: path("null"),
        kind: Kind::CharDevice,
        device: Some((1, 3)),
        meta: Meta::default(),
    };
    let target = path("EFI/debian/grub.cfg");
    for (edit, name) in [
        (Edit::symlink("/boot/efi/link", "EFI"), "link"),
        (Edit::HardLink { path: path("hard"), target }, "hard"),
        (device, "null"),
    ] {
        assert_eq!(refusal(&disk, &[edit]), format!("editing /boot/efi/{name}: {name}: {holds}"));
    }
    let name = refusal(&disk, &[put("/boot/efi/a:b", "")]);
    let expected =
        "editing /boot/efi/a:b: a:b: partition 15 (FAT, UEFI) is FAT, which cannot hold it";
    assert!(name.starts_with(expected), "{name}");
    let full = refusal(&disk, &[put("/boot/efi/big", &"x".repeat(110 << 20))]);
    let place = "/boot/efi on partition 15 (FAT, UEFI): the edits need 110.";
    assert!(full.starts_with(place) && full.ends_with(" MiB too few"), "{full}");
    // Owners and modes have no effect there, and are no reason to fail.
    let meta = Meta { mode: Some(0o600), uid: Some(5), ..Meta::default() };
    edit(&disk, &[Edit::Attributes { path: path("EFI/debian/grub.cfg"), meta }]).unwrap();
}

#[test]
fn nothing_crosses_from_one_to_the_other() {
    let disk = layer(&base("xboot"));
    let path = |path: &str| path.as_bytes().to_vec();
    let link = Edit::HardLink { path: path("/boot/passwd"), target: path("/etc/passwd") };
    assert_eq!(
        refusal(&disk, &[link]),
        "/boot/passwd: a hard link cannot lead to another file system"
    );
    let rename = Edit::Rename { from: path("/etc/passwd"), to: path("/boot/efi/passwd") };
    assert_eq!(
        refusal(&disk, &[rename]),
        "editing /etc/passwd: /boot/efi/passwd: a file cannot be renamed into another file system"
    );
    for mounted in ["/boot", "/boot/efi", "/boot/"] {
        let shown = format!("{mounted}: another file system is mounted there");
        assert_eq!(refusal(&disk, &[Edit::remove(mounted)]), shown);
        let rename = Edit::Rename { from: path(mounted), to: path("/elsewhere") };
        assert_eq!(refusal(&disk, &[rename]), shown);
    }
    let over = refusal(&disk, &[put("/boot/efi", "")]);
    assert_eq!(over, "/boot/efi: there is a directory; remove it first if it is to be replaced");
}

/// An fstab that mounts what is not here.
#[test]
fn what_the_guest_would_not_see_is_refused_by_name() {
    let fstab = "LABEL=data /data ext4 defaults 0 2\n\
                 tmpfs /tmp tmpfs size=10% 0 0\n\
                 /srv/real /srv/bound none bind 0 0\n\
                 /dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0\n\
                 LABEL=swap none swap sw 0 0\n";
    let image = Sandbox::with(&[
        put("/data/stale", "left by the maker of the image"),
        put("/tmp/stale", ""),
        put("/media/cdrom0/readme", ""),
        put("/etc/fstab", fstab),
    ]);
    let missing = "is mounted there and is not on this disk";
    let rewrite = Edit::Rewrite { path: b"/data/stale".to_vec(), content: Content::Bytes(vec![]) };
    for (edit, path, spec) in [
        (put("/data/x", ""), "/data/x", "LABEL=data"),
        (put("/data/new/dir/x", ""), "/data/new/dir/x", "LABEL=data"),
        (rewrite, "/data/stale", "LABEL=data"),
        (put("/tmp/x", ""), "/tmp/x", "tmpfs"),
        (put("/srv/bound/x", ""), "/srv/bound/x", "/srv/real"),
    ] {
        let error = refusal(&image.disk, &[edit]);
        let expected = format!("{path}: {spec} {missing}");
        assert!(error.ends_with(&expected), "{error}");
    }
    let point = refusal(&image.disk, &[Edit::remove("/data")]);
    assert_eq!(point, "/data: another file system is mounted there");
    // What lies below can be seen and taken away; what is not mounted at boot is ordinary.
    let edits =
        [Edit::remove("/data/stale"), Edit::remove("/tmp/stale"), put("/media/cdrom0/x", "")];
    assert!(image.tree().exists(b"/data/stale").unwrap());
    edit(&image.disk, &edits).unwrap();
    assert_eq!(image.tree().list(b"/data").unwrap(), Vec::<Vec<u8>>::new());
    image.judge();
}

/// However an fstab names a partition, it is the same one.
#[test]
fn spellings_of_the_same_partition() {
    let spellings = [
        "LABEL=BOOT",
        "LABEL=\"BOOT\"",
        "UUID=FF7A9D37",
        "/dev/disk/by-label/BOOT",
        "/dev/disk/by-partuuid/PARTUUID",
        "PARTUUID=PARTUUID",
    ];
    let disk = layer(&base("xboot"));
    let all = volumes(&disk).unwrap();
    let boot = all.iter().find(|volume| volume.place.contains("BOOT")).unwrap();
    let bootwright_rootfs::Contents::Ext4 { uuid, .. } = &boot.contents else {
        panic!("{boot:?}");
    };
    let Some(bootwright_disk::partition::Kind::Gpt { guid, .. }) =
        boot.partition.as_ref().map(|partition| &partition.kind)
    else {
        panic!("{boot:?}");
    };
    for spelling in spellings {
        let spec = spelling
            .replace("=FF7A9D37", &format!("={}", uuid.to_string().to_uppercase()))
            .replace("PARTUUID=PARTUUID", &format!("PARTUUID={guid}"))
            .replace("/PARTUUID", &format!("/{guid}"));
        let disk = layer(&base("xboot"));
        edit(&disk, &[put("/etc/fstab", &format!("{spec} /boot ext4 defaults 0 2\n"))]).unwrap();
        let mut tree = Tree::open(&disk, NOW).unwrap();
        assert!(tree.exists(b"/boot/grub/grub.cfg").unwrap(), "{spec}");
    }
    // Two mounts of one partition would be two sessions on it.
    let twice = "LABEL=BOOT /boot ext4 defaults 0 2\nLABEL=BOOT /again ext4 defaults 0 2\n";
    edit(&disk, &[put("/etc/fstab", twice)]).unwrap();
    let error = refusal(&disk, &[put("/again/x", "")]);
    assert!(
        error.ends_with("partition 16 (ext4, BOOT) is mounted there, and at /boot, too"),
        "{error}"
    );
    let number = find_root(&all).map(|root| all[root].partition.as_ref().unwrap().number);
    assert_eq!(number.unwrap(), 1);
}
