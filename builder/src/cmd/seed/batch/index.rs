//! The index of a batch: what was made of each site, in the inventory's order, with digests.
//!
//! `index.json` has an entry a site, `SHA256SUMS` a line a file, as `sha256sum -c` reads it.
//! Both are written while the sites are made and appear when all of them are done.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use bootwright_export::sink::{Sink, SinkOptions};
use serde::Serialize;

use super::Outcome;
use super::site::State;
use crate::cli::Shard;
use crate::report;

const SCHEMA: &str = "bootwright.seed-index/1";

/// How many sites there were, and what became of them.
#[derive(Debug, Default, Clone, Copy, Serialize)]
pub struct Summary {
    /// All sites.
    pub sites: u64,
    /// Those made by this run.
    pub made: u64,
    /// Those that an earlier run made.
    pub kept: u64,
    /// Those that could not be made.
    pub failed: u64,
}

/// An index under way.
pub struct Index {
    path: PathBuf,
    inventory: String,
    index: Sink,
    sums: Sink,
    /// Outcomes that came before their turn.
    early: BTreeMap<u64, Outcome>,
    next: u64,
    summary: Summary,
}

/// A site in the index.
#[derive(Serialize)]
struct Line<'a> {
    line: u64,
    site: Option<&'a str>,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    env: Option<&'a super::site::Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    medium: Option<&'a super::site::Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl Index {
    /// Starts the index in `out`; the ones of shards have names of their own.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(out: &Path, shard: Option<Shard>, inventory: &str) -> Result<Self> {
        let suffix = shard.map(|shard| format!("-{}-of-{}", shard.index, shard.of));
        let suffix = suffix.unwrap_or_default();
        let path = out.join(format!("index{suffix}.json"));
        // Derived from the sites, so a new run may replace it.
        let options = SinkOptions { mode: 0o600, replace: true, patched: false };
        let mut index = Sink::create(&path, options)?;
        index.write(format!("{{\"schema\":\"{SCHEMA}\",\"sites\":[").as_bytes())?;
        let sums = Sink::create(&out.join(format!("SHA256SUMS{suffix}")), options)?;
        Ok(Self {
            path,
            inventory: inventory.to_owned(),
            index,
            sums,
            early: BTreeMap::new(),
            next: 0,
            summary: Summary::default(),
        })
    }

    /// Sites that are in the index.
    pub fn done(&self) -> u64 {
        self.summary.sites
    }

    /// Adds a site when its turn comes.
    ///
    /// # Errors
    /// What the system says.
    pub fn add(&mut self, outcome: Outcome) -> Result<()> {
        self.early.insert(outcome.order, outcome);
        while let Some(outcome) = self.early.remove(&self.next) {
            self.next += 1;
            self.put(&outcome)?;
        }
        Ok(())
    }

    fn put(&mut self, outcome: &Outcome) -> Result<()> {
        let separator = if self.summary.sites == 0 { "\n" } else { ",\n" };
        self.summary.sites += 1;
        let mut line = Line {
            line: outcome.line,
            site: outcome.site.as_deref(),
            state: "failed",
            instance_id: None,
            env: None,
            medium: None,
            error: None,
        };
        match &outcome.state {
            Ok(State::Made(record) | State::Kept(record)) => {
                let is_made = matches!(outcome.state, Ok(State::Made(_)));
                self.summary.made += u64::from(is_made);
                self.summary.kept += u64::from(!is_made);
                // Not whether it was kept: the index tells what is there, however it came.
                line.state = "done";
                line.instance_id = Some(&record.instance_id);
                (line.env, line.medium) = (Some(&record.env), Some(&record.medium));
                for entry in [&record.env, &record.medium] {
                    let sum = format!("{}  {}/{}\n", entry.sha256, record.site, entry.file);
                    self.sums.write(sum.as_bytes())?;
                }
            }
            Err((at, problem)) => {
                self.summary.failed += 1;
                line.line = *at;
                line.error = Some(problem);
                report::message(format_args!("{}:{at}: {problem}", self.inventory));
            }
        }
        let text = format!("{separator}{}", serde_json::to_string(&line)?);
        Ok(self.index.write(text.as_bytes())?)
    }

    /// Completes the index; gives its path.
    ///
    /// # Errors
    /// What the system says.
    pub fn finish(mut self) -> Result<(Summary, PathBuf)> {
        self.index.write(b"\n]}\n")?;
        let sums = self.sums.complete()?;
        let index = self.index.complete()?;
        sums.publish()?;
        index.publish()?;
        Ok((self.summary, self.path))
    }
}
