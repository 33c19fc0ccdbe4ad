//! Arguments of `seed batch`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::create::Medium;

/// Make an env and a seed medium for each site of an inventory.
///
/// SITES is CSV with a header line, a YAML list of mappings, or JSON: an array of objects or
/// one object after the other. The field `site` names the site and its folder; `hostname`,
/// `instance_id` and `recipient` (whom the user-data is encrypted to), where they are there,
/// go onto the medium. The template is the env with fields in it, such as `{{ site }}`;
/// `{{ city | tojson }}` quotes one that may hold anything.
///
/// DIR/SITE holds env.yml, the medium and seed.json, the record of both; it appears when all
/// of it is written. A site that is there and whole is kept, so an interrupted run goes on
/// where it was. A row that is wrong is named with its line and does not stop the others;
/// the exit code is then 3. DIR/index.json and DIR/SHA256SUMS list everything.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bootwright seed batch sites.csv --template env.yml.j2 --out seeds
  bootwright seed batch sites.yml --template env.yml.j2 --out seeds --shard 1/4

Shards that all ran make what one run would make; a last run without --shard
keeps everything and writes the index of the whole.")]
pub struct SeedBatch {
    /// The inventory.
    pub sites: PathBuf,
    /// The env, with fields of the inventory in it.
    #[arg(long, value_name = "FILE")]
    pub template: PathBuf,
    /// The folder for the sites.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Network configuration, version 2, with fields of the inventory in it.
    #[arg(short = 'N', long, value_name = "FILE")]
    pub network_config: Option<PathBuf>,
    /// Vendor-data of all sites.
    #[arg(short = 'V', long, value_name = "FILE")]
    pub vendor_data: Option<PathBuf>,
    /// File with OpenSSH public keys for the default user of all sites. May be repeated.
    #[arg(long = "key", value_name = "FILE")]
    pub keys: Vec<PathBuf>,
    /// Encrypt the user-data of all sites to this recipient as well. May be repeated.
    #[arg(long, value_name = "RECIPIENT|FILE")]
    pub encrypt_to: Vec<String>,
    #[command(flatten)]
    pub medium: Medium,
    /// Make only part I of N.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Make sites anew whose row, template or options have changed.
    #[arg(long)]
    pub update: bool,
    /// Threads [default: one for each processor]
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Print the summary as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Part `index` of `of`, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which part.
    pub index: u64,
    /// Of how many.
    pub of: u64,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(index, of)| {
            let (index, of) = (index.parse().ok()?, of.parse().ok()?);
            (1..=of).contains(&index).then_some(Self { index, of })
        });
        parsed.ok_or_else(|| "expected I/N with I from 1 to N, such as 1/4".to_owned())
    }
}
