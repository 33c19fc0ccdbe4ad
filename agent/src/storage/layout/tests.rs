//! Storage plans against image files: sfdisk, blkid and mkfs are real, what needs the kernel
//! (RAID, encryption, LVM, mounting) is noted.

use std::fs::{self, File};
use std::process::Command;

use crate::tasks::bench::Bench;

const MIB: u64 = 1 << 20;

/// A machine with two empty disks of 64 MiB.
fn bench(plan: &str) -> Bench {
    let bench = Bench::new();
    bench.tasks("- storage: {wait_seconds: 0}\n");
    for disk in ["vdb", "nvme0n1"] {
        disk_of(&bench, disk, 64);
    }
    bench.file("/proc/self/mountinfo", "");
    let lines: Vec<String> = plan.lines().map(|line| format!("      {line}\n")).collect();
    bench.env(&format!("appliance:\n  storage:\n    setup:\n{}", lines.concat()));
    // Real tools, with the device, always their last word, below the root. Partitions become
    // files of their own, since an image file has no nodes for them.
    let path = "PATH=/usr/sbin:/sbin:/usr/bin:/bin";
    let last = "for last; do :; done; n=$(($#-1)); i=0; for a; do [ $i -lt $n ] && set -- \"$@\" \"$a\"; shift; i=$((i+1)); done";
    bench.tool("blkid", &format!("{last}; [ -e $R/member/${{last##*/}} ] && {{ echo TYPE=LVM2_member; exit; }}; {path} blkid \"$@\" $R$last"));
    bench.tool("wipefs", &format!("{last}; {path} wipefs --quiet \"$@\" $R$last"));
    bench.tool("mkfs.ext4", &format!("{last}; {path} mkfs.ext4 -q -F \"$@\" $R$last"));
    bench.tool("mkswap", &format!("{last}; {path} mkswap -q \"$@\" $R$last"));
    bench.tool(
        "sfdisk",
        &format!("{last}; {path} sfdisk \"$@\" $R$last || exit; {path} sfdisk -d $R$last | sed -n \"s,^$R\\([^ ]*\\) .*size= *\\([0-9]*\\).*,\\1 \\2,p\" | while read p s; do [ -e $R$p ] || truncate -s $((s*512)) $R$p; done"),
    );
    bench.tool("partx", "");
    bench.tool("mount", "echo \"30 28 0:1 / $6 rw - ext4 x rw\" >> $R/proc/self/mountinfo");
    bench.tool("swapon", "[ -e $R/proc/swaps ] || echo Filename > $R/proc/swaps; echo \"$1 partition 1\" >> $R/proc/swaps");
    bench.tool("mdadm", "for last; do :; done; truncate -s 8M $R$2");
    bench.tool(
        "cryptsetup",
        &format!("cat > $R/stdin; case $1 in luksFormat) for last; do :; done; printf 'LUKS\\272\\276\\0\\1' | dd of=$R$last conv=notrunc status=none;; open) mkdir -p $R/dev/mapper; truncate -s 8M $R/dev/mapper/$6;; esac; {path} true"),
    );
    bench.tool("pvcreate", "mkdir -p $R/member; touch $R/member/${2##*/}");
    bench.tool("vgs", "test -e $R/vg/$4");
    bench.tool("vgcreate", "mkdir -p $R/vg/$2");
    bench.tool("lvs", "test -e $R/lv/$7 && cat $R/lv/$7");
    bench.tool(
        "lvcreate",
        "mkdir -p $R/lv/$6 $R/dev/$6; echo ${5%b} > $R/lv/$6/$3; truncate -s 8M $R/dev/$6/$3",
    );
    bench.tool("lvextend", "echo ${2%b} > $R/lv/$3");
    bench
}

fn disk_of(bench: &Bench, name: &str, mib: u64) {
    fs::create_dir_all(bench.path("/dev")).unwrap();
    File::create(bench.path(&format!("/dev/{name}"))).unwrap().set_len(mib * MIB).unwrap();
    bench.file(&format!("/sys/class/block/{name}/size"), &format!("{}\n", mib * MIB / 512));
}

fn tool(name: &str, args: &[&str]) -> String {
    let path = "/usr/sbin:/sbin:/usr/bin:/bin";
    let output = Command::new(name).args(args).env("PATH", path).output();
    let output = output.unwrap_or_else(|e| panic!("{name}: {e}; run ci/setup"));
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// Calls that change something.
fn changes(bench: &Bench) -> Vec<String> {
    let asks = ["blkid", "vgs", "lvs"];
    let calls = bench.calls().into_iter();
    calls.filter(|call| !asks.iter().any(|ask| call.starts_with(ask))).collect()
}

fn apply(bench: &Bench) {
    let dry = bench.dry();
    assert_eq!(dry.error, None);
    assert!(changes(bench).is_empty(), "a dry run changed something");
    let summary = bench.apply();
    assert_eq!(summary.error, None);
    assert_eq!(dry.text, summary.text, "the dry run did not say what would be done");
}

fn is_settled(bench: &Bench) {
    let again = bench.apply();
    assert_eq!((again.text.as_str(), again.error), ("", None));
    assert!(changes(bench).is_empty());
}

#[test]
fn b21_b22_one_disk_judged_by_sfdisk_and_blkid() {
    let bench = bench(
        "parted:
  /dev/nvme0n1:
    type: gpt
    parts:
    - {name: grub, start: 1024kiB, end: 2MiB, flags: [bios_grub]}
    - {name: root, start: 2MiB, end: 50%}
    - {name: swap, start: 50%, end: 100%, flags: [swap]}
format:
  /dev/nvme0n1p2: {fstype: ext4, options: ['-L my_root']}
  /dev/nvme0n1p3: {fstype: swap}
mount:
  /srv: {device: /dev/nvme0n1p2, fstype: ext4}
swap: [/dev/nvme0n1p3]
",
    );
    apply(&bench);
    let disk = bench.path("/dev/nvme0n1");
    let disk = disk.to_str().unwrap();
    assert!(tool("sfdisk", &["--verify", disk]).contains("No errors"));
    let table = tool("sfdisk", &["-d", disk]);
    for expected in [
        "start=        2048, size=        2048, type=21686148-6449-6E6F-744E-656564454649",
        "start=        4096, size=       61440,",
        "name=\"root\"",
        "start=       65536,",
    ] {
        assert!(table.contains(expected), "{expected} is not in {table}");
    }
    let root = bench.path("/dev/nvme0n1p2");
    let found = tool("blkid", &["-p", root.to_str().unwrap()]);
    assert!(found.contains("LABEL=\"my_root\"") && found.contains("TYPE=\"ext4\""), "{found}");
    let fstab = bench.text("/etc/fstab");
    assert!(fstab.contains(
        "/dev/nvme0n1p2 /srv ext4 defaults,nofail 0 2\n/dev/nvme0n1p3 none swap sw,nofail 0 0\n"
    ));
    changes(&bench);
    is_settled(&bench);
}

#[test]
fn an_mbr_gets_its_second_partition_later() {
    let one = "parted:\n  /dev/vdb:\n    type: mbr\n    parts:\n    - {start: 1MiB, end: 20MiB, flags: [boot]}\n";
    let bench = bench(one);
    apply(&bench);
    changes(&bench);
    is_settled(&bench);
    let two = format!("{one}    - {{start: 20MiB, end: 100%, flags: [lvm]}}\n");
    let lines: Vec<String> = two.lines().map(|line| format!("      {line}\n")).collect();
    bench.env(&format!("appliance:\n  storage:\n    setup:\n{}", lines.concat()));
    apply(&bench);
    let disk = bench.path("/dev/vdb");
    let table = tool("sfdisk", &["-d", disk.to_str().unwrap()]);
    assert!(table.contains("size=       38912, type=83, bootable"), "{table}");
    assert!(table.contains("start=       40960,") && table.contains("type=8e"), "{table}");
    changes(&bench);
    is_settled(&bench);
}

const STACK: &str = "parted:
  /dev/vdb: {type: gpt, parts: [{name: a, start: 1MiB, end: 100%, flags: [raid]}]}
  /dev/nvme0n1: {type: gpt, parts: [{name: b, start: 1MiB, end: 100%, flags: [raid]}]}
mdadm:
  /dev/md1: {level: 1, devices: [/dev/vdb1, /dev/nvme0n1p1], metadata: 1.2}
crypt:
  /dev/md1: {password: hunter2 secret, target: cryptlvm}
lvm:
  pv: [/dev/mapper/cryptlvm]
  vg:
    vg0: {devices: [/dev/mapper/cryptlvm]}
  lv:
    host_root: {vgname: vg0, size: 2g, expand: true}
format:
  /dev/vg0/host_root: {fstype: ext4}
mount:
  /srv: {device: /dev/vg0/host_root, fstype: ext4}
";

#[test]
fn b24_b25_the_whole_stack_in_order_without_the_password() {
    let bench = bench(STACK);
    apply(&bench);
    let calls = changes(&bench);
    let words: Vec<&str> = calls.iter().map(|call| call.split(' ').next().unwrap()).collect();
    let expected = [
        "sfdisk",
        "sfdisk",
        "mdadm",
        "cryptsetup",
        "cryptsetup",
        "pvcreate",
        "vgcreate",
        "lvcreate",
        "mkfs.ext4",
        "mount",
    ];
    assert_eq!(words, expected, "{calls:?}");
    assert_eq!(
        calls[2],
        "mdadm --create /dev/md1 --run --homehost=any --level=1 --raid-devices=2 --metadata=1.2 /dev/vdb1 /dev/nvme0n1p1"
    );
    assert_eq!(calls[7], "lvcreate --yes --name host_root -L 2147483648b vg0");
    // The password is on standard input and nowhere else.
    assert_eq!(bench.text("/stdin"), "hunter2 secret");
    assert!(!calls.concat().contains("hunter2"));
    is_settled(&bench);
}

#[test]
fn b24_the_container_is_opened_again_after_a_restart() {
    let bench = bench(STACK);
    apply(&bench);
    changes(&bench);
    fs::remove_file(bench.path("/dev/mapper/cryptlvm")).unwrap();
    bench.file("/proc/self/mountinfo", "");
    let dry = bench.dry();
    assert_eq!(dry.error, None);
    assert!(!format!("{dry:?}").contains("hunter2"));
    assert_eq!(bench.apply().error, None);
    let calls = changes(&bench);
    assert_eq!(calls[0], "cryptsetup open --type luks --key-file=- /dev/md1 cryptlvm");
    assert!(!calls.iter().any(|call| call.contains("luksFormat")));
}

#[test]
fn b23_a_volume_grows_and_never_shrinks() {
    let bench = bench(STACK);
    apply(&bench);
    let set = |size: &str| {
        let plan = STACK.replace("size: 2g", &format!("size: {size}"));
        let lines: Vec<String> = plan.lines().map(|line| format!("      {line}\n")).collect();
        bench.env(&format!("appliance:\n  storage:\n    setup:\n{}", lines.concat()));
        changes(&bench);
        assert_eq!(bench.apply().error, None);
        changes(&bench)
    };
    bench.tool("resize2fs", "");
    let grown = ["lvextend -L 2684354560b vg0/host_root", "resize2fs /dev/vg0/host_root"];
    assert_eq!(set("2.5g"), grown);
    assert!(set("1g").is_empty());
}

#[test]
fn nothing_that_is_on_a_device_is_overwritten_unless_the_plan_says_wipe() {
    let plan = "format:\n  /dev/vdb: {fstype: ext4WIPE}\n";
    let bench = bench(&plan.replace("WIPE", ""));
    let disk = bench.path("/dev/vdb");
    tool("mkswap", &[disk.to_str().unwrap()]);
    let before = fs::read(&disk).unwrap();
    let error = bench.refused();
    assert!(
        error.contains("/dev/vdb carries swap, and nothing that is on a disk is overwritten"),
        "{error}"
    );
    assert!(fs::read(&disk).unwrap() == before);
    for section in [
        "parted:\n        /dev/vdb: {type: gpt, parts: []}",
        "crypt:\n        /dev/vdb: {target: x, password: hunter2}",
        "lvm:\n        pv: [/dev/vdb]",
        "mdadm:\n        md0: {level: 1, devices: [/dev/vdb]}",
    ] {
        bench.env(&format!("appliance:\n  storage:\n    setup:\n      {section}\n"));
        let error = bench.refused();
        assert!(error.contains("/dev/vdb carries swap") && !error.contains("hunter2"), "{error}");
        assert!(fs::read(&disk).unwrap() == before);
    }
    bench.env("appliance: {storage: {setup: {format: {/dev/vdb: {fstype: ext4, wipe: true}}}}}\n");
    changes(&bench);
    apply(&bench);
    assert_eq!(changes(&bench), ["wipefs --all /dev/vdb", "mkfs.ext4 /dev/vdb"]);
    is_settled(&bench);
}

#[test]
fn b20_b25_shapes_that_did_nothing_are_errors() {
    let bench = bench("");
    for (plan, why) in [
        ("|\n      parted: x", "appliance.storage.setup: expected a mapping"),
        ("{mdadm: [/dev/md0]}", "mdadm: expected a mapping"),
        ("{fromat: {}}", "did you mean `format`?"),
        ("{format: {/dev/vdb: {fstype: ext4, opts: [-L x]}}}", "unknown key `opts`"),
        ("{format: {/dev/none: {fstype: ext4}}}", "there is no device /dev/none"),
        ("{format: {/etc/passwd: {fstype: ext4}}}", "no path below /dev"),
        (
            "{parted: {/dev/vdb: {type: gpt, parts: [{start: 1MiB, end: 90MiB}]}}}",
            "ends behind the disk",
        ),
        ("{parted: {/dev/vdb: {parts: []}}}", "has no partition table; say which `type`"),
        ("{mount: {/x: {device: /dev/vdb, fstype: ext4}}}", "/dev/vdb holds nothing, not ext4"),
    ] {
        bench.env(&format!("appliance:\n  storage:\n    setup: {plan}\n"));
        let error = bench.refused();
        assert!(error.contains(why), "{plan}: {error}");
    }
}
