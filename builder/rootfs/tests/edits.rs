//! tmp
#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]
mod common;
use common::*;
use std::sync::Arc;
#[test]
fn old() {
    let dir = tempfile::tempdir().unwrap();
    let disk =
        layer(std::path::Path::new("/root/.cache/bootwright-ci/base/xboot-f7a4ae9cf96ff8aa.qcow2"));
    let vs = bootwright_rootfs::volumes(&disk).unwrap();
    let p = vs[bootwright_rootfs::find_root(&vs).unwrap()].partition.clone().unwrap();
    let w = bootwright_disk::view::Window::new(Arc::clone(&disk), p.start, p.len).unwrap();
    let f = dir.path().join("x.img");
    save(&w, &f);
    fsck(&f);
    let m = Mounted::new(&f, &dir.path().join("mnt"));
    let l = look::kernel(&m.at);
    look::agrees_with_ext4_view(&f, &l);
}
