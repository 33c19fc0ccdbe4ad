//! User-data that nobody needs to write by hand: first access by key, Vagrant's test machines,
//! and growing the root file system.

use sha_crypt::{PasswordHasher, ShaCrypt};
use sha2::{Digest, Sha256};

use super::files::{key, node, text};
use super::{CreateError, PublicKey};
use crate::userdata::HEADER;
use crate::yaml::emit;
use crate::yaml::tree::{Node, Value};

/// The name of Vagrant's user, and its password.
const VAGRANT: &str = "vagrant";

/// The keys that every Vagrant knows the secret half of.
const VAGRANT_KEYS: &str = "\
ssh-rsa AAAAB3NzaC1yc2EAAAABIwAAAQEA6NF8iallvQVp22WDkTkyrtvp9eWW6A8YVr+kz4TjGYe7gHzIw+niNltGEFHzD8+v1I2YJ6oXevct1YeS0o9HZyN1Q9qgCgzUFtdOKLv6IedplqoPkcmF0aYet2PkEDo3MlTBckFXPITAMzF8dJSIFo9D8HfdOV0IAdx4O7PtixWKn5y2hMNG0zQPyUecp4pzC6kivAIhyfHilFR61RGL+GPXQ2MWZWFYbAGjyiYJnAmCP3NOTd0jMZEnDkbUvxhMmBYSdETk1rRgm+R4LOzFUGaHqHDLKLX+FIPKcF96hrucXzcWyLbIbEgE98OHlnVYCzRdK8jlqm8tehUc9c9WhQ== vagrant insecure public key
ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN1YdxBpNlzxDqfJyw/QKow1F+wvG9hXGoqiysfJOn5Y vagrant insecure public key
";

fn plain(word: &str) -> Node {
    node(Value::Scalar { text: word.to_owned(), plain: true })
}

fn map(entries: Vec<(&str, Node)>) -> Node {
    node(Value::Map(entries.into_iter().map(|(name, value)| (key(name), value)).collect()))
}

fn lines(keys: &[PublicKey]) -> Node {
    node(Value::List(keys.iter().map(|key| text(key.line())).collect()))
}

fn remarked(remark: &str, tree: &Node) -> String {
    format!("{HEADER}\n# {remark}\n{}", emit::document(tree))
}

/// First access with these keys, for the default user and root.
#[must_use]
pub fn access(keys: &[PublicKey]) -> String {
    let tree = map(vec![("ssh_authorized_keys", lines(keys)), ("disable_root", plain("false"))]);
    remarked("First access by key.", &tree)
}

/// A user `vagrant` who may do everything, with the key, and if `password` also the password,
/// that everybody knows. For tests. `salt` makes the hash of the password differ from that of
/// other media; the same salt gives the same bytes.
///
/// # Errors
/// None for any salt.
pub fn vagrant(password: bool, salt: &[u8]) -> Result<String, CreateError> {
    let fail = |what| CreateError::File { file: VAGRANT.to_owned(), what };
    let keys = PublicKey::parse_file(VAGRANT, VAGRANT_KEYS).map_err(|_| fail("a damaged key"))?;
    let mut user = vec![
        ("name", text(VAGRANT)),
        ("sudo", text("ALL=(ALL) NOPASSWD:ALL")),
        ("shell", text("/bin/bash")),
        ("ssh_authorized_keys", lines(&keys)),
    ];
    if password {
        // 12 bytes make the 16 characters that crypt(3) has room for.
        let digest = Sha256::digest(salt);
        let hash = ShaCrypt::SHA512
            .hash_password_with_salt(VAGRANT.as_bytes(), &digest[..12])
            .map_err(|_| fail("the password cannot be hashed"))?;
        user.push(("lock_passwd", plain("false")));
        user.push(("passwd", text(hash.as_str())));
    }
    // With `default`, so that the image's own user is made too.
    let users = node(Value::List(vec![plain("default"), map(user)]));
    let mut entries = vec![("users", users)];
    if password {
        entries.push(("chpasswd", map(vec![("expire", plain("false"))])));
        entries.push(("ssh_pwauth", plain("true")));
    }
    let remark = "INSECURE: the key and the password of this user are public knowledge. For tests.";
    Ok(remarked(remark, &map(entries)))
}

/// Grows the root partition and its file system at the first boot, with what the image has:
/// upstream installed a package, which needs the network just then (domain.md B27).
#[must_use]
pub fn grow_root() -> Node {
    let devices = node(Value::List(vec![text("/")]));
    let growpart = map(vec![("mode", plain("auto")), ("devices", devices)]);
    map(vec![("growpart", growpart), ("resize_rootfs", plain("true"))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::userdata::check;

    #[test]
    fn presets_are_usable_user_data() {
        let keys = PublicKey::parse_file("v", VAGRANT_KEYS).unwrap();
        for text in [access(&keys), vagrant(false, b"").unwrap(), vagrant(true, b"").unwrap()] {
            check("preset", text.as_bytes()).unwrap();
        }
        assert!(access(&keys).contains("disable_root: false\n"));
    }

    /// Upstream: no `default` user, `lock-passwd`, one salt and hash for all (domain.md B03).
    #[test]
    fn b03_modern_keys_and_a_hash_for_each_medium() {
        let one = vagrant(true, b"one").unwrap();
        assert!(one.contains("users:\n  - default\n  - name: vagrant\n"), "{one}");
        assert!(one.contains("    lock_passwd: false\n    passwd: \"$6$"), "{one}");
        assert_eq!(one, vagrant(true, b"one").unwrap());
        assert_ne!(one, vagrant(true, b"two").unwrap());
        assert!(!vagrant(false, b"").unwrap().contains("passwd"));
    }
}
