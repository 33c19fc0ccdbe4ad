//! Storage of changed chunks: memory up to a limit, then a file without a name.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::CHUNK;
use crate::{Error, Result};

/// Where a chunk is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Memory(usize),
    Spilled(u64),
}

/// Slots of [`CHUNK`] bytes. A new slot reads as zeros.
#[derive(Debug)]
pub(super) struct Store {
    memory: Vec<Box<[u8]>>,
    memory_slots: usize,
    spill_dir: PathBuf,
    spill: Option<File>,
    spilled: u64,
    free: Vec<Slot>,
}

impl Store {
    pub(super) fn new(memory_limit: u64, spill_dir: PathBuf) -> Self {
        Self {
            memory: Vec::new(),
            memory_slots: (memory_limit / CHUNK) as usize,
            spill_dir,
            spill: None,
            spilled: 0,
            free: Vec::new(),
        }
    }

    pub(super) fn allocate(&mut self) -> Result<Slot> {
        if let Some(slot) = self.free.pop() {
            self.write(slot, 0, &[0; CHUNK as usize])?;
            return Ok(slot);
        }
        if self.memory.len() < self.memory_slots {
            self.memory.push(vec![0; CHUNK as usize].into());
            return Ok(Slot::Memory(self.memory.len() - 1));
        }
        let file = match self.spill.take() {
            Some(file) => file,
            None => tempfile::tempfile_in(&self.spill_dir)
                .map_err(|source| io("creating the spill file of the edits", 0, source))?,
        };
        let slot = self.spilled;
        let grown = file.set_len((slot + 1) * CHUNK);
        self.spill = Some(file);
        grown.map_err(|source| io("growing the spill file of the edits", slot * CHUNK, source))?;
        self.spilled += 1;
        Ok(Slot::Spilled(slot))
    }

    pub(super) fn free(&mut self, slot: Slot) {
        self.free.push(slot);
    }

    pub(super) fn read(&self, slot: Slot, at: u64, buf: &mut [u8]) -> Result<()> {
        match (slot, &self.spill) {
            (Slot::Memory(index), _) => {
                let at = at as usize;
                buf.copy_from_slice(&self.memory[index][at..at + buf.len()]);
                Ok(())
            }
            (Slot::Spilled(slot), Some(file)) => {
                let offset = slot * CHUNK + at;
                let read = file.read_exact_at(buf, offset);
                read.map_err(|source| io("reading the spill file of the edits", offset, source))
            }
            (Slot::Spilled(_), None) => unreachable!("a spilled slot exists only with its file"),
        }
    }

    pub(super) fn write(&mut self, slot: Slot, at: u64, data: &[u8]) -> Result<()> {
        match (slot, &self.spill) {
            (Slot::Memory(index), _) => {
                let at = at as usize;
                self.memory[index][at..at + data.len()].copy_from_slice(data);
                Ok(())
            }
            (Slot::Spilled(slot), Some(file)) => {
                let offset = slot * CHUNK + at;
                let written = file.write_all_at(data, offset);
                written.map_err(|source| io("writing the spill file of the edits", offset, source))
            }
            (Slot::Spilled(_), None) => unreachable!("a spilled slot exists only with its file"),
        }
    }
}

fn io(op: &'static str, offset: u64, source: std::io::Error) -> Error {
    Error::Io { op, offset, source }
}
