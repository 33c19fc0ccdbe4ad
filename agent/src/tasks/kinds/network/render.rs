//! An interface in the words of netplan, ifupdown and systemd-networkd.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::Interface;

fn texts(ips: &[IpAddr]) -> Vec<String> {
    ips.iter().map(ToString::to_string).collect()
}

/// netplan's YAML, as JSON: every JSON text is one.
pub fn netplan(all: &[Interface<'_>]) -> String {
    let mut ethernets = Map::new();
    for (index, interface) in all.iter().enumerate() {
        let mut entry = Map::new();
        let id = match (interface.name, &interface.mac) {
            (Some(name), None) => name.to_owned(),
            (name, mac) => {
                let mut found = Map::new();
                found.extend(mac.as_ref().map(|mac| ("macaddress".to_owned(), json!(mac))));
                found.extend(name.map(|name| ("name".to_owned(), json!(name))));
                entry.insert("match".into(), Value::Object(found));
                format!("bootwright{index}")
            }
        };
        entry.insert("dhcp4".into(), json!(interface.dhcp));
        if !interface.addresses.is_empty() {
            entry.insert("addresses".into(), json!(interface.addresses));
        }
        // Releases before 22.04 do not know the word `default` here.
        let routes: Vec<Value> = interface
            .gateways
            .iter()
            .map(|ip| json!({"to": if ip.is_ipv4() { "0.0.0.0/0" } else { "::/0" }, "via": ip}))
            .collect();
        if !routes.is_empty() {
            entry.insert("routes".into(), json!(routes));
        }
        if !interface.nameservers.is_empty() || !interface.search.is_empty() {
            let names = json!({
                "addresses": texts(&interface.nameservers),
                "search": interface.search,
            });
            entry.insert("nameservers".into(), names);
        }
        entry.extend(interface.mtu.map(|mtu| ("mtu".to_owned(), json!(mtu))));
        ethernets.insert(id, Value::Object(entry));
    }
    let all = json!({"network": {"version": 2, "ethernets": ethernets}});
    format!("# Written by the bootwright agent.\n{all:#}\n")
}

/// Stanzas of interfaces(5).
pub fn ifupdown(name: &str, interface: &Interface<'_>) -> String {
    let mut text = format!("auto {name}\n");
    if interface.dhcp {
        text += &format!("iface {name} inet dhcp\n");
    }
    // Options of the interface as a whole stand in its first stanza.
    let mut once = String::new();
    once.extend(interface.mtu.map(|mtu| format!("    mtu {mtu}\n")));
    if !interface.nameservers.is_empty() {
        once += &format!("    dns-nameservers {}\n", texts(&interface.nameservers).join(" "));
    }
    if !interface.search.is_empty() {
        once += &format!("    dns-search {}\n", interface.search.join(" "));
    }
    if interface.dhcp {
        text += &std::mem::take(&mut once);
    }
    for (family, is_four) in [("inet", true), ("inet6", false)] {
        let mut gateways: Vec<&IpAddr> =
            interface.gateways.iter().filter(|ip| ip.is_ipv4() == is_four).collect();
        for address in interface.addresses.iter().filter(|a| a.contains(':') != is_four) {
            text += &format!("iface {name} {family} static\n    address {address}\n");
            for gateway in gateways.drain(..) {
                text += &format!("    gateway {gateway}\n");
            }
            text += &std::mem::take(&mut once);
        }
    }
    text
}

/// A file of systemd.network(5).
pub fn networkd(interface: &Interface<'_>) -> String {
    let mut text = "[Match]\n".to_owned();
    text.extend(interface.mac.as_ref().map(|mac| format!("MACAddress={mac}\n")));
    text.extend(interface.name.map(|name| format!("Name={name}\n")));
    if let Some(mtu) = interface.mtu {
        text += &format!("\n[Link]\nMTUBytes={mtu}\n");
    }
    text += "\n[Network]\n";
    if interface.dhcp {
        text += "DHCP=yes\n";
    }
    let pairs = [
        ("Address", interface.addresses.iter().map(ToString::to_string).collect()),
        ("Gateway", texts(&interface.gateways)),
        ("DNS", texts(&interface.nameservers)),
    ];
    for (key, values) in pairs {
        let values: Vec<String> = values;
        text.extend(values.iter().map(|value| format!("{key}={value}\n")));
    }
    if !interface.search.is_empty() {
        text += &format!("Domains={}\n", interface.search.join(" "));
    }
    text
}
