//! `bootwright seed batch`: an inventory of sites and a template become an env and a medium
//! for each site.
//!
//! The inventory is read here, one site at a time. Workers take the sites from a short queue
//! and make their folders; the index takes the outcomes back into the inventory's order.

mod index;
mod site;

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};
use bootwright_export::folder;
use bootwright_seed::batch::{Inventory, InventoryFormat, Item, Row, site_of};

use crate::cli::SeedBatch;
use crate::exit::{BadRows, Interrupted, Unreadable, Usage};
use crate::progress::Progress;
use crate::{interrupt, report};
use index::Index;
use site::{Maker, State};

/// Sites that wait for a worker.
const QUEUE: usize = 64;

/// A site on its way to a worker.
struct Job {
    /// Its place among the sites of this run, counted from 0.
    order: u64,
    line: u64,
    /// Its fields, or where and why there are none.
    row: Result<Row, (u64, String)>,
}

/// What became of a site.
pub struct Outcome {
    order: u64,
    line: u64,
    /// The site's name, as far as it is known.
    site: Option<String>,
    /// What was made, or the line and the words for what was wrong.
    state: Result<State, (u64, String)>,
}

/// Makes the sites of an inventory.
///
/// # Errors
/// [`BadRows`] if some sites could not be made, after all others were; inputs that cannot be
/// used at all; and what the system says.
pub fn batch(arguments: &SeedBatch, progress: Progress) -> Result<()> {
    let started = Instant::now();
    let sites = &arguments.sites;
    let name = sites.display().to_string();
    let format = InventoryFormat::of_name(&name).ok_or_else(|| {
        Usage(format!(
            "{name}: the name of an inventory ends in .csv, .yml, .yaml, .json or .jsonl"
        ))
    })?;
    let file = File::open(sites).map_err(|source| Unreadable::new("inventory", sites, source))?;
    let inventory = Inventory::new(&name, format, BufReader::with_capacity(1 << 16, file))?;
    let maker = Maker::new(arguments)?;
    std::fs::create_dir_all(&arguments.out)
        .with_context(|| format!("making the folder {}", arguments.out.display()))?;
    let mut index = Index::new(&arguments.out, arguments.shard, &name)?;
    let stage = progress.stage("making seeds");
    let jobs = arguments.jobs.unwrap_or_else(crate::cmd::processors).max(1);
    let read = thread::scope(|scope| {
        let (feed, waiting) = sync_channel::<Job>(QUEUE);
        let (tell, outcomes) = channel::<Outcome>();
        // The workers alone own the queue's end: when they are gone, nobody waits to feed it.
        let waiting = Arc::new(Mutex::new(waiting));
        let maker = &maker;
        for _ in 0..jobs {
            let (tell, waiting) = (tell.clone(), Arc::clone(&waiting));
            scope.spawn(move || work(maker, &waiting, &tell));
        }
        drop(waiting);
        let index = &mut index;
        let writer = scope.spawn(move || write(index, &outcomes, &stage));
        let read = read(inventory, arguments, &feed, &tell);
        drop((feed, tell));
        let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        written.and(read)
    });
    // Before the index, which says that everything is there.
    folder::sync(&arguments.out)?;
    read?;
    if interrupt::is_set() {
        return Err(
            Interrupted("the sites that are there are complete, and another run goes on").into()
        );
    }
    finish(index, arguments, started)
}

/// Reads the inventory and hands its sites out.
fn read(
    inventory: Inventory,
    arguments: &SeedBatch,
    feed: &SyncSender<Job>,
    tell: &Sender<Outcome>,
) -> Result<()> {
    let mut lines: HashMap<Box<str>, u64> = HashMap::new();
    let (part, parts) = arguments.shard.map_or((0, 1), |shard| (shard.index - 1, shard.of));
    let mut order = 0;
    for (number, item) in inventory.enumerate() {
        if interrupt::is_set() {
            break;
        }
        let Item { line, row } = item?;
        // Every shard sees every site, so that all of them find a name that stands twice.
        let site = row.as_ref().ok().and_then(|row| site_of(row).ok()).map(str::to_owned);
        let first = site.as_ref().and_then(|site| lines.get(site.as_str()).copied());
        if let (Some(site), None) = (&site, first) {
            lines.insert(site.as_str().into(), line);
        }
        if number as u64 % parts != part {
            continue;
        }
        let mine = order;
        order += 1;
        let sent = match first {
            Some(first) => {
                let problem = format!("the site stands in line {first} already");
                let state = Err((line, problem));
                tell.send(Outcome { order: mine, line, site, state }).is_ok()
            }
            None => feed.send(Job { order: mine, line, row }).is_ok(),
        };
        // Whoever closed the queue has an error of its own.
        if !sent {
            break;
        }
    }
    Ok(())
}

/// Makes sites until there are no more.
fn work(maker: &Maker, waiting: &Mutex<Receiver<Job>>, tell: &Sender<Outcome>) {
    loop {
        let job = match waiting.lock() {
            Ok(queue) => queue.recv(),
            Err(_) => return,
        };
        let Ok(Job { order, line, row }) = job else {
            return;
        };
        let site = row.as_ref().ok().and_then(|row| site_of(row).ok()).map(str::to_owned);
        let state = row.and_then(|row| {
            let site = site_of(&row).map_err(|problem| (line, problem))?;
            maker.make(site, &row).map_err(|error| (line, words(&error)))
        });
        if tell.send(Outcome { order, line, site, state }).is_err() {
            return;
        }
    }
}

/// An error and its causes in one line.
fn words(error: &anyhow::Error) -> String {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    causes.join(": ")
}

/// Puts the outcomes into the index, in order.
fn write(
    index: &mut Index,
    outcomes: &Receiver<Outcome>,
    stage: &crate::progress::Stage,
) -> Result<()> {
    while let Ok(outcome) = outcomes.recv() {
        index.add(outcome)?;
        if index.done().is_multiple_of(100) {
            stage.say(format!("making seeds: {} done", index.done()));
        }
    }
    Ok(())
}

fn finish(index: Index, arguments: &SeedBatch, started: Instant) -> Result<()> {
    let (summary, path) = index.finish()?;
    let seconds = started.elapsed().as_secs_f64();
    report::message(format_args!(
        "{} sites: {} made, {} kept, {} failed in {seconds:.1} s ({:.0}/s)",
        summary.sites,
        summary.made,
        summary.kept,
        summary.failed,
        summary.sites as f64 / seconds.max(1e-9),
    ));
    match arguments.json {
        true => report::json(&summary)?,
        false => report::data(path.display()),
    }
    match summary.failed {
        0 => Ok(()),
        failed => Err(BadRows { failed, index: shown(&path) }.into()),
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
