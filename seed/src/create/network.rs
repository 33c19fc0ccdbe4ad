//! Static addresses and other network configuration of a seed.
//!
//! A cidata medium carries netplan's version 2 as it is; a config-2 medium has OpenStack's
//! `network_data.json`, which says less. Interfaces are found by their MAC address: their names
//! change with the hypervisor's slots (domain.md B06).

use std::net::IpAddr;

use serde::Deserialize;
use serde_json::json;

use super::CreateError;
use crate::yaml::decode::{DecodeError, Located};
use crate::yaml::emit::quoted;
use crate::yaml::tree::{Node, Place};

/// A network configuration, checked.
#[derive(Debug, Clone)]
pub struct Network {
    text: String,
    root: Node,
}

/// An address that an interface has for good, as the command line gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticAddress {
    mac: String,
    addresses: Vec<Cidr>,
    gateways: Vec<IpAddr>,
    dns: Vec<IpAddr>,
    search: Vec<String>,
}

/// An address with the length of its network's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cidr {
    address: IpAddr,
    prefix: u8,
}

impl Cidr {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let prefix = prefix.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        (prefix <= longest).then_some(Self { address, prefix })
    }

    /// The network mask, as OpenStack writes it.
    fn mask(self) -> IpAddr {
        let ones = u32::from(self.prefix);
        match self.address {
            IpAddr::V4(_) => IpAddr::V4(u32::MAX.checked_shl(32 - ones).unwrap_or(0).into()),
            IpAddr::V6(_) => IpAddr::V6(u128::MAX.checked_shl(128 - ones).unwrap_or(0).into()),
        }
    }
}

/// `text` as a MAC address in lower case.
fn mac(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split(':').collect();
    let is_hex = |part: &&str| part.len() == 2 && part.chars().all(|c| c.is_ascii_hexdigit());
    (parts.len() == 6 && parts.iter().all(is_hex)).then(|| text.to_ascii_lowercase())
}

impl StaticAddress {
    /// Parses `MAC,ADDRESS/LEN[,gateway=IP][,dns=IP][,search=DOMAIN]…`; each part after the
    /// MAC may be repeated.
    ///
    /// # Errors
    /// [`CreateError::Static`] with the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, CreateError> {
        let fail = |part: &str, expected| CreateError::Static { part: part.to_owned(), expected };
        let ip = |part: &str, text: &str| text.parse().map_err(|_| fail(part, "an IP address"));
        let mut parts = text.split(',').map(str::trim);
        let first = parts.next().unwrap_or_default();
        let mac =
            mac(first).ok_or_else(|| fail(first, "a MAC address such as 52:54:00:12:34:56"))?;
        let mut new =
            Self { mac, addresses: vec![], gateways: vec![], dns: vec![], search: vec![] };
        for part in parts {
            match part.split_once('=') {
                Some(("gateway", value)) => new.gateways.push(ip(part, value)?),
                Some(("dns", value)) => new.dns.push(ip(part, value)?),
                Some(("search", value)) if super::is_hostname(value) => {
                    new.search.push(value.to_owned());
                }
                Some(_) => return Err(fail(part, "gateway=IP, dns=IP or search=DOMAIN")),
                None => {
                    let cidr = Cidr::parse(part);
                    new.addresses
                        .push(cidr.ok_or_else(|| fail(part, "an address such as 192.0.2.10/24"))?);
                }
            }
        }
        match new.addresses.is_empty() {
            true => Err(fail(text, "at least one address such as 192.0.2.10/24")),
            false => Ok(new),
        }
    }

    fn yaml(&self, name: &str) -> String {
        let list = |items: Vec<String>| {
            let quote = |item: &String| quoted(item);
            format!("[{}]", items.iter().map(quote).collect::<Vec<_>>().join(", "))
        };
        let addresses = self.addresses.iter().map(|c| format!("{}/{}", c.address, c.prefix));
        let mut text = format!("  {name}:\n    match:\n      macaddress: \"{}\"\n", self.mac);
        text += &format!("    addresses: {}\n", list(addresses.collect()));
        if !self.gateways.is_empty() {
            text += "    routes:\n";
        }
        for gateway in &self.gateways {
            // The long form: not every renderer of cloud-init knows `default`.
            let to = if gateway.is_ipv4() { "0.0.0.0/0" } else { "::/0" };
            text += &format!("      - to: \"{to}\"\n        via: \"{gateway}\"\n");
        }
        if !self.dns.is_empty() || !self.search.is_empty() {
            let dns = list(self.dns.iter().map(ToString::to_string).collect());
            text += &format!("    nameservers:\n      addresses: {dns}\n");
            if !self.search.is_empty() {
                text += &format!("      search: {}\n", list(self.search.clone()));
            }
        }
        text
    }
}

impl Network {
    /// The configuration in `text`, which errors call `file`: version 2, or 1 for cidata.
    ///
    /// # Errors
    /// What is no network configuration, with its place.
    pub fn parse(file: &str, text: &str) -> Result<Self, CreateError> {
        #[derive(Deserialize)]
        struct Head {
            version: Located<u8>,
        }
        let mut root = Node::parse(file, text).map_err(CreateError::yaml)?;
        if let Some(inner) = root.take("network") {
            root = inner;
        }
        let Head { version } = root.decode()?;
        if !matches!(version.value, 1 | 2) {
            let problem = format!("version {}, expected 2", version.value);
            return Err(DecodeError::new(&version.at, problem).into());
        }
        Ok(Self { text: text.to_owned(), root })
    }

    /// The configuration of interfaces with static addresses.
    ///
    /// # Errors
    /// None that [`StaticAddress::parse`] has not found already.
    pub fn of_static(addresses: &[StaticAddress]) -> Result<Self, CreateError> {
        let mut text = "version: 2\nethernets:\n".to_owned();
        for (index, address) in addresses.iter().enumerate() {
            text += &address.yaml(&format!("nic{index}"));
        }
        Self::parse("--static", &text)
    }

    /// The text, as a cidata medium has it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// OpenStack's `network_data.json`, as a config-2 medium has it.
    ///
    /// # Errors
    /// What that format cannot say, with its place.
    pub fn openstack(&self) -> Result<String, CreateError> {
        let config: V2 = self.root.decode()?;
        if config.version.value != 2 {
            let problem = "a config-2 medium takes version 2; use --kind cidata for version 1";
            return Err(DecodeError::new(&config.version.at, problem).into());
        }
        let (mut links, mut networks, mut services) = (vec![], vec![], vec![]);
        for (name, ethernet) in &config.ethernets.0 {
            let place = &ethernet.at;
            let address = mac(&ethernet.value.matched.macaddress)
                .ok_or_else(|| DecodeError::new(place, "`macaddress` is no MAC address"))?;
            let mut link = json!({"id": name, "type": "phy", "ethernet_mac_address": address});
            if let Some(mtu) = ethernet.value.mtu {
                link["mtu"] = mtu.into();
            }
            links.push(link);
            networks.extend(ethernet.value.networks(name, place)?);
            for server in &ethernet.value.nameservers.addresses {
                services.push(json!({"type": "dns", "address": server}));
            }
        }
        let data = json!({"links": links, "networks": networks, "services": services});
        Ok(format!("{data}\n"))
    }
}

/// What of version 2 OpenStack's format can say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct V2 {
    version: Located<u8>,
    ethernets: Ethernets,
}

/// The interfaces in the order they are written.
struct Ethernets(Vec<(String, Located<Ethernet>)>);

impl<'de> Deserialize<'de> for Ethernets {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Names sort, so that the order does not depend on the writing either.
        let map: std::collections::BTreeMap<String, Located<Ethernet>> =
            Deserialize::deserialize(deserializer)?;
        Ok(Self(map.into_iter().collect()))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ethernet {
    #[serde(rename = "match")]
    matched: Match,
    #[serde(default)]
    dhcp4: bool,
    #[serde(default)]
    dhcp6: bool,
    #[serde(default)]
    addresses: Vec<Located<String>>,
    gateway4: Option<Located<String>>,
    gateway6: Option<Located<String>>,
    #[serde(default)]
    routes: Vec<Route>,
    #[serde(default)]
    nameservers: Nameservers,
    mtu: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Match {
    macaddress: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Route {
    to: Located<String>,
    via: Located<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Nameservers {
    #[serde(default)]
    addresses: Vec<IpAddr>,
    #[serde(default)]
    search: Vec<Located<String>>,
}

impl Ethernet {
    fn networks(&self, link: &str, place: &Place) -> Result<Vec<serde_json::Value>, DecodeError> {
        if let Some(search) = self.nameservers.search.first() {
            let problem = "network_data.json has no place for search domains; leave them out, or use --kind cidata";
            return Err(DecodeError::new(&search.at, problem));
        }
        let routes = self.all_routes()?;
        let mut networks = Vec::new();
        for (is_on, kind) in [(self.dhcp4, "ipv4_dhcp"), (self.dhcp6, "ipv6_dhcp")] {
            if is_on {
                networks.push(json!({"id": format!("{link}-{kind}"), "link": link, "type": kind}));
            }
        }
        for (index, text) in self.addresses.iter().enumerate() {
            let expected = "expected an address such as 192.0.2.10/24";
            let cidr = Cidr::parse(&text.value).ok_or_else(|| {
                DecodeError::new(&text.at, format!("`{}`, {expected}", text.value))
            })?;
            let is_v4 = cidr.address.is_ipv4();
            // Routes go with the first address of their family.
            let first = self.addresses.iter().take(index).filter_map(|a| Cidr::parse(&a.value));
            let own: Vec<_> = match first.map(|c| c.address.is_ipv4()).any(|v4| v4 == is_v4) {
                true => Vec::new(),
                false => routes.iter().filter(|(net, _)| net.address.is_ipv4() == is_v4).collect(),
            };
            let routes: Vec<_> = own
                .iter()
                .map(|(net, via)| {
                    json!({"network": net.address, "netmask": net.mask(), "gateway": via})
                })
                .collect();
            networks.push(json!({
                "id": format!("{link}-{index}"),
                "link": link,
                "type": if is_v4 { "ipv4" } else { "ipv6" },
                "ip_address": cidr.address,
                "netmask": cidr.mask(),
                "routes": routes,
            }));
        }
        if networks.is_empty() {
            return Err(DecodeError::new(place, "an interface with neither dhcp nor addresses"));
        }
        Ok(networks)
    }

    /// Gateways and routes alike, as target and next hop.
    fn all_routes(&self) -> Result<Vec<(Cidr, IpAddr)>, DecodeError> {
        let ip = |text: &Located<String>| {
            let problem = || format!("`{}`, expected an IP address", text.value);
            text.value.parse::<IpAddr>().map_err(|_| DecodeError::new(&text.at, problem()))
        };
        let mut routes = Vec::new();
        for gateway in [&self.gateway4, &self.gateway6].into_iter().flatten() {
            routes.push((Self::default_route(ip(gateway)?), ip(gateway)?));
        }
        for route in &self.routes {
            let via = ip(&route.via)?;
            let to = match route.to.value.as_str() {
                "default" => Some(Self::default_route(via)),
                text => Cidr::parse(text),
            };
            let problem =
                || format!("`{}`, expected a network such as 198.51.100.0/24", route.to.value);
            routes.push((to.ok_or_else(|| DecodeError::new(&route.to.at, problem()))?, via));
        }
        Ok(routes)
    }

    fn default_route(via: IpAddr) -> Cidr {
        let address = match via {
            IpAddr::V4(_) => IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
        };
        Cidr { address, prefix: 0 }
    }
}

#[cfg(test)]
mod tests;
