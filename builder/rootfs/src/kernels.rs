//! The kernels of an image: their versions, and the files that a boot loader loads.

use crate::Result;
use crate::tree::Tree;

/// Where modules are, one folder for each kernel.
pub(crate) const MODULES: &str = "/lib/modules";

/// A kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// Its version, as `uname -r` gives it; the name of its folder of modules.
    pub version: String,
    /// The kernel itself, if there is one.
    pub image: Option<String>,
    /// Its initramfs, if there is one.
    pub initramfs: Option<String>,
}

/// The kernels that have modules in the image, oldest first: a boot loader starts the last
/// one of those that have an image.
///
/// # Errors
/// What reading the image says.
pub fn kernels(tree: &mut Tree) -> Result<Vec<Kernel>> {
    let mut versions: Vec<String> = tree
        .list(MODULES.as_bytes())?
        .into_iter()
        .filter_map(|name| String::from_utf8(name).ok())
        .filter(|name| name.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    versions.sort_by(|a, b| key(a).cmp(&key(b)));
    let mut kernels = Vec::with_capacity(versions.len());
    for version in versions {
        // Alpine and Arch name the files by the flavour.
        let flavour = version.rsplit('-').next().unwrap_or_default();
        let image = [
            format!("/boot/vmlinuz-{version}"),
            format!("{MODULES}/{version}/vmlinuz"),
            format!("/boot/vmlinuz-{flavour}"),
        ];
        let initramfs = [
            format!("/boot/initrd.img-{version}"),
            format!("/boot/initramfs-{version}.img"),
            format!("/boot/initrd-{version}"),
            format!("{MODULES}/{version}/initrd"),
            format!("/boot/initramfs-{flavour}"),
        ];
        let image = first(tree, image)?;
        let initramfs = first(tree, initramfs)?;
        kernels.push(Kernel { version, image, initramfs });
    }
    Ok(kernels)
}

/// The first of some paths that is there.
fn first<const N: usize>(tree: &mut Tree, paths: [String; N]) -> Result<Option<String>> {
    for path in paths {
        if tree.exists(path.as_bytes())? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// A version with its numbers as numbers, for comparing.
fn key(version: &str) -> Vec<(u64, &str)> {
    let mut parts = Vec::new();
    let mut rest = version;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let other = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (text, after) = after.split_at(other);
        parts.push((number.parse().unwrap_or(u64::MAX), text));
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        let mut versions = ["6.10.0-2-amd64", "6.2.0-10-amd64", "6.2.0-9-amd64", "5.15.0-1-kvm"];
        versions.sort_by(|a, b| key(a).cmp(&key(b)));
        assert_eq!(versions, ["5.15.0-1-kvm", "6.2.0-9-amd64", "6.2.0-10-amd64", "6.10.0-2-amd64"]);
    }
}
