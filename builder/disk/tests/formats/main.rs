//! Every format, read and written, judged by qemu-img and by dissect.hypervisor.

mod check;
#[path = "../common/feed.rs"]
mod feed;
mod judges;
mod qcow2;
mod random;
mod stream;
#[path = "../common/tools.rs"]
mod tools;
mod truncation;
mod vhd;
mod vhdx;
mod vhdx_log;
mod vmdk;
mod writers;
