//! The verb `facts`: what templates and scripts want to know about the machine.

use std::collections::BTreeMap;
use std::net::{IpAddr, UdpSocket};

use serde_json::{Value, json};

use crate::exit::Answer;
use crate::root::Root;
use crate::sources::Dmi;

/// An address that is never used (RFC 5737, RFC 3849): it goes through the default route.
const ANYWHERE_4: &str = "192.0.2.1:9";
const ANYWHERE_6: &str = "[2001:db8::1]:9";

/// Prints the facts, one `name=value` a line or as JSON.
pub fn run(root: &Root, json: bool) -> Answer {
    let facts = facts(root);
    let text = if json {
        format!("{}\n", Value::Object(facts.into_iter().collect()))
    } else {
        let line = |(name, value): (String, Value)| match value {
            Value::String(text) => format!("{name}={}\n", quoted(&text)),
            other => format!("{name}={other}\n"),
        };
        facts.into_iter().map(line).collect()
    };
    Answer::told(text)
}

fn facts(root: &Root) -> BTreeMap<String, Value> {
    let dmi = Dmi::read(root);
    let mut facts = BTreeMap::new();
    let mut add = |name: &str, value: Option<Value>| {
        facts.extend(value.map(|value| (name.to_owned(), value)));
    };
    add("architecture", Some(json!(std::env::consts::ARCH)));
    add("cores", std::thread::available_parallelism().ok().map(|cores| json!(cores.get())));
    add("memory_kib", memory(&text(root, "/proc/meminfo")).map(|kib| json!(kib)));
    add("virtual", Some(json!(is_virtual(&dmi, &text(root, "/proc/cpuinfo")))));
    add("vendor", some_text(&dmi.vendor));
    add("product", some_text(&dmi.product));
    add("hostname", some_text(text(root, "/proc/sys/kernel/hostname").trim()));
    add("kernel", some_text(text(root, "/proc/sys/kernel/osrelease").trim()));
    let release = text(root, "/etc/os-release");
    let os = os_release(&release);
    add("os", os.get("ID").map(|id| json!(id)));
    add("os_version", os.get("VERSION_ID").map(|version| json!(version)));
    add("default_interface", default_interface(&text(root, "/proc/net/route")).map(|i| json!(i)));
    add("default_ipv4", source_address("0.0.0.0:0", ANYWHERE_4).map(|ip| json!(ip)));
    add("default_ipv6", source_address("[::]:0", ANYWHERE_6).map(|ip| json!(ip)));
    if let Ok(report) = crate::status::last(root) {
        add("state", Some(json!(report.state.name())));
        add("source", report.source.map(|source| json!(source.kind)));
        add("instance_id", report.instance_id.map(|id| json!(id)));
        add("profile", report.profile.map(|p| json!(format!("{}/{}", p.name, p.version))));
    }
    facts
}

fn text(root: &Root, path: &str) -> String {
    std::fs::read_to_string(root.at(path)).unwrap_or_default()
}

fn some_text(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| json!(text))
}

/// The machine's memory in KiB, from /proc/meminfo.
fn memory(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Hypervisors set a bit that processors of real machines do not have; ARM has none.
fn is_virtual(dmi: &Dmi, cpuinfo: &str) -> bool {
    const VENDORS: [&str; 8] =
        ["QEMU", "VMware", "Xen", "Amazon EC2", "Google", "innotek", "OpenStack", "Parallels"];
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags"));
    flags.is_some_and(|flags| flags.split_whitespace().any(|flag| flag == "hypervisor"))
        || VENDORS.iter().any(|vendor| dmi.vendor.starts_with(vendor))
        || (dmi.vendor == "Microsoft Corporation" && dmi.product == "Virtual Machine")
}

fn os_release(text: &str) -> BTreeMap<&str, &str> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(key, value)| (key, value.trim_matches(['"', '\'']))).collect()
}

/// The interface of the IPv4 default route with the lowest metric, from /proc/net/route.
fn default_interface(text: &str) -> Option<&str> {
    let routes = text.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [interface, destination, _, _, _, _, metric, mask, ..] = fields[..] else {
            return None;
        };
        let default = destination == "00000000" && mask == "00000000";
        Some((metric.parse::<u64>().ok().filter(|_| default)?, interface))
    });
    routes.min().map(|(_, interface)| interface)
}

/// The address the machine has towards the default route. Connecting a datagram socket looks
/// the route up and sends nothing.
fn source_address(own: &str, far: &str) -> Option<IpAddr> {
    let socket = UdpSocket::bind(own).ok()?;
    socket.connect(far).ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_unspecified())
}

/// A value as a POSIX shell reads it back.
fn quoted(text: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !text.is_empty() && text.chars().all(bare) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\"'\"'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_kernel() {
        assert_eq!(memory("MemTotal:        2030456 kB\nMemFree: 1 kB\n"), Some(2_030_456));
        let routes = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n\
            eth1\t00000000\t0101A8C0\t0003\t0\t0\t200\t00000000\t0\n\
            eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\n\
            eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\n";
        assert_eq!(default_interface(routes), Some("eth0"));
        assert_eq!(default_interface(""), None);
        let os = os_release("ID=debian\nVERSION_ID=\"13\"\n");
        assert_eq!((os["ID"], os["VERSION_ID"]), ("debian", "13"));
        assert!(is_virtual(&Dmi::default(), "flags\t\t: fpu hypervisor\n"));
        assert!(!is_virtual(&Dmi::default(), "flags\t\t: fpu\n"));
        assert_eq!(quoted("a b'c"), "'a b'\"'\"'c'");
    }
}
