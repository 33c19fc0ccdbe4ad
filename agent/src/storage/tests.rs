//! Storage on machines in folders: volumes, folders and relocations.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::tasks::bench::Bench;

const TASK: &str = "- storage:
    prefix: ecs
    wait_seconds: 0
    volumes:
    - name: data
      mount: /data
      directories:
      - {path: /data/etc, mode: '0750', owner: root}
      - {path: /data/ecs-ca, mode: '0700'}
      relocations:
      - {from: /app/etc, to: /data/etc, stop: [postgresql]POLICY}
";

const MOUNTS: &str = "28 1 254:1 / / rw - ext4 /dev/vda1 rw\n";

/// A machine with a disk labelled ecs-data.
fn bench(policy: &str) -> Bench {
    let bench = Bench::new();
    bench.tasks(&TASK.replace("POLICY", policy));
    bench.file("/etc/fstab", "LABEL=root / ext4 defaults 0 1\n");
    bench.file("/proc/self/mountinfo", MOUNTS);
    bench.tool(
        "blkid",
        "case \"$*\" in *-L\\ ecs-data) echo /dev/vdb;; *-p*) echo TYPE=$(cat $R/fstype);; *) exit 2;; esac",
    );
    bench.file("/fstype", "ext4\n");
    bench.tool(
        "mount",
        "echo \"30 28 254:16 / $6 rw - ext4 /dev/vdb rw\" >> $R/proc/self/mountinfo",
    );
    bench
}

/// `settle` without the comparison of the dry run: nothing is mounted in that one.
fn settle(bench: &Bench) {
    assert_eq!(bench.dry().error, None);
    assert_eq!(bench.apply().error, None);
    let again = bench.apply();
    assert_eq!((again.text.as_str(), again.error), ("", None));
}

#[test]
fn b26_mounts_fstab_folders_with_owner_and_mode() {
    let bench = bench("");
    bench.file("/app/etc/conf", "x");
    settle(&bench);
    assert!(
        bench.calls().contains(&"mount -t ext4 -o defaults,nofail LABEL=ecs-data /data".to_owned())
    );
    let fstab = bench.text("/etc/fstab");
    assert!(fstab.starts_with("LABEL=root / ext4 defaults 0 1\n"), "{fstab}");
    assert!(fstab.contains("\nLABEL=ecs-data /data ext4 defaults,nofail 0 2\n"), "{fstab}");
    assert_eq!((bench.mode("/data/etc"), bench.mode("/data/ecs-ca")), (0o750, 0o700));
    assert_eq!(bench.text("/data/etc/conf"), "x");
    assert_eq!(fs::read_link(bench.path("/app/etc")).unwrap(), Path::new("/data/etc"));
    // Somebody changes the mode: it comes back.
    fs::set_permissions(
        bench.path("/data/ecs-ca"),
        std::os::unix::fs::PermissionsExt::from_mode(0o777),
    )
    .unwrap();
    settle(&bench);
    assert_eq!(bench.mode("/data/ecs-ca"), 0o700);
}

/// An old data disk at a fresh image: upstream deleted what was on it.
fn old_disk(policy: &str) -> Bench {
    let bench = bench(policy);
    for (path, text) in [
        ("/data/etc/both", "of the disk"),
        ("/data/etc/sub/old", "of the disk"),
        ("/app/etc/both", "of the image"),
        ("/app/etc/sub/new", "of the image"),
    ] {
        bench.file(path, text);
    }
    bench
}

#[test]
fn b19_data_on_both_sides_is_refused_and_kept() {
    let bench = old_disk("");
    let error = bench.refused();
    assert!(
        error.starts_with(
            "task relocations: there is data in /app/etc and in /data/etc; neither is touched."
        ),
        "{error}"
    );
    assert_eq!(bench.text("/data/etc/both"), "of the disk");
    assert_eq!(bench.text("/app/etc/both"), "of the image");
}

#[test]
fn b19_adopting_keeps_the_disk_and_puts_the_image_aside() {
    let bench = old_disk(", policy: adopt");
    bench.systemd();
    settle(&bench);
    assert_eq!(bench.text("/data/etc/both"), "of the disk");
    assert_eq!(fs::read_link(bench.path("/app/etc")).unwrap(), Path::new("/data/etc"));
    assert!(!bench.path("/data/etc/sub/new").exists());
    assert_eq!(bench.text("/app/etc.bootwright-replaced/both"), "of the image");
    let calls = bench.calls();
    let at = |call: &str| calls.iter().position(|c| c == call).unwrap();
    assert!(at("systemctl stop postgresql") < at("systemctl --no-block start postgresql"));
}

#[test]
fn b19_merging_adds_and_never_overwrites() {
    let bench = old_disk(", policy: merge");
    settle(&bench);
    assert_eq!(bench.text("/data/etc/both"), "of the disk");
    assert_eq!(bench.text("/data/etc/sub/old"), "of the disk");
    assert_eq!(bench.text("/data/etc/sub/new"), "of the image");
    assert_eq!(bench.text("/app/etc.bootwright-replaced/sub/new"), "of the image");
}

#[test]
fn the_power_went_between_move_and_link() {
    let bench = bench("");
    bench.file("/data/etc/conf", "x");
    fs::create_dir_all(bench.path("/app")).unwrap();
    settle(&bench);
    assert_eq!(bench.text("/data/etc/conf"), "x");
    // A link that leads elsewhere is set right.
    fs::remove_file(bench.path("/app/etc")).unwrap();
    symlink("/nowhere", bench.path("/app/etc")).unwrap();
    settle(&bench);
    assert_eq!(fs::read_link(bench.path("/app/etc")).unwrap(), Path::new("/data/etc"));
}

#[test]
fn b26_another_file_system_or_none_is_refused() {
    let bench = bench("");
    bench.file("/fstype", "xfs\n");
    assert!(bench.refused().contains("/dev/vdb is labelled ecs-data, but holds xfs and not ext4"));
    bench.tool("blkid", "exit 2");
    let error = bench.refused();
    assert!(error.contains("no file system labelled ecs-data showed up within 0 s"), "{error}");
    assert!(!bench.path("/data").exists());
    // A label that does not matter on this machine.
    bench.env("appliance: {storage: {ignore: {data: true}}}\n");
    settle(&bench);
    assert!(bench.path("/data/etc").is_dir());
    assert_eq!(bench.text("/etc/fstab"), "LABEL=root / ext4 defaults 0 1\n");
}

#[test]
fn a_line_of_somebody_else_stays() {
    let bench = bench("");
    let line = "UUID=1 /data ext4 noatime 0 2\n";
    bench.file("/etc/fstab", line);
    settle(&bench);
    assert_eq!(bench.text("/etc/fstab"), line);
}
