//! Arguments of `bootwright env dns`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Print the DNS records that a site needs, or ask whether they are there.
///
/// The domain and the DKIM key come from the env, the rest from a policy: what the SPF and
/// DMARC records say, the DKIM selector, times to live. For a sub domain give the --zone
/// that the records will be entered in. Records from addresses to the name are printed as
/// comments, because they go into zones of whoever gave you the addresses.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bootwright env dns --address 203.0.113.7 env.yml
  bootwright env dns --address 203.0.113.7 --zone example.org --format web env.yml
  bootwright env dns --address 203.0.113.7 --verify 9.9.9.9 env.yml")]
pub struct EnvDns {
    /// An address that the site is reached at, IPv4 or IPv6. May be repeated.
    #[arg(long = "address", required = true, value_name = "IP")]
    pub addresses: Vec<IpAddr>,
    /// The zone that holds the domain, if it is not the domain itself.
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// What the records are to say: `ecs`, `listserv`, or a file (docs/env-package.md).
    #[arg(long, default_value = "ecs", value_name = "NAME|FILE")]
    pub policy: String,
    /// How to print them.
    #[arg(long, value_enum, default_value_t = DnsFormat::Zone)]
    pub format: DnsFormat,
    /// Write the records as comments into the env, below its first line, instead.
    #[arg(long, conflicts_with_all = ["format", "verify"])]
    pub update: bool,
    /// Ask this resolver, an address with or without a port, whether the records are
    /// there; ends with 4 if one is missing or contradicted.
    #[arg(long, value_parser = resolver, conflicts_with = "format", value_name = "RESOLVER")]
    pub verify: Option<SocketAddr>,
    /// The env.
    #[arg(value_name = "ENV")]
    pub env: PathBuf,
}

/// How records are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DnsFormat {
    /// For a zone's file.
    Zone,
    /// The records of the addresses, for the files of reverse zones.
    Reverse,
    /// Comments for the top of an env.
    Comment,
    /// One line a record, for the forms of web interfaces.
    Web,
    /// For programs.
    Json,
}

/// An address, with DNS's port if none is given.
fn resolver(text: &str) -> Result<SocketAddr, String> {
    let bare = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53));
    bare.or_else(|_| text.parse())
        .map_err(|_| "expected an IP address, or one with a port such as 127.0.0.1:5353".to_owned())
}
