//! Tests that run QEMU, and programs that only claim to be it.

#[cfg(test)]
mod boot;
#[cfg(test)]
mod orphan;
#[cfg(test)]
mod probe;
#[cfg(test)]
mod support;
