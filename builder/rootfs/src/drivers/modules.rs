//! Kernel modules by their names: the lists that depmod and the kernel's build make.

use std::collections::{BTreeMap, BTreeSet};

/// The name of the module in a file, such as `xen_blkfront` for
/// `kernel/drivers/block/xen-blkfront.ko.zst`; nothing for other files. Dashes and
/// underscores are the same to the kernel.
pub(super) fn name(path: &str) -> Option<String> {
    let file = path.rsplit('/').next()?;
    let plain = [".ko", ".ko.xz", ".ko.zst", ".ko.gz"];
    let stem = plain.iter().find_map(|ending| file.strip_suffix(ending))?;
    Some(stem.replace('-', "_"))
}

/// The modules that are part of the kernel itself, from `modules.builtin`.
pub(super) fn builtin(text: &str) -> BTreeSet<String> {
    text.lines().filter_map(|line| name(line.trim())).collect()
}

/// The modules that are installed, with those that each needs, from `modules.dep`: lines of
/// `PATH: PATH…`, all dependencies of dependencies included.
pub(super) fn dependencies(text: &str) -> BTreeMap<String, Vec<String>> {
    text.lines()
        .filter_map(|line| {
            let (module, needs) = line.split_once(':')?;
            Some((name(module)?, needs.split_whitespace().filter_map(name).collect()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_paths() {
        let name_of = |path| name(path).unwrap_or_default();
        assert_eq!(name_of("kernel/drivers/block/xen-blkfront.ko"), "xen_blkfront");
        assert_eq!(name_of("usr/lib/modules/6.1/kernel/drivers/scsi/sd_mod.ko.xz"), "sd_mod");
        assert_eq!(name_of("virtio_net.ko.zst"), "virtio_net");
        assert_eq!(name("modules.dep"), None);
        assert_eq!(name(""), None);
    }

    #[test]
    fn lists_are_read_line_by_line() {
        let text = "kernel/a/sd_mod.ko.zst: kernel/b/scsi_mod.ko.zst kernel/b/t10-pi.ko.zst\n\
                    kernel/c/crc8.ko:\nbroken\n: \n";
        let found = dependencies(text);
        assert_eq!(found["sd_mod"], ["scsi_mod", "t10_pi"]);
        assert_eq!((found["crc8"].len(), found.len()), (0, 2));
        assert!(builtin("kernel/x/virtio.ko\n\nnothing\n").contains("virtio"));
    }
}
