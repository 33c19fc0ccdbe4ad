//! A seed out of a medium that is there, with new user-data.

use super::{CreateError, NetworkFile, PublicKey, Seed};
use crate::inspect::Medium;
use crate::medium::Kind;
use crate::yaml::tree::{Node, Value};

impl Seed {
    /// A seed of `user_data`, which errors call `file`, and of everything else that is on
    /// `medium`, a seed of the given kind. Its instance-id derives anew.
    ///
    /// # Errors
    /// As [`Seed::new`]; meta-data that is no mapping.
    pub fn renewed(
        file: &str,
        user_data: Vec<u8>,
        medium: &Medium,
        kind: Kind,
    ) -> Result<Self, CreateError> {
        let mut seed = Self::new(file, user_data)?;
        let meta_data_file = medium.file(kind.meta_data());
        if let Some(meta_data) = meta_data_file {
            let text = String::from_utf8_lossy(&meta_data.content);
            seed = seed.with_old_meta_data(&meta_data.path, &text)?;
        }
        let known = [kind.user_data(), kind.meta_data()];
        let mut done: Vec<&str> =
            known.iter().filter_map(|path| medium.file(path)).map(|file| &*file.path).collect();
        for path in kind.optional() {
            let Some(file) = medium.file(path) else {
                continue;
            };
            let Ok(text) = String::from_utf8(file.content.clone()) else {
                continue;
            };
            match *path {
                "network-config" | "openstack/latest/network_data.json" => {
                    seed.network = Some(NetworkFile { path, content: text.clone(), text });
                }
                "vendor-data" => seed.vendor_data = Some(text),
                "openstack/latest/vendor_data.json" => match wrapped(&text) {
                    Some(vendor) => seed.vendor_data = Some(vendor),
                    None => continue,
                },
                _ => continue,
            }
            done.push(&file.path);
        }
        for file in medium.files.iter().filter(|file| !done.contains(&&*file.path)) {
            seed = seed.with_file(file.path.clone(), file.content.clone());
        }
        Ok(seed)
    }

    /// Takes everything but the instance-id out of meta-data.
    fn with_old_meta_data(mut self, file: &str, text: &str) -> Result<Self, CreateError> {
        let mut node = Node::parse(file, text).map_err(CreateError::yaml)?;
        if node.value == Value::Null {
            return Ok(self);
        }
        for name in ["instance-id", "uuid"] {
            node.take(name);
        }
        for name in ["local-hostname", "hostname"] {
            if let Some(value) = node.take(name) {
                self = self.with_hostname(&value.decode::<String>()?)?;
            }
        }
        for name in ["public-keys", "public_keys"] {
            let keys = node.get(name).and_then(public_keys);
            if let Some(keys) = keys {
                node.take(name);
                self = self.with_public_keys(keys);
            }
        }
        match &node.value {
            Value::Map(entries) if entries.is_empty() => {}
            Value::Map(_) => self.meta_data = Some(node),
            other => {
                let problem = format!("{}, expected a mapping", other.describe());
                return Err(crate::yaml::decode::DecodeError::new(&node.at, problem).into());
            }
        }
        Ok(self)
    }
}

/// Keys in either kind's form, if all of them are ones that we would write.
fn public_keys(node: &Node) -> Option<Vec<PublicKey>> {
    let items: Vec<&Node> = match &node.value {
        Value::List(items) => items.iter().collect(),
        Value::Map(entries) => entries.iter().map(|(_, node)| node).collect(),
        _ => return None,
    };
    let lines: Option<Vec<String>> = items.into_iter().map(|node| node.decode().ok()).collect();
    PublicKey::parse_file("public keys", &lines?.join("\n")).ok()
}

/// The vendor-data that cloud-init finds in OpenStack's file, if nothing else is in it.
fn wrapped(text: &str) -> Option<String> {
    let json: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).ok()?;
    match (json.len(), json.get("cloud-init")?.as_str()) {
        (1, Some(vendor)) => Some(vendor.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::create::{Network, StaticAddress};
    use crate::medium::write::{iso, vfat};

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ops";

    fn seed(env: &str, kind: Kind) -> Seed {
        let address = StaticAddress::parse("52:54:00:12:34:56,192.0.2.10/24").unwrap();
        Seed::new("env.yml", env.as_bytes().to_vec())
            .unwrap()
            .with_public_keys(PublicKey::parse_file("k", KEY).unwrap())
            .with_meta_data("m.yml", "dsmode: \"local\"\nlocal-hostname: site-1\n")
            .unwrap()
            .with_network(&Network::of_static(&[address]).unwrap(), kind)
            .unwrap()
            .with_vendor_data("v", b"#cloud-config\nb: 1\n".to_vec())
            .unwrap()
            .with_file("env.yml.pdf", vec![1, 2, 3])
    }

    /// A medium that was renewed is the one that would have been made anew.
    #[test]
    fn renewed_is_made_anew() {
        let (old, new) = ("#cloud-config\na: 1\n", "#cloud-config\na: 2\n");
        for kind in Kind::ALL {
            for write in [iso, vfat] {
                let image = write(&seed(old, kind).files(kind), 0).unwrap();
                let medium = Medium::read(Cursor::new(&image)).unwrap().unwrap();
                let renewed = |env: &str| {
                    Seed::renewed("env.yml", env.as_bytes().to_vec(), &medium, kind).unwrap()
                };
                assert_ne!(renewed(new).instance_id(), renewed(old).instance_id());
                if kind == Kind::Cidata {
                    assert_eq!(write(&renewed(old).files(kind), 0).unwrap(), image);
                    let anew = write(&seed(new, kind).files(kind), 0).unwrap();
                    assert_eq!(write(&renewed(new).files(kind), 0).unwrap(), anew);
                }
                let paths = |seed: &Seed| -> Vec<String> {
                    seed.files(kind).files.iter().map(|file| file.path.to_string()).collect()
                };
                let (mut a, mut b) = (paths(&renewed(new)), paths(&seed(new, kind)));
                a.sort();
                b.sort();
                assert_eq!(a, b);
            }
        }
    }
}
