//! `network`: fixed addresses, written for whatever sets up the network of the image.

mod render;

use std::net::IpAddr;

use bootwright_seed::yaml::tree::Node;
use serde::Deserialize;

use super::hostname::is_domain;
use crate::tasks::env::{self, EnvError};
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::{File, Plan};
use crate::tasks::program::Call;

const NETPLAN: &str = "/etc/netplan/60-bootwright.yaml";
const INTERFACES: &str = "/etc/network/interfaces";
const IFUPDOWN: &str = "/etc/network/interfaces.d/60-bootwright";
const NETWORKD: &str = "/etc/systemd/network";

/// What agent.yml may say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Key of the env with the list of interfaces.
    key: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { key: "appliance.network".into() }
    }
}

/// An interface as it is to be.
pub struct Interface<'a> {
    /// Its name in the kernel, if it is known by that.
    name: Option<&'a str>,
    /// Its hardware address, if it is known by that.
    mac: Option<String>,
    dhcp: bool,
    addresses: Vec<&'a str>,
    gateways: Vec<IpAddr>,
    nameservers: Vec<IpAddr>,
    search: Vec<&'a str>,
    mtu: Option<u32>,
}

/// The changes. They count when the network is set up: at this boot if the agent is early
/// enough, else at the next one. A network that is in use is not pulled from under anybody.
pub fn plan(options: &Options, machine: &Machine<'_>) -> Result<Plan, TaskError> {
    let mut plan = Plan::default();
    let entries = env::list(machine.env, &options.key)?;
    let all: Vec<Interface<'_>> =
        entries.iter().map(|entry| read(entry, &options.key)).collect::<Result<_, _>>()?;
    if all.is_empty() {
        return Ok(plan);
    }
    if machine.programs.has("netplan") {
        plan.file(machine, File::new(NETPLAN, render::netplan(&all)).mode(0o600))?;
        plan.after([Call::new("netplan", ["generate"])]);
    } else if machine.exists(INTERFACES) {
        ifupdown(machine, &mut plan, &all)?;
    } else if machine.exists(NETWORKD) {
        for interface in &all {
            let known = interface.name.map(str::to_owned).or(interface.mac.clone());
            let name = known.unwrap_or_default().replace(':', "-");
            let path = format!("{NETWORKD}/10-bootwright-{name}.network");
            plan.file(machine, File::new(path, render::networkd(interface)))?;
        }
    } else {
        return Err(TaskError::Refused(
            "the image sets up its network with none of netplan, ifupdown and systemd-networkd"
                .into(),
        ));
    }
    Ok(plan)
}

fn ifupdown(
    machine: &Machine<'_>,
    plan: &mut Plan,
    all: &[Interface<'_>],
) -> Result<(), TaskError> {
    let mut text = String::new();
    for interface in all {
        let name = match (interface.name, &interface.mac) {
            (Some(name), _) => name.to_owned(),
            (None, Some(mac)) => name_of(machine, mac)?,
            (None, None) => continue,
        };
        text += &render::ifupdown(&name, interface);
    }
    let main = machine.read(INTERFACES)?.unwrap_or_default();
    let sources = main.lines().any(|line| {
        let line = line.trim_start();
        (line.starts_with("source ") || line.starts_with("source-directory "))
            && line.contains("interfaces.d")
    });
    if !sources {
        let text = format!("{}\nsource /etc/network/interfaces.d/*\n", main.trim_end());
        plan.shared_file(machine, File::like(machine, INTERFACES, text, 0o644))?;
    }
    plan.file(machine, File::new(IFUPDOWN, text))
}

/// The name of the interface with a hardware address: ifupdown knows no other way.
fn name_of(machine: &Machine<'_>, mac: &str) -> Result<String, TaskError> {
    let base = "/sys/class/net";
    let entries = std::fs::read_dir(machine.root.at(base))
        .map_err(|cause| TaskError::Look(base.to_owned(), cause))?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let found = machine.read(&format!("{base}/{name}/address"))?.unwrap_or_default();
        if found.trim().eq_ignore_ascii_case(mac) {
            return Ok(name);
        }
    }
    Err(TaskError::Refused(format!("no network interface has the hardware address {mac}")))
}

const KEYS: [&str; 8] =
    ["name", "mac", "dhcp", "addresses", "gateways", "nameservers", "search", "mtu"];

fn read<'a>(entry: &'a Node, key: &str) -> Result<Interface<'a>, EnvError> {
    env::only(entry, key, &KEYS)?;
    let bad = |what: &str| env::refuse(entry, key, what);
    let name = env::text(entry, "name")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_some_and(|name| name.len() > 15 || !name.chars().all(fits)) {
        return Err(bad("`name` is no name of an interface"));
    }
    let mac = env::text(entry, "mac")?.map(str::to_ascii_lowercase);
    let hex = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
    let is_mac = |mac: &String| mac.split(':').count() == 6 && mac.split(':').all(hex);
    if mac.as_ref().is_some_and(|mac| !is_mac(mac)) {
        return Err(bad("`mac` has to be six pairs of hexadecimal digits, quoted"));
    }
    if name.is_none() && mac.is_none() {
        return Err(bad("an interface needs `name` or `mac`"));
    }
    let addresses = env::texts(entry, "addresses")?;
    if !addresses.iter().all(|address| is_cidr(address)) {
        return Err(bad("`addresses` have to be written like 192.0.2.5/24"));
    }
    let ips = |name: &str| -> Result<Vec<IpAddr>, EnvError> {
        let texts = env::texts(entry, name)?;
        let all: Result<Vec<IpAddr>, _> = texts.iter().map(|text| text.parse()).collect();
        all.map_err(|_| bad(&format!("`{name}` have to be IP addresses")))
    };
    let search = env::texts(entry, "search")?;
    if !search.iter().all(|name| is_domain(name)) {
        return Err(bad("`search` has to be domains"));
    }
    let mtu = env::text(entry, "mtu")?.map(str::parse).transpose();
    Ok(Interface {
        name,
        mac,
        dhcp: env::flag(entry, "dhcp", addresses.is_empty())?,
        addresses,
        gateways: ips("gateways")?,
        nameservers: ips("nameservers")?,
        search,
        mtu: mtu.map_err(|_| bad("`mtu` has to be a number"))?,
    })
}

fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else {
        return false;
    };
    let length: Result<u32, _> = length.parse();
    match (address.parse::<IpAddr>(), length) {
        (Ok(IpAddr::V4(_)), Ok(length)) => length <= 32,
        (Ok(IpAddr::V6(_)), Ok(length)) => length <= 128,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use crate::tasks::bench::Bench;

    const ENV: &str = "appliance: {network: [{mac: '52:54:00:AB:cd:01', addresses: [192.0.2.5/24, '2001:db8::5/64'], gateways: [192.0.2.1, '2001:db8::1'], nameservers: [192.0.2.53], search: [x.test], mtu: 1400}, {name: eth1}]}\n";

    fn bench() -> Bench {
        let bench = Bench::new();
        bench.tasks("- network\n");
        bench.env(ENV);
        bench
    }

    #[test]
    fn netplan_judged_by_netplan() {
        let bench = bench();
        bench.tool("netplan", "");
        bench.settle();
        assert_eq!(bench.calls(), ["netplan generate"]);
        assert_eq!(bench.mode(super::NETPLAN), 0o600);
        let mut judge = Command::new("netplan");
        let judge = judge.arg("generate").arg("--root-dir").arg(bench.path("/")).output();
        let judge = judge.unwrap_or_else(|e| panic!("netplan: {e}; run ci/setup"));
        assert!(judge.status.success(), "{}", String::from_utf8_lossy(&judge.stderr));
        let mut units = String::new();
        for entry in std::fs::read_dir(bench.path("/run/systemd/network")).unwrap() {
            units += &std::fs::read_to_string(entry.unwrap().path()).unwrap();
        }
        for line in ["Address=192.0.2.5/24", "Gateway=2001:db8::1", "DNS=192.0.2.53", "DHCP=ipv4"] {
            assert!(units.contains(line), "{line} is not in {units}");
        }
    }

    #[test]
    fn ifupdown_and_networkd() {
        let bench = bench();
        bench.file("/etc/network/interfaces", "auto lo\niface lo inet loopback\n");
        bench.file("/sys/class/net/ens3/address", "52:54:00:ab:cd:01\n");
        bench.settle();
        assert!(
            bench
                .text("/etc/network/interfaces")
                .ends_with("\nsource /etc/network/interfaces.d/*\n")
        );
        assert_eq!(
            bench.text(super::IFUPDOWN),
            "auto ens3\niface ens3 inet static\n    address 192.0.2.5/24\n    gateway 192.0.2.1\n    mtu 1400\n    dns-nameservers 192.0.2.53\n    dns-search x.test\niface ens3 inet6 static\n    address 2001:db8::5/64\n    gateway 2001:db8::1\nauto eth1\niface eth1 inet dhcp\n"
        );
        let bench = self::bench();
        bench.file("/etc/systemd/network/x", "");
        bench.settle();
        let text = bench.text("/etc/systemd/network/10-bootwright-52-54-00-ab-cd-01.network");
        assert!(text.starts_with("[Match]\nMACAddress=52:54:00:ab:cd:01\n"), "{text}");
        bench.env("a: 1\n");
        bench.settle();
        assert!(!bench.path("/etc/systemd/network/10-bootwright-eth1.network").exists());
    }

    #[test]
    fn mistakes() {
        let bench = bench();
        assert!(bench.refused().contains("none of netplan, ifupdown"));
        for (bad, why) in [
            ("{}", "needs `name` or `mac`"),
            ("{name: eth0, addresses: [10.0.0.1]}", "written like 192.0.2.5/24"),
            ("{name: eth0, gateways: [router]}", "`gateways` have to be IP addresses"),
            ("{name: \"a\\nb\"}", "no name of an interface"),
            ("{mac: 525400}", "six pairs"),
        ] {
            bench.env(&format!("appliance: {{network: [{bad}]}}\n"));
            assert!(bench.refused().contains(why), "{bad}");
        }
    }
}
