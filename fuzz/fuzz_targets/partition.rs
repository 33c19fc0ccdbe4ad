#![no_main]
//! GPT and MBR, with logical partitions: a raw disk's tables are read, and the backup of a
//! GPT is moved to the disk's end.

use bootwright_disk::view::Memory;
use bootwright_disk::{Format, gpt};
use bootwright_fuzz::{file, mutate, read_everything, reseal};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate(data, size, max_size, seed)
});

fuzz_target!(|input: &[u8]| {
    read_everything(input, Format::Raw, reseal::gpt);
    if let Some(disk) = file(input, reseal::gpt) {
        let _ = gpt::move_backup(&Memory::new(disk));
    }
});
