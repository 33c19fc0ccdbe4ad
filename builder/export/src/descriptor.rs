//! Small files beside a disk with which a hypervisor takes it as it is.
//!
//! They hold no ids and no MAC addresses: an image is installed many times, and each
//! machine has its own.

pub mod hyperv;
pub mod libvirt;
pub mod qemu;
pub mod vmx;
pub mod xl;
