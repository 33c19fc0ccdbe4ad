//! What the command line gives, what the two formats say, and what is refused.

use serde_json::Value;

use super::*;

const ONE: &str = "52:54:00:AB:34:56,192.0.2.10/24,2001:db8::5/64,gateway=192.0.2.1,dns=192.0.2.53";

fn network(texts: &[&str]) -> Network {
    let addresses: Vec<_> = texts.iter().map(|text| StaticAddress::parse(text).unwrap()).collect();
    Network::of_static(&addresses).unwrap()
}

#[test]
fn static_addresses_as_version_2() {
    let text = network(&[ONE, "52:54:00:00:00:01,198.51.100.7/32,search=example.test"]);
    assert_eq!(
        text.text(),
        "version: 2\nethernets:\n  nic0:\n    match:\n      macaddress: \"52:54:00:ab:34:56\"\n    \
         addresses: [\"192.0.2.10/24\", \"2001:db8::5/64\"]\n    routes:\n      - to: \"0.0.0.0/0\"\n        \
         via: \"192.0.2.1\"\n    nameservers:\n      addresses: [\"192.0.2.53\"]\n  nic1:\n    match:\n      \
         macaddress: \"52:54:00:00:00:01\"\n    addresses: [\"198.51.100.7/32\"]\n    nameservers:\n      \
         addresses: []\n      search: [\"example.test\"]\n"
    );
}

#[test]
fn static_addresses_as_network_data() {
    let json: Value = serde_json::from_str(&network(&[ONE]).openstack().unwrap()).unwrap();
    assert_eq!(json["links"][0]["ethernet_mac_address"], "52:54:00:ab:34:56");
    assert_eq!(json["networks"][0]["netmask"], "255.255.255.0");
    assert_eq!(json["networks"][0]["routes"][0]["gateway"], "192.0.2.1");
    assert_eq!(json["networks"][1]["netmask"], "ffff:ffff:ffff:ffff::");
    assert_eq!(json["networks"][1]["routes"], serde_json::json!([]));
    assert_eq!(json["services"][0]["address"], "192.0.2.53");
}

#[test]
fn parts_that_are_wrong_are_named() {
    let error = |text: &str| StaticAddress::parse(text).unwrap_err().to_string();
    assert!(error("eth0,192.0.2.1/24").starts_with("--static: `eth0`, expected a MAC address"));
    assert!(error("52:54:00:12:34:56,192.0.2.1").contains("`192.0.2.1`, expected an address"));
    assert!(error("52:54:00:12:34:56,192.0.2.1/33").contains("`192.0.2.1/33`"));
    assert!(error("52:54:00:12:34:56").contains("at least one address"));
    assert!(error("52:54:00:12:34:56,10.0.0.1/8,gw=x").contains("`gw=x`, expected gateway=IP"));
}

/// Upstream's example hard-wired the interface's name (domain.md B06).
#[test]
fn b06_config_2_wants_a_mac_and_says_where() {
    let error =
        |text: &str| Network::parse("net.yml", text).unwrap().openstack().unwrap_err().to_string();
    let named = "version: 2\nethernets:\n  ens5:\n    dhcp4: true\n";
    assert_eq!(error(named), "net.yml:4:5: the key `match` is missing");
    let by_mac = "network:\n  version: 2\n  ethernets:\n    a:\n      match: {macaddress: \"52:54:00:12:34:56\"}\n";
    assert!(error(by_mac).contains("neither dhcp nor addresses"));
    let more = format!("{by_mac}      wakeonlan: true\n");
    assert!(error(&more).starts_with("net.yml:6:7: unknown key `wakeonlan`"), "{}", error(&more));
    let bad = format!("{by_mac}      addresses: [192.0.2.1]\n");
    assert!(error(&bad).starts_with("net.yml:6:19: `192.0.2.1`, expected an address"));
    let version = Network::parse("net.yml", "version: 3\n").unwrap_err().to_string();
    assert_eq!(version, "net.yml:1:10: version 3, expected 2");
}
