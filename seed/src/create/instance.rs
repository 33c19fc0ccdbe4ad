//! Derives the instance-id of a seed from everything in it.
//!
//! A UUIDv5 (RFC 9562 5.5) in a namespace of this project over a SHA-256 digest of the inputs,
//! each preceded by its name and both by their lengths, so that no two different seeds feed the
//! digest the same bytes.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Seed;
use crate::yaml::emit::document;

/// Namespace of the derived ids. Changing it, or what is digested, makes every machine take its
/// unchanged seed for a new one.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f1c_86a2_41b7_4d0e_9a53_2f6d_0c3e_b781);

pub(super) fn derive(seed: &Seed) -> String {
    let mut digest = Sha256::new();
    feed(&mut digest, "user-data", &seed.user_data);
    if let Some(name) = &seed.hostname {
        feed(&mut digest, "hostname", name.as_bytes());
    }
    for key in &seed.public_keys {
        feed(&mut digest, "public-key", key.line().as_bytes());
    }
    if let Some(more) = &seed.meta_data {
        feed(&mut digest, "meta-data", document(more).as_bytes());
    }
    if let Some(vendor) = &seed.vendor_data {
        feed(&mut digest, "vendor-data", vendor.as_bytes());
    }
    if let Some(network) = &seed.network {
        feed(&mut digest, "network-config", network.text.as_bytes());
    }
    Uuid::new_v5(&NAMESPACE, &digest.finalize()).hyphenated().to_string()
}

fn feed(digest: &mut Sha256, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), value] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
}
