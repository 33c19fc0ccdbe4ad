//! One pass over the disk that feeds every output.
//!
//! The disk is cut into batches. Worker `i` of `n` prepares batches `i`, `i + n`, … and
//! queues them; the distributor takes them from the workers in turn, which restores their
//! order, and hands each to every output. All queues are short: whoever is slow holds back
//! the others, and memory does not grow with the disk. Which thread did what leaves no
//! trace in the bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use bootwright_disk::codec::{self, Compressor};
use bootwright_disk::unit::{Content, Data, Deflate, Needs, UNIT, Unit, Writer};
use bootwright_disk::view::{ExtentKind, View};

use crate::sink::{Complete, Finished, FormatSink, Sink};
use crate::{Error, Result};

/// Bytes of a batch of data.
const BATCH: u64 = 32 * UNIT;
/// Batches waiting at each place.
const QUEUE: usize = 2;

/// An output and its format.
pub struct Output {
    /// Makes the format's bytes.
    pub writer: Box<dyn Writer>,
    /// Takes them.
    pub sink: Sink,
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").field("sink", &self.sink).finish_non_exhaustive()
    }
}

/// How a pass is run.
pub struct Pass<'a> {
    /// The disk.
    pub disk: &'a dyn View,
    /// Threads that read and compress.
    pub jobs: usize,
    /// Told the number of bytes of the disk that are done.
    pub progress: &'a (dyn Fn(u64) + Sync),
    /// Ends the pass when it becomes true.
    pub cancel: &'a AtomicBool,
}

impl std::fmt::Debug for Pass<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pass").field("jobs", &self.jobs).finish_non_exhaustive()
    }
}

/// A range of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Batch {
    offset: u64,
    len: u64,
    is_hole: bool,
}

type Prepared = Result<Vec<Unit>>;

impl Pass<'_> {
    /// Writes all outputs; they come back in the order given.
    ///
    /// # Errors
    /// The first failure of reading the disk or writing an output. None of the outputs gets
    /// its name then.
    pub fn run(&self, outputs: Vec<Output>) -> Result<Vec<Finished>> {
        let batches = batches(self.disk)?;
        let needs = combined(&outputs);
        let stop = AtomicBool::new(false);
        let complete = thread::scope(|scope| {
            let workers: Vec<Receiver<Prepared>> = (0..self.jobs.max(1))
                .map(|first| {
                    let (send, receive) = sync_channel(QUEUE);
                    let own = batches.iter().copied().skip(first).step_by(self.jobs.max(1));
                    let stop = &stop;
                    scope.spawn(move || self.prepare_all(own, needs, stop, &send));
                    receive
                })
                .collect();
            let (feeds, writers): (Vec<_>, Vec<_>) = outputs
                .into_iter()
                .map(|output| {
                    let (send, receive) = sync_channel::<Arc<Vec<Unit>>>(QUEUE);
                    (send, scope.spawn(move || write_all(output, &receive)))
                })
                .unzip();
            let distributed = self.distribute(&batches, &workers, feeds);
            stop.store(true, Ordering::Relaxed);
            // Receivers gone: workers that wait to send give up.
            drop(workers);
            let written: Result<Vec<Complete>> = writers
                .into_iter()
                .map(|writer| {
                    writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
                .collect();
            distributed.and(written)
        })?;
        complete.into_iter().map(Complete::publish).collect()
    }

    /// Prepares a worker's batches until somebody stops listening.
    fn prepare_all(
        &self,
        batches: impl Iterator<Item = Batch>,
        needs: Needs,
        stop: &AtomicBool,
        send: &SyncSender<Prepared>,
    ) {
        let mut compressor = Compressor::new(needs);
        for batch in batches {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let prepared = self.prepare(batch, needs, &mut compressor);
            let failed = prepared.is_err();
            if send.send(prepared).is_err() || failed {
                return;
            }
        }
    }

    fn prepare(&self, batch: Batch, needs: Needs, compressor: &mut Compressor) -> Prepared {
        let Batch { offset, len, is_hole } = batch;
        if is_hole {
            return Ok(vec![Unit { offset, len, content: Content::Hole }]);
        }
        let units = (offset..offset + len).step_by(UNIT as usize);
        units
            .map(|at| {
                let len = UNIT.min(offset + len - at);
                let content = prepare_unit(self.disk, (at, len), needs, compressor);
                Ok(Unit { offset: at, len, content: content.map_err(Error::Disk)? })
            })
            .collect()
    }

    /// Takes batches from the workers in turn and hands each to all outputs.
    fn distribute(
        &self,
        batches: &[Batch],
        workers: &[Receiver<Prepared>],
        feeds: Vec<SyncSender<Arc<Vec<Unit>>>>,
    ) -> Result<()> {
        for (batch, worker) in batches.iter().zip(workers.iter().cycle()) {
            if self.cancel.load(Ordering::Relaxed) {
                return Err(Error::Cancelled);
            }
            // A worker ends early only after it has sent its failure.
            let Ok(prepared) = worker.recv() else {
                return Ok(());
            };
            let units = Arc::new(prepared?);
            for feed in &feeds {
                if feed.send(Arc::clone(&units)).is_err() {
                    // That output has failed; its thread says why.
                    return Ok(());
                }
            }
            (self.progress)(batch.offset + batch.len);
        }
        Ok(())
    }
}

/// All that any of the outputs needs.
fn combined(outputs: &[Output]) -> Needs {
    outputs.iter().fold(Needs::default(), |all, output| all.and(output.writer.needs()))
}

/// Cuts the disk into batches at unit borders.
fn batches(disk: &dyn View) -> Result<Vec<Batch>> {
    let size = disk.size();
    let mut batches: Vec<Batch> = Vec::new();
    let mut at = 0;
    while at < size {
        let extent = disk.extent_at(at).map_err(Error::Disk)?;
        let hole_end = if extent.end == size { size } else { extent.end / UNIT * UNIT };
        let is_hole = extent.kind != ExtentKind::Data && hole_end > at;
        let end = if is_hole { hole_end } else { extent.end.next_multiple_of(UNIT).min(size) };
        match batches.last_mut() {
            Some(last) if last.is_hole && is_hole => last.len += end - at,
            Some(last) if !last.is_hole && !is_hole && last.len + end - at <= BATCH => {
                last.len += end - at;
            }
            _ if is_hole => batches.push(Batch { offset: at, len: end - at, is_hole }),
            _ => batches.extend((at..end).step_by(BATCH as usize).map(|offset| Batch {
                offset,
                len: BATCH.min(end - offset),
                is_hole,
            })),
        }
        at = end;
    }
    Ok(batches)
}

/// Reads a unit once and gives it every form that is needed. A deflate stream that the base
/// stores for just this unit is taken over, after it has been inflated to see that it is
/// good.
fn prepare_unit(
    disk: &dyn View,
    (at, len): (u64, u64),
    needs: Needs,
    compressor: &mut Compressor,
) -> bootwright_disk::Result<Content> {
    static ZEROS: [u8; UNIT as usize] = [0; UNIT as usize];
    let mut raw = vec![0; len as usize];
    let mut deflate = None;
    if let Some(Deflate { window_bits, .. }) = needs.deflate
        && len == UNIT
    {
        let stored = disk.deflated(at, len)?.filter(|stored| stored.window_bits <= window_bits);
        deflate = stored.map(|stored| stored.stream);
    }
    match &mut deflate {
        Some(stream) => {
            let end = codec::inflate(stream, &mut raw).map_err(|problem| {
                bootwright_disk::Error::Malformed {
                    format: "base",
                    field: "compressed cluster of the disk",
                    offset: at,
                    problem,
                }
            })?;
            stream.truncate(end);
        }
        None => disk.read_at(at, &mut raw)?,
    }
    if raw == ZEROS[..raw.len()] {
        return Ok(Content::Hole);
    }
    let padded = (len < UNIT).then(|| [&raw[..], &ZEROS[raw.len()..]].concat());
    let whole = padded.as_ref().unwrap_or(&raw);
    let deflate = deflate.or_else(|| compressor.deflate(whole));
    let zstd = compressor.zstd(whole);
    let adler = compressor.adler(whole);
    Ok(Content::Data(Data { raw, deflate, zstd, adler }))
}

/// Writes one output until the distributor is done, and makes it durable.
fn write_all(output: Output, units: &Receiver<Arc<Vec<Unit>>>) -> Result<Complete> {
    let Output { mut writer, mut sink } = output;
    let mut format_sink = FormatSink { sink: &mut sink, failure: None };
    let mut write = || {
        for batch in units {
            for unit in batch.iter() {
                writer.put(unit, &mut format_sink)?;
            }
        }
        writer.finish(&mut format_sink)
    };
    match write() {
        Ok(()) => sink.complete(),
        Err(error) => Err(format_sink.failure.unwrap_or(Error::Disk(error))),
    }
}
