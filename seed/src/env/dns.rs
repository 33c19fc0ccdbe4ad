//! The DNS records that an env needs, by the policy of its profile.
//!
//! A mail server is believed if its records agree: the address, the way back from the address,
//! who may send (SPF), what to do with the rest (DMARC) and the key of its signatures (DKIM).
//! The records follow from the env's domain and DKIM key, the machine's addresses and a policy.

mod policy;
mod print;
pub mod verify;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rsa::RsaPrivateKey;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::{DecodePrivateKey, EncodePublicKey};

use super::format::is_domain;
use super::{Env, KeyPath};

pub use policy::{Dkim, Policy, Ttl};

/// Why there are no records.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// The env lacks what the records are made of.
    #[error(
        "{file} has no text at {key}, which the records are made of; fill it in, or give another --policy"
    )]
    Missing {
        /// The env.
        file: String,
        /// The key.
        key: KeyPath,
    },
    /// A name that cannot stand in DNS.
    #[error("`{0}` is no domain name with a zone above it; write it like site.example.org")]
    Domain(String),
    /// A domain outside of the zone.
    #[error("{domain} does not lie in the zone {zone}")]
    Outside {
        /// The domain.
        domain: String,
        /// The zone.
        zone: String,
    },
    /// The key of the signatures is none.
    #[error("{at}: no private RSA key in PEM form without a passphrase")]
    DkimKey {
        /// Where it stands.
        at: String,
    },
    /// An address that no machine can be reached at.
    #[error("{0} is no address of a machine; give the one that the site is reached at")]
    Address(IpAddr),
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The full name, without a dot at its end.
    pub name: String,
    /// Seconds to live, if the policy says.
    pub ttl: Option<u32>,
    /// What it says.
    pub data: Data,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// A mail server; its name has no dot at its end.
    Mx(u16, String),
    /// Text of any length.
    Txt(String),
    /// A name, without a dot at its end.
    Ptr(String),
}

/// The records of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    /// The zone that the records are for.
    pub zone: String,
    /// The site's domain: the zone, or below it.
    pub domain: String,
    /// Those of the zone.
    pub forward: Vec<Record>,
    /// From addresses to the name; these go into other zones.
    pub reverse: Vec<Record>,
}

impl Records {
    /// The records of an env for a machine with these addresses. Without a `zone` the domain
    /// is taken for one.
    ///
    /// # Errors
    /// What the env lacks, and names and addresses that are none.
    pub fn of(
        env: &Env,
        policy: &Policy,
        addresses: &[IpAddr],
        zone: Option<&str>,
    ) -> Result<Self, DnsError> {
        let domain = name(env, &policy.domain)?;
        let host = policy.host.as_ref().map_or_else(|| Ok(domain.clone()), |key| name(env, key))?;
        let zone = zone.map_or_else(|| Ok(domain.clone()), checked)?;
        let inside = |name: &str| name == zone || name.ends_with(&format!(".{zone}"));
        if let Some(domain) = [&domain, &host].into_iter().find(|name| !inside(name)) {
            return Err(DnsError::Outside { domain: domain.clone(), zone });
        }
        let mut forward = Vec::new();
        let mut reverse = Vec::new();
        for &address in addresses {
            let ttl = policy.ttl.address;
            forward.push(Record { name: host.clone(), ttl, data: address_data(address)? });
            let data = Data::Ptr(host.clone());
            reverse.push(Record { name: reverse_name(address), ttl, data });
        }
        if let Some(preference) = policy.mx {
            let data = Data::Mx(preference, host);
            forward.push(Record { name: domain.clone(), ttl: policy.ttl.mx, data });
        }
        let mut text = |name: String, text: String| {
            forward.push(Record { name, ttl: policy.ttl.text, data: Data::Txt(text) });
        };
        if let Some(spf) = &policy.spf {
            text(domain.clone(), spf.clone());
        }
        if let Some(dmarc) = &policy.dmarc {
            text(format!("_dmarc.{domain}"), dmarc.clone());
        }
        if let Some(dkim) = &policy.dkim {
            text(format!("{}._domainkey.{domain}", dkim.selector), dkim_text(env, dkim)?);
        }
        Ok(Self { zone, domain, forward, reverse })
    }
}

/// The domain name at a key.
fn name(env: &Env, key: &KeyPath) -> Result<String, DnsError> {
    checked(value(env, key)?)
}

fn value<'a>(env: &'a Env, key: &KeyPath) -> Result<&'a str, DnsError> {
    let text = env.get(key).and_then(|node| node.text()).filter(|text| !text.trim().is_empty());
    text.ok_or_else(|| DnsError::Missing { file: env.file.clone(), key: key.clone() })
}

fn checked(name: &str) -> Result<String, DnsError> {
    let bare = name.trim().trim_end_matches('.').to_ascii_lowercase();
    if is_domain(&bare) && bare.contains('.') {
        return Ok(bare);
    }
    Err(DnsError::Domain(name.to_owned()))
}

fn address_data(address: IpAddr) -> Result<Data, DnsError> {
    if address.is_unspecified() || address.is_loopback() || address.is_multicast() {
        return Err(DnsError::Address(address));
    }
    Ok(match address {
        IpAddr::V4(address) => Data::A(address),
        IpAddr::V6(address) => Data::Aaaa(address),
    })
}

/// The name under which an address is looked up (RFC 1035 3.5, RFC 3596 2.5).
fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let digits = address.octets().into_iter().rev();
            let nibbles = digits.map(|byte| format!("{:x}.{:x}.", byte & 15, byte >> 4));
            nibbles.collect::<String>() + "ip6.arpa"
        }
    }
}

/// The text of a DKIM record (RFC 6376 3.6.1).
fn dkim_text(env: &Env, dkim: &Dkim) -> Result<String, DnsError> {
    let pem = value(env, &dkim.key)?;
    let at = || {
        let place = env.get(&dkim.key).map(|node| node.at.to_string());
        DnsError::DkimKey { at: place.unwrap_or_else(|| env.file.clone()) }
    };
    let key = RsaPrivateKey::from_pkcs8_pem(pem.trim())
        .or_else(|_| RsaPrivateKey::from_pkcs1_pem(pem.trim()))
        .map_err(|_| at())?;
    let public = key.to_public_key().to_public_key_der().map_err(|_| at())?;
    let service = if dkim.email_only { "s=email; " } else { "" };
    Ok(format!("v=DKIM1; k=rsa; {service}p={}", STANDARD.encode(public.as_bytes())))
}
